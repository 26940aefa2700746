import OCI
import Synchronization

/// Which repositories follow which images, as their last cycles found it.
final class FollowedImages: Sendable {
    private struct State {
        var images: [String: Set<RepositoryLocation>] = [:]
        var followers: [RepositoryLocation: Set<String>] = [:]

        mutating func set(_ new: Set<RepositoryLocation>?, of repository: String) {
            let old = images[repository] ?? []
            guard old != new else { return }
            for image in old.subtracting(new ?? []) {
                followers[image]?.remove(repository)
                if followers[image]?.isEmpty ?? false { followers[image] = nil }
            }
            for image in (new ?? []).subtracting(old) { followers[image, default: []].insert(repository) }
            images[repository] = new
        }
    }

    private let state = Mutex(State())

    init() {}

    func set(_ images: Set<RepositoryLocation>, of repository: String) {
        state.withLock { $0.set(images, of: repository) }
    }

    /// Forgets all other repositories.
    func keep(_ repositories: Set<String>) {
        state.withLock { state in
            for name in state.images.keys where !repositories.contains(name) { state.set(nil, of: name) }
        }
    }

    func followers(of image: RepositoryLocation) -> Set<String> {
        state.withLock { $0.followers[image] ?? [] }
    }
}

/// The repositories whose tags a cycle asked for.
final class AskedImages: Sendable {
    private let state = Mutex<(images: Set<RepositoryLocation>, ages: FollowedImageAges)?>(nil)

    init() {}

    /// Of the last cycle that came so far; `nil` before it.
    var images: Set<RepositoryLocation>? { state.withLock { $0?.images } }

    var ages: FollowedImageAges { state.withLock { $0?.ages } ?? FollowedImageAges() }

    func set(_ images: Set<RepositoryLocation>, ages: FollowedImageAges) {
        state.withLock { $0 = (images, ages) }
    }
}
