import ContentStore
import OCI

/// A repository whose content may be in a layout on this machine already, put there by `slipway warm`.
///
/// What a tag points at is always asked of the repository; what has a digest comes from the layout where it is there and
/// whole. So a tag that moved is noticed, and nothing stale is used.
struct CachedRepository: ForwardingRepository {
    let origin: any ImageRepository
    let cache: LayoutRepository

    func manifest(_ selector: ManifestSelector) async throws(RegistryError) -> RawManifest? {
        switch selector {
        case .digest:
            if let known = try? await cache.manifest(selector) { return known }
        case .tag(let tag):
            if let digest = try? await origin.digest(ofTag: tag),
                let known = try? await cache.manifest(.digest(digest))
            {
                return known
            }
        }
        return try await origin.manifest(selector)
    }

    func blob(_ descriptor: Descriptor, limit: Int) async throws(RegistryError) -> [UInt8] {
        if let known = try? await cache.blob(descriptor, limit: limit) { return known }
        return try await origin.blob(descriptor, limit: limit)
    }

    func fetchBlob(
        _ descriptor: Descriptor, into store: ContentStore, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) {
        do throws(RegistryError) {
            try await cache.fetchBlob(descriptor, into: store, progress: progress)
        } catch {
            if error.code == .cancelled { throw error }
            try await origin.fetchBlob(descriptor, into: store, progress: progress)
        }
    }
}
