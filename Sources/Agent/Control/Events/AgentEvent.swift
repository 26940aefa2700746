/// Something that happened, as `GET /api/v1/events` tells it. Which of the rest is there depends on the kind.
package struct AgentEvent: Codable, Sendable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        /// A cycle ended: `state`, `commit`.
        case cycle
        /// A build waits, runs or is over: `state`.
        case build
        /// A step of a build began or ended: `step`.
        case step
        /// Lines that a build said: `text`.
        case output
        /// An image has its names: `image`.
        case pushed
        /// The agent committed: `published`.
        case commit
        /// Something failed that did not fail so before: `failure`.
        case failure
        /// Events are not kept any more that the client has not seen: what it knows is to be read anew.
        case missed
    }

    package let kind: Kind
    /// In seconds since 1970.
    package let time: Int64
    /// Empty where it is about all.
    package let repository: String
    package var pipeline: String?
    package var build: BuildID?
    /// Of a cycle, the repository's state after it; of a build, the build's.
    package var state: String?
    /// The commit that the cycle worked on.
    package var revision: String?
    package var step: BuildRecord.Step?
    /// Whole lines, each with its newline.
    package var text: String?
    /// Without its layers, which the build has.
    package var image: CycleReport.Image?
    package var published: CycleReport.Published?
    package var failure: CycleReport.Failure?

    package init(_ kind: Kind, of repository: String, at time: Int64) {
        self.kind = kind
        self.repository = repository
        self.time = time
    }

    /// Of a build.
    init(_ kind: Kind, _ build: BuildRecord, at time: Int64) {
        self.init(kind, of: build.description.pipeline.repository, at: time)
        pipeline = build.description.pipeline.pipeline
        self.build = build.id
    }
}
