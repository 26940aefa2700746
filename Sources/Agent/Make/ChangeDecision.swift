package import Builder
package import Git
package import OCI
import RegistryPoller

/// Whether a pipeline has to build, judged by what the registry holds.
enum ChangeDecision: Sendable {
    /// The newest image was made from the same content, and has the deciding name, so it has all of them.
    case upToDate(String)
    /// The registry holds an image of this content; it only lacks (some of) the names.
    case rename(KnownImage, BuildOrder)
    case build(BuildOrder)
}

/// An image that a registry holds, and what is put over its annotations to give it further names.
struct KnownImage: Sendable {
    let location: ImageLocation
    let digest: Digest
    /// None where the image only lacks names that it was to have: it stays the image that it is.
    let annotations: [String: String]
}

/// A build that is due.
package struct BuildOrder: Sendable {
    package let pipeline: Pipeline
    package let request: BuildRequest
    /// The commit whose files are built; the image is dated by and named after the newest that is not the agent's own.
    package let revision: Commit
    package let key: ContentKey
    /// The names that the image gets; the one that the decision hangs on comes last, so that all others are there
    /// when it is.
    package let plan: NamePlan
    /// Why now.
    package let reason: String
    let origin: ImageOrigin
    /// The content keys of images that count as this one.
    let keys: Set<String>

    package var names: [ImageLocation] { plan.locations }
}
