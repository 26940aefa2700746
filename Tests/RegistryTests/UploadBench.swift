import ContentStore
import OCI
import TestSupport

@testable import Registry

/// A blob, and a store to push it from.
struct UploadBench {
    private let scratch: TemporaryDirectory
    let store: ContentStore
    let content: [UInt8]
    let blob: Descriptor

    /// - Parameter isStored: whether the store has the blob.
    init(bytes: Int, isStored: Bool) throws {
        scratch = try TemporaryDirectory("upload")
        store = try ContentStore(path: scratch.path)
        content = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        blob = Descriptor(mediaType: .ociLayer, of: content)
        if isStored { try store.add(content) }
    }

    /// - Parameter chunk: bytes of a part, where uploads are to go in parts.
    func repository(_ host: String, chunk: Int64? = nil, name: String = "app") throws -> any ImageRepository {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [host]
        configuration.retry.pause = .milliseconds(1)
        configuration.retry.longest = .milliseconds(2)
        var options = RegistryConfiguration.HostOptions()
        options.uploadChunk = chunk
        configuration.hosts[host] = options
        return try RegistryAccess(configuration: configuration, keychain: .empty)
            .repository(.registry(host: host, path: name))
    }
}
