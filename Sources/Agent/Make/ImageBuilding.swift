package import Builder
package import OCI
package import Registry
import Sandbox

/// Makes images. `Builder` does it in this process; another implementation may have it done elsewhere.
package protocol ImageBuilding: Sendable {
    /// What the image would be made from, without making it.
    func contentKey(_ request: BuildRequest) async throws(BuildError) -> ContentKey
    /// The same for the decisions of one cycle: each base image is looked for once, however many build on it.
    ///
    /// - Parameter changing: repositories that get new images meanwhile.
    func forDecisions(whileChanging changing: Set<RepositoryLocation>) -> any ImageBuilding
    /// Builds an image; no name leads to it yet.
    func build(
        _ order: BuildOrder, progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> any PushableImage
    /// An image that a repository holds, to be given further names, with annotations put over its own.
    func stored(
        _ digest: Digest, in repository: RepositoryLocation, annotations: [String: String]
    ) async throws(BuildError) -> any PushableImage
    /// What a name leads to, asked of its registry now; `nil` when there is no such name.
    func holder(of name: ImageLocation) async throws(BuildError) -> TagHolder?
    /// Removes what earlier builds left and nobody used for so long, now and then; `nil`: for the usual time.
    ///
    /// - Returns: bytes of the disk that the cache takes then; `nil` when it was not looked at this time.
    func collectGarbage(olderThan age: Duration?, now: Int64) async -> Int64?
    /// How RUN steps are isolated here; `nil` where that is not known, or not possible.
    func isolation() async -> String?
}

extension ImageBuilding {
    package func isolation() async -> String? { nil }

    package func forDecisions(whileChanging changing: Set<RepositoryLocation>) -> any ImageBuilding { self }
}

/// An image that is to be given names.
package protocol PushableImage: Sendable {
    var digest: Digest { get }
    var annotations: [String: String] { get }
    var layers: [CycleReport.Layer] { get }
    /// `nil` where they are not known.
    var facts: BuildRecord.ImageFacts? { get }
    /// How RUN steps were isolated; `nil` when there were none.
    var isolation: String? { get }
    /// Brings all that it consists of to the repositories of the names, and lets no name lead to it.
    func upload(
        to names: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError)
    /// Lets a name lead to it, unless the image that has the name keeps it.
    func claim(
        _ name: ImageLocation, unless isKept: @escaping @Sendable (TagHolder) -> Bool
    ) async throws(BuildError) -> TagClaim
}

extension PushableImage {
    package var facts: BuildRecord.ImageFacts? { nil }
}

/// The builder of this process.
struct EmbeddedBuilder: ImageBuilding {
    let builder: Builder

    func contentKey(_ request: BuildRequest) async throws(BuildError) -> ContentKey {
        try await builder.contentKey(request)
    }

    func forDecisions(whileChanging changing: Set<RepositoryLocation>) -> any ImageBuilding {
        EmbeddedBuilder(builder: builder.rememberingImages(butOf: changing))
    }

    func build(
        _ order: BuildOrder, progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> any PushableImage {
        Built(builder: builder, image: try await builder.build(order.request, progress: progress))
    }

    func stored(
        _ digest: Digest, in repository: RepositoryLocation, annotations: [String: String]
    ) async throws(BuildError) -> any PushableImage {
        Stored(builder: builder, image: try await builder.stored(digest, in: repository, annotations: annotations))
    }

    func holder(of name: ImageLocation) async throws(BuildError) -> TagHolder? {
        try await builder.holder(of: name)
    }

    /// A failure only costs room.
    func collectGarbage(olderThan age: Duration?, now: Int64) async -> Int64? {
        var limits = builder.limits
        if let age { limits.age = age }
        return try? await builder.collection(limits, now: now, every: .seconds(600))?.left
    }

    func isolation() async -> String? {
        let report = await builder.isolation.report
        // In place is never chosen by itself: it is asked for, and then it is the only one.
        return (report.automatic ?? (report.available.count == 1 ? report.available.first : nil))?.rawValue
    }

    private struct Built: PushableImage {
        let builder: Builder
        let image: BuiltImage

        var digest: Digest { image.manifestDigest }
        var annotations: [String: String] { image.manifest.annotations ?? [:] }
        var isolation: String? { image.isolation?.rawValue }

        var layers: [CycleReport.Layer] {
            image.layers.map {
                CycleReport.Layer(
                    digest: $0.descriptor.digest.description, size: $0.descriptor.size, createdBy: $0.createdBy,
                    origin: $0.origin.word)
            }
        }

        var facts: BuildRecord.ImageFacts? {
            let config = image.config.config
            var facts = BuildRecord.ImageFacts()
            facts.platforms = [image.config.platform.description]
            facts.base = image.base.map { .init(name: $0.name, digest: $0.digest.description) }
            facts.entrypoint = config.entrypoint ?? []
            facts.command = config.cmd ?? []
            facts.user = config.user.isEmpty ? nil : config.user
            facts.workingDirectory = config.workingDir.isEmpty ? nil : config.workingDir
            facts.ports = config.exposedPorts.sorted()
            return facts
        }

        func upload(
            to names: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
        ) async throws(BuildError) {
            _ = try await builder.upload(image, to: names, progress: progress)
        }

        func claim(
            _ name: ImageLocation, unless isKept: @escaping @Sendable (TagHolder) -> Bool
        ) async throws(BuildError) -> TagClaim {
            try await builder.claim(name, for: image.rawManifest, unless: isKept)
        }
    }

    private struct Stored: PushableImage {
        let builder: Builder
        let image: StoredImage

        var digest: Digest { image.manifest.digest }
        var annotations: [String: String] { image.annotations }
        var layers: [CycleReport.Layer] { [] }
        var isolation: String? { nil }

        func upload(
            to names: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
        ) async throws(BuildError) {
            try await builder.upload(image, to: names)
        }

        func claim(
            _ name: ImageLocation, unless isKept: @escaping @Sendable (TagHolder) -> Bool
        ) async throws(BuildError) -> TagClaim {
            try await builder.claim(name, for: image.manifest, unless: isKept)
        }
    }
}

extension BuiltImage.Layer.Origin {
    /// For people.
    fileprivate var word: String {
        switch self {
        case .base: "base"
        case .built: "built"
        case .cache: "shared cache"
        }
    }
}
