import Blocking
import ContentStore
import Glibc
import OCI

/// Looks through the blobs of a layout.
enum ImageCheck {
    /// Removes blobs whose content is not what their names say.
    static func discardDamaged(inLayout path: String) async throws {
        try await runBlocking { () throws(ContentStoreError) in
            let store = try ContentStore(layout: path)
            guard let folder = opendir("\(path)/blobs/sha256") else { return }
            defer { closedir(folder) }
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard let digest = try? Digest("sha256:" + name) else { continue }
                do throws(ContentStoreError) {
                    try store.read(digest) { (_) throws(ContentStoreError) in }
                } catch {
                    if error.code == .digestMismatch { try store.remove(digest) }
                }
            }
        }
    }
}
