import Blocking
import FileSystem
import Glibc
import OCI

/// Inventories on disk, one file for each repository and choice of platforms.
///
/// A cache: a file that is missing, of another version or damaged is as if there had never been one, and a file that cannot be
/// written is only missed at the next start.
struct InventoryDirectory: Sendable {
    let path: String

    /// Bytes of a file that is read at all.
    private static let limit = 512 << 20

    private func file(_ key: RegistryPoller.Key) -> String {
        "\(path)/\(Digest.sha256(of: Array(key.text.utf8)).encoded.prefix(40)).inventory"
    }

    func read(_ key: RegistryPoller.Key, at now: Int64) async -> RepositoryMemory? {
        let file = file(key)
        let text = key.text
        return await runBlocking {
            guard let handle = try? FileHandle(path: file, flags: O_RDONLY | O_NOFOLLOW),
                let bytes = try? handle.readAll(limit: Self.limit)
            else { return nil }
            return InventoryFile.decode(bytes, key: text, now: now)
        }
    }

    func write(_ memory: RepositoryMemory, for key: RegistryPoller.Key, at now: Int64) async {
        let file = file(key)
        let text = key.text
        let path = path
        await runBlocking {
            if mkdir(path, 0o700) != 0 && errno != EEXIST { return }
            try? AtomicFile.write(InventoryFile.encode(memory, key: text), to: file, mode: 0o600)
        }
    }
}

extension RegistryPoller.Key {
    /// What the file is about; it stands in the file as well.
    var text: String { "\(location)" + platforms.map { "\n\($0)" }.joined() }
}
