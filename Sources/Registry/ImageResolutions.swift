import Blocking
import OCI

/// What names of images led to, each asked for once, also by many at the same time. What failed has failed for all who ask.
actor ImageResolutions {
    private struct Key: Hashable {
        let location: ImageLocation
        let platform: Platform
    }

    private var known: [Key: Result<ResolvedImage?, RegistryError>] = [:]
    private let calls = SharedCalls<Key, ResolvedImage?, RegistryError>()
    private let changing: Set<RepositoryLocation>

    /// - Parameter changing: repositories whose images are looked for each time.
    init(butOf changing: Set<RepositoryLocation>) { self.changing = changing }

    func image(
        _ location: ImageLocation, _ platform: Platform,
        _ find: @escaping @Sendable () async throws(RegistryError) -> ResolvedImage?
    ) async throws(RegistryError) -> ResolvedImage? {
        guard !changing.contains(location.repository) else { return try await find() }
        let key = Key(location: location, platform: platform)
        if let known = known[key] { return try known.get() }
        let result: Result<ResolvedImage?, RegistryError>
        do throws(RegistryError) {
            result = .success(try await calls.value(of: key, find))
        } catch {
            result = .failure(error)
        }
        if case .failure(let error) = result, error.code == .cancelled { throw error }
        known[key] = result
        return try result.get()
    }
}
