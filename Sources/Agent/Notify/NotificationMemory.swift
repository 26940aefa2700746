import FileSystem
import Glibc
import Notifications
import OCI

/// What notifications need to know of the processes before: what was told and is not over, and what is not delivered yet. A file in the
/// state directory, and may be lost: then what still fails is told once more.
struct NotificationMemory: Codable, Sendable {
    static let version = 1
    private static let sizeLimit = 32 << 20

    var version = NotificationMemory.version
    /// By the names of the repositories.
    var incidents: [String: Incidents] = [:]
    /// By the names of the channels.
    var waiting: [String: [Notice]] = [:]

    private static func file(in directory: String) -> String { directory + "/notifications.json" }

    /// Blocks. A damaged file is as none.
    static func read(in directory: String) -> NotificationMemory {
        guard let file = try? FileHandle(path: file(in: directory), flags: O_RDONLY | O_NOFOLLOW),
            let bytes = try? file.readAll(limit: sizeLimit),
            let memory = try? CanonicalJSON.decode(NotificationMemory.self, from: bytes), memory.version == version
        else { return NotificationMemory() }
        return memory
    }

    /// Blocks.
    func write(in directory: String) throws(FileSystemError) {
        _ = try Directory.create(path: directory, mode: 0o700)
        let bytes = (try? CanonicalJSON.encode(self)) ?? []
        try AtomicFile.write(bytes, to: Self.file(in: directory), mode: 0o600)
    }
}
