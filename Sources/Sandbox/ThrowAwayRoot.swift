import Glibc

/// Whether this process may empty its root directory and put an image's files there: only where the root exists for it.
package enum ThrowAwayRoot {
    /// An empty file of this name says so.
    package static let mark = "/.slipway-throw-away"

    package static let remedy =
        "use --isolation auto; or, in a container that exists for this build only, make the empty file \(mark)"

    /// The mark is there, or the process is the first one of a container in a pod.
    package static var isOne: Bool {
        access(mark, F_OK) == 0 || getpid() == 1 && getenv("KUBERNETES_SERVICE_HOST") != nil
    }

    /// What this root has mounted below a directory: absolute paths, which nobody may remove or replace.
    package static func mountPoints(below root: String) -> [String] {
        guard let text = readAll("/proc/self/mountinfo") else { return [] }
        let prefix = root == "/" ? "/" : root + "/"
        return text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 4 else { return nil }
            let path = unescaped(fields[4])
            return path.hasPrefix(prefix) && path != root ? path : nil
        }
    }

    /// Blanks and backslashes are written in octal: proc_pid_mountinfo(5).
    static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) })
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(digits.reduce(0) { $0 &* 8 &+ ($1 - 0x30) })
            rest = rest.dropFirst(3)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func readAll(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < 16 << 20 {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
