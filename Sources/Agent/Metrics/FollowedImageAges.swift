import OCI
import Synchronization

/// When the images were created that a repository's manifests run, as far as a cycle came to know it.
///
/// No registry is asked for it: the request would count against its rate limit. The creation time is known of images that Slipway
/// built or chose, and of those that a policy orders by time.
package struct FollowedImageAges: Sendable {
    /// Images of one repository that have a series: its manifests decide how many they name.
    static let limit = 100

    /// In seconds since 1970; the oldest where several tags of an image run.
    private var created: [RepositoryLocation: Int64] = [:]

    init() {}

    mutating func add(_ image: RepositoryLocation, created time: Int64) {
        created[image] = min(created[image] ?? time, time)
    }

    /// Ordered by name, so that the same images have series each time.
    var all: [(image: String, created: Int64)] {
        created.map { (image: $0.key.description, created: $0.value) }.sorted { $0.image < $1.image }
            .prefix(Self.limit).map(\.self)
    }
}

extension Metrics {
    /// Which images a repository follows.
    ///
    /// - Parameter count: of all, whether or not the age is known.
    func record(_ ages: FollowedImageAges, count: Int, of repository: String) {
        set("slipway_followed_images", Double(count), [("repository", repository)])
        replace(
            "slipway_image_age_seconds", of: repository,
            with: ages.all.map { (labels: [("image", $0.image)], value: Double($0.created)) })
    }
}
