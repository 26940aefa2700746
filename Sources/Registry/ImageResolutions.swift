import Blocking
import OCI

/// What names of images led to, each asked for once, also by many at the same time. What failed has failed for all who ask.
struct ImageResolutions: Sendable {
    private struct Key: Hashable {
        let location: ImageLocation
        let platform: Platform
    }

    private let calls = SharedCalls<Key, ResolvedImage?, RegistryError> { result in
        if case .failure(let error) = result { error.code != .cancelled } else { true }
    }
    private let changing: Set<RepositoryLocation>

    /// - Parameter changing: repositories whose images are looked for each time.
    init(butOf changing: Set<RepositoryLocation>) { self.changing = changing }

    func image(
        _ location: ImageLocation, _ platform: Platform,
        _ find: @escaping @Sendable () async throws(RegistryError) -> ResolvedImage?
    ) async throws(RegistryError) -> ResolvedImage? {
        guard !changing.contains(location.repository) else { return try await find() }
        return try await calls.value(of: Key(location: location, platform: platform), find)
    }
}
