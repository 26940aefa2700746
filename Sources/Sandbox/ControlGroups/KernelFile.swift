import Glibc

/// Files of the kernel's own file systems: what is read is made while it is read, and what is written is a command.
enum KernelFile {
    /// Bytes that are read at most.
    private static let limit = 1 << 20

    /// `nil`: it cannot be read. The kernel gives such files in pieces.
    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        while text.count < limit {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            text += piece[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func words(_ path: String) -> [String] {
        (read(path) ?? "").split { $0 == " " || $0 == "\n" }.map(String.init)
    }

    /// One call, as the kernel takes each for one command; `errno` says why it was refused.
    static func write(_ text: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        let bytes = Array(text.utf8)
        let count = Glibc.write(descriptor, bytes, bytes.count)
        let number = errno
        close(descriptor)
        errno = number
        return count == bytes.count
    }
}
