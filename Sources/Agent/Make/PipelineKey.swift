/// A pipeline of the agent's: which entry of the configuration's `repositories` it belongs to, and its name there.
///
/// The entry counts, not its URL: two entries may watch branches of one repository.
package struct PipelineKey: Hashable, Sendable, Codable, Comparable {
    package let repository: String
    package let pipeline: String

    package init(repository: String, pipeline: String) {
        self.repository = repository
        self.pipeline = pipeline
    }

    package static func < (one: Self, other: Self) -> Bool {
        (one.repository, one.pipeline) < (other.repository, other.pipeline)
    }
}
