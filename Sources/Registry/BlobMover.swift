import ContentStore
import Glibc
import OCI

/// Brings blobs from one repository into another with as few copies as possible: from a layout they are sent as they lie
/// there, into a layout they are received; between two registries they rest in a directory, one by one.
final class BlobMover: Sendable {
    private let source: any ImageRepository
    private let target: any ImageRepository
    /// Where blobs are sent from.
    private let store: ContentStore
    /// The directory that is removed at the end.
    private let temporary: String?

    init(from source: any ImageRepository, to target: any ImageRepository, scratch: String) throws(RegistryError) {
        self.source = source
        self.target = target
        do throws(ContentStoreError) {
            if case .layout(let path) = source.location {
                store = try ContentStore(layout: path)
                temporary = nil
            } else if case .layout(let path) = target.location {
                store = try ContentStore(layout: path)
                temporary = nil
            } else {
                let name = String(UInt64.random(in: .min ... .max), radix: 36)
                let path = "\(scratch)/slipway-copy-\(name)"
                store = try ContentStore(path: path)
                temporary = path
            }
        } catch {
            throw RegistryError(error, place: "\(target.location)")
        }
    }

    func move(_ blob: Descriptor) async throws(RegistryError) -> UploadOutcome {
        if case .layout = source.location {
            return try await target.pushBlob(blob, from: store, mountFrom: [source.location], progress: nil)
        }
        if case .layout = target.location {
            if store.size(of: blob.digest) == blob.size { return .existed }
            try await source.fetchBlob(blob, into: store, progress: nil)
            return .uploaded
        }
        do throws(RegistryError) {
            return try await target.pushBlob(blob, from: store, mountFrom: [source.location], progress: nil)
        } catch {
            guard error.code == .contentMissing else { throw error }
        }
        try await source.fetchBlob(blob, into: store, progress: nil)
        defer { try? store.remove(blob.digest) }
        return try await target.pushBlob(blob, from: store, mountFrom: [], progress: nil)
    }

    /// Removes the directory with what a failure left in it.
    func clean() {
        guard let temporary else { return }
        for folder in ["blobs/sha256", "blobs/sha384", "blobs/sha512", "ingest"] {
            let path = "\(temporary)/\(folder)"
            guard let directory = opendir(path) else { continue }
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != "." && name != ".." { unlink("\(path)/\(name)") }
            }
            closedir(directory)
            rmdir(path)
        }
        rmdir("\(temporary)/blobs")
        rmdir(temporary)
    }
}
