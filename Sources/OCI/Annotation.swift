/// Keys of annotations and labels.
///
/// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
package enum Annotation {
    package static let created = "org.opencontainers.image.created"
    package static let source = "org.opencontainers.image.source"
    package static let revision = "org.opencontainers.image.revision"
    package static let version = "org.opencontainers.image.version"
    package static let title = "org.opencontainers.image.title"
    package static let baseName = "org.opencontainers.image.base.name"
    package static let baseDigest = "org.opencontainers.image.base.digest"
    /// The tag of a manifest in a layout's `index.json`.
    package static let refName = "org.opencontainers.image.ref.name"
    /// The image's whole name in a layout's `index.json`, by which `ctr images import` knows it, as BuildKit writes it.
    package static let containerdName = "io.containerd.image.name"

    /// Slipway's: the key of everything that the image was made from.
    package static let contentKey = "dev.slipway.content-key"

    /// Slipway's: the build that asked for the image, `BRANCH NAME`, of the repository that `source` names. Others may push to
    /// the same place.
    package static let pipeline = "dev.slipway.pipeline"

    /// Those of a foreign image that say something about where it comes from.
    package static let decisive: Set<String> = [created, source, revision, version, contentKey, pipeline]
}
