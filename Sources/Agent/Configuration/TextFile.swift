import FileSystem
import Glibc

/// Small files that the operator names.
package enum TextFile {
    package static func read(_ path: String, limit: Int) throws(AgentError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw AgentError("cannot read the file", place: path, cause: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw AgentError("cannot read the file", place: path, cause: String(cString: strerror(errno)))
            }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= limit else {
                throw AgentError("the file is larger than \(limit) bytes", place: path)
            }
        }
    }

    /// Writes a small file whole, or not at all.
    package static func write(_ text: String, to path: String) throws(AgentError) {
        do { try AtomicFile.write(Array(text.utf8), to: path) } catch {
            throw AgentError(error.summary, place: error.place ?? path, cause: error.cause, hint: error.hint)
        }
    }

    /// A path as it is from the root, whatever the working directory is later.
    package static func absolute(_ path: String) -> String {
        PodFiles.clean(path.hasPrefix("/") ? path : currentDirectory + "/" + path)
    }

    package static var currentDirectory: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}
