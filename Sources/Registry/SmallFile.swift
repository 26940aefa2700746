import Glibc

/// Whole small files: read within a bound, replaced so that a reader sees the old one or the new one.
enum SmallFile {
    /// `nil` when the file does not exist.
    static func read(_ path: String, limit: Int) throws(RegistryError) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw system("cannot open a file", path)
        }
        defer { close(file) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count == 0 { return content }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw system("cannot read a file", path)
            }
            guard content.count + count <= limit else {
                throw RegistryError(.tooLarge, "the file is larger than \(limit) bytes", place: path)
            }
            content += buffer[..<count]
        }
    }

    /// Temporary file in the same directory, synced, renamed, directory synced.
    static func replace(_ path: String, with bytes: [UInt8]) throws(RegistryError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let temporary = "\(folder)/.ingest-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw system("cannot create a file", temporary) }
        defer { close(file) }
        do throws(RegistryError) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw system("cannot write a file", path) }
                rest = rest.dropFirst(count)
            }
            guard fsync(file) == 0 else { throw system("cannot write a file", path) }
            guard rename(temporary, path) == 0 else { throw system("cannot replace a file", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }

    /// The size of a regular file; `nil` when there is none.
    static func size(_ path: String) -> Int64? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(status.st_size)
    }

    static func system(_ summary: String, _ path: String, _ number: Int32 = errno) -> RegistryError {
        RegistryError(.io, summary, place: path, cause: String(cString: strerror(number)))
    }
}
