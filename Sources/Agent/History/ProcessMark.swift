import FileSystem
import Glibc

/// Tells whether the process that wrote something still lives: it holds a lock on a file of its own, which the kernel gives up
/// with it, however it ends. Process ids would not do: in a container, the next process has the same one.
final class ProcessMark: Sendable {
    let name: String
    private let file: FileHandle

    private static let prefix = ".process-"

    init(in directory: String) throws(FileSystemError) {
        let name = String(UInt64.random(in: .min ... .max), radix: 36)
        let path = "\(directory)/\(Self.prefix)\(name)"
        // Locked before anybody sees it.
        let hidden = "\(directory)/.new-\(name)"
        let file = try FileHandle(path: hidden, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        guard flock(file.fd, LOCK_EX | LOCK_NB) == 0, rename(hidden, path) == 0 else {
            throw FileSystemError("lock the file", path: hidden, code: errno)
        }
        self.name = name
        self.file = file
    }

    /// The marks of processes that live. Those of others are removed.
    static func living(in directory: String) -> Set<String> {
        var living: Set<String> = []
        let entries = (try? Directory(path: directory).entries()) ?? []
        for entry in entries {
            let file = String(decoding: entry.name, as: UTF8.self)
            guard file.hasPrefix(prefix) else { continue }
            let path = "\(directory)/\(file)"
            guard let handle = try? FileHandle(path: path, flags: O_RDWR | O_NOFOLLOW) else { continue }
            if flock(handle.fd, LOCK_EX | LOCK_NB) == 0 {
                unlink(path)
            } else {
                living.insert(String(file.dropFirst(prefix.count)))
            }
        }
        return living
    }
}
