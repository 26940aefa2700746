import OCI
import RegistryPoller
import Text

/// Where a pipeline's images come from, to tell its own from others and newer from older ones.
package struct ImageOrigin: Sendable {
    /// The watched repository.
    let source: String
    let branch: String
    let pipeline: String
    let history: BranchHistory

    init(_ pipeline: Pipeline, branch: String, source: String, history: BranchHistory) {
        self.source = source
        self.branch = branch
        self.pipeline = "\(branch) \(pipeline.name)"
        self.history = history
    }

    /// Whether an image may be this pipeline's. Other pipelines may push to the same repository; images of earlier versions do
    /// not say whose they are.
    func mayBeOwn(_ annotations: ImageAnnotations) -> Bool {
        guard annotations[Annotation.contentKey] != nil else { return false }
        guard let recorded = annotations[Annotation.pipeline] else { return true }
        return recorded == pipeline && annotations[Annotation.source] == source
    }

    /// Whether this pipeline made an image from a commit that came after those that are known here, as another agent may have
    /// done meanwhile.
    ///
    /// - Parameter created: of the image in question, as its annotation tells it.
    func isNewer(_ annotations: [String: String], than created: String?) -> Bool {
        guard annotations[Annotation.pipeline] == pipeline, annotations[Annotation.source] == source,
            let revision = annotations[Annotation.revision], history.position(revision) == nil,
            let other = annotations[Annotation.created], let created
        else { return false }
        // Both are the times of commits, in UTC, and written by `UTCDate.rfc3339`: as wide as each other.
        return other > created
    }

    /// The newest of some images, by the branch's commits.
    func newest(_ records: [TagRecord]) -> TagRecord? {
        CandidateOrder.ranked(records, position: history.position).last
            .flatMap { candidate in records.first { $0.tag == candidate.tag } }
    }
}
