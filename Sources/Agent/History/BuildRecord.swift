/// A build as history tells it: from its place in the queue to its image, or to what it failed by.
package struct BuildRecord: Sendable, Equatable, Codable {
    package enum State: String, Sendable, Codable, CaseIterable {
        case queued, running, succeeded, failed, cancelled
        /// Its process ended before it did.
        case interrupted

        package var isOver: Bool { self != .queued && self != .running }
    }

    package struct Step: Sendable, Equatable, Codable {
        /// Empty where there is only one.
        package var stage: String
        /// In its stage, from 1.
        package var index: Int
        package var count: Int
        package var text: String
        /// In seconds since 1970.
        package var startedAt: Int64
        /// How long it took; `nil` while it is under way, and for one that did not end.
        package var seconds: Double?
        package var isCached: Bool
        /// Why it was not taken from the cache, where that is known.
        package var why: String?

        package init(
            stage: String, index: Int, count: Int, text: String, startedAt: Int64, seconds: Double? = nil,
            isCached: Bool = false
        ) {
            self.stage = stage
            self.index = index
            self.count = count
            self.text = text
            self.startedAt = startedAt
            self.seconds = seconds
            self.isCached = isCached
        }
    }

    /// What an image is, beside its layers.
    package struct ImageFacts: Sendable, Equatable, Codable {
        package struct Base: Sendable, Equatable, Codable {
            package var name: String
            package var digest: String
        }

        /// `linux/amd64`.
        package var platforms: [String] = []
        /// `nil` for one from `scratch`.
        package var base: Base?
        package var entrypoint: [String] = []
        package var command: [String] = []
        package var user: String?
        package var workingDirectory: String?
        package var ports: [String] = []

        package init() {}
    }

    package struct Failure: Sendable, Equatable, Codable {
        package var kind: FailureKind
        package var reason: FailureRecord.Reason

        package init(kind: FailureKind, reason: FailureRecord.Reason) {
            self.kind = kind
            self.reason = reason
        }
    }

    /// What is known when a build is asked for.
    package struct Description: Sendable, Equatable, Codable {
        package var pipeline: PipelineKey
        /// The commit.
        package var revision: String?
        package var contentKey: String?
        /// Why it is built.
        package var reason: String
        /// The names that its image is to get.
        package var names: [String]

        package init(
            pipeline: PipelineKey, revision: String? = nil, contentKey: String? = nil, reason: String,
            names: [String] = []
        ) {
            self.pipeline = pipeline
            self.revision = revision
            self.contentKey = contentKey
            self.reason = BoundedText.ends(of: reason, limit: 2_000)
            self.names = Array(names.prefix(100))
        }
    }

    package let id: BuildID
    package var description: Description
    package var state: State
    /// In seconds since 1970, as the other times.
    package var queuedAt: Int64
    package var startedAt: Int64?
    /// For an interrupted build the last sign of it.
    package var endedAt: Int64?
    package var digest: String?
    package var layers: [CycleReport.Layer] = []
    package var facts: ImageFacts?
    package var steps: [Step] = []
    package var failure: Failure?
    /// Which process it belongs to, while it is not over.
    var owner: String?

    static let listLimit = 1_000

    package init(id: BuildID, _ description: Description, queuedAt: Int64, owner: String?) {
        self.id = id
        self.description = description
        self.queuedAt = queuedAt
        self.owner = owner
        state = .queued
    }
}

/// How a build ended.
package enum BuildOutcome: Sendable, Equatable {
    /// - Parameter names: which the image got.
    case succeeded(digest: String, names: [String])
    case failed(BuildRecord.Failure)
    case cancelled
}
