package import Builder
package import OCI
import Sandbox

/// Makes images. `Builder` does it in this process; another implementation may have it done elsewhere.
package protocol ImageBuilding: Sendable {
    /// What the image would be made from, without making it.
    func contentKey(_ request: BuildRequest) async throws(BuildError) -> ContentKey
    /// Builds an image; no name leads to it yet.
    func build(
        _ order: BuildOrder, progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> any PushableImage
    /// Gives an image that a repository holds further names, with annotations put over its own.
    ///
    /// - Returns: the digest under the new names.
    func rename(
        _ digest: Digest, in repository: RepositoryLocation, to names: [ImageLocation], annotations: [String: String]
    ) async throws(BuildError) -> Digest
    /// Removes what earlier builds left and nobody used for so long, now and then; `nil`: for the usual time.
    func collectGarbage(olderThan age: Duration?, now: Int64) async
}

/// An image that was built and has no name at a registry yet.
package protocol PushableImage: Sendable {
    var digest: Digest { get }
    var annotations: [String: String] { get }
    var layers: [CycleReport.Layer] { get }
    /// How RUN steps were isolated; `nil` when there were none.
    var isolation: String? { get }
    /// Pushes it under all names, the last one at the very end.
    func push(
        to names: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError)
}

/// The builder of this process.
struct EmbeddedBuilder: ImageBuilding {
    let builder: Builder

    func contentKey(_ request: BuildRequest) async throws(BuildError) -> ContentKey {
        try await builder.contentKey(request)
    }

    func build(
        _ order: BuildOrder, progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> any PushableImage {
        Image(builder: builder, image: try await builder.build(order.request, progress: progress))
    }

    func rename(
        _ digest: Digest, in repository: RepositoryLocation, to names: [ImageLocation], annotations: [String: String]
    ) async throws(BuildError) -> Digest {
        try await builder.rename(digest, in: repository, to: names, annotations: annotations)
    }

    /// A failure only costs room.
    func collectGarbage(olderThan age: Duration?, now: Int64) async {
        let limits = age.map { StoreLimits(age: $0) } ?? StoreLimits()
        _ = try? await builder.collect(limits, now: now, every: .seconds(600))
    }

    private struct Image: PushableImage {
        let builder: Builder
        let image: BuiltImage

        var digest: Digest { image.manifestDigest }
        var annotations: [String: String] { image.manifest.annotations ?? [:] }
        var isolation: String? { image.isolation?.rawValue }

        var layers: [CycleReport.Layer] {
            image.layers.map {
                CycleReport.Layer(
                    digest: $0.descriptor.digest.description, size: $0.descriptor.size, createdBy: $0.createdBy)
            }
        }

        func push(
            to names: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
        ) async throws(BuildError) {
            _ = try await builder.push(image, to: names, progress: progress)
        }
    }
}
