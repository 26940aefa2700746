package import Builder
import Git
package import OCI
import RegistryPoller

/// Whether a pipeline has to build, judged by what the registry holds.
enum ChangeDecision: Sendable {
    /// The newest image was made from the same content.
    case upToDate(String)
    /// The registry holds an image of this content; it only lacks (some of) the names.
    case rename(TagRecord, BuildOrder)
    case build(BuildOrder)
}

/// A build that is due.
package struct BuildOrder: Sendable {
    package let pipeline: Pipeline
    package let request: BuildRequest
    package let key: ContentKey
    /// The names that the image gets; the one that the decision hangs on comes last, so that all others are there
    /// when it is.
    package let names: [ImageLocation]
    /// Why now.
    package let reason: String
}
