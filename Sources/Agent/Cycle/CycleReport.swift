/// What one cycle did and decided, for `--output json`, the status file and the tests.
package struct CycleReport: Codable, Sendable {
    package struct Image: Codable, Sendable {
        package var pipeline: String
        /// Every name that the image has got.
        package var references: [String]
        package var digest: String
        package var layers: [Layer]
        package var isolation: String?
        /// Whether a build ran; `false` when an image that the registry held got another name.
        package var built: Bool
        package var seconds: Double
    }

    package struct Layer: Codable, Sendable, Hashable {
        package var digest: String
        package var size: Int64
        package var createdBy: String?
        /// Where it comes from: `base`, `built` or `shared cache`.
        package var origin: String?
    }

    package struct Update: Codable, Sendable, Hashable {
        package var file: String
        package var line: Int
        package var workload: String
        package var container: String
        package var old: String
        package var new: String
        package var reason: String
        /// What chose the image: the policy's name in a Flux v2 marker.
        package var setter: String?
        /// The workload's kind as the manifest writes it.
        package var kind: String?
        /// The whole new image, where `new` is but a part of it.
        package var image: String?
    }

    /// A commit that was pushed.
    package struct Published: Codable, Sendable, Hashable {
        package var commit: String
        package var message: String
        package var branch: String
    }

    /// A pull request that is open for a change of the agent's.
    package struct PullRequest: Codable, Sendable {
        package var number: Int
        package var url: String
        package var branch: String
        package var title: String
    }

    /// An object of the cluster that is other than it was.
    package struct Applied: Codable, Sendable, Hashable {
        package var object: String
        /// `created`, `changed`, `corrected`, `deleted`.
        package var outcome: String
    }

    /// A build that is under way while the cycle goes on.
    package struct Pending: Codable, Sendable, Hashable {
        package var pipeline: String
        /// Whether it is of older content than the revision's.
        package var isOutdated: Bool
    }

    /// A decision not to act, with its reason.
    package struct Decision: Codable, Sendable, Hashable {
        package var subject: String
        package var reason: String
        package var remedy: String?
        /// Whether a person's word is what holds it back.
        package var isHold: Bool?
        /// Whether it is a file, or a part of one, that could not be looked at.
        package var isPassedOver: Bool?

        package init(
            subject: String, reason: String, remedy: String? = nil, isHold: Bool = false, isPassedOver: Bool = false
        ) {
            self.subject = subject
            self.reason = reason
            self.remedy = remedy
            self.isHold = isHold ? true : nil
            self.isPassedOver = isPassedOver ? true : nil
        }
    }

    package struct Failure: Codable, Sendable {
        package var phase: Phase
        package var subject: String?
        package var message: String
        package var hint: String?
        package var disposition: Disposition
        /// How often a build failed in a row.
        package var attempts: Int?
        /// Since when it fails so, in seconds since 1970.
        package var since: Int64?
        /// When it is tried again; `nil`: at the next cycle, or not before its content changes.
        package var nextAt: Int64?
        /// Whether it failed in an earlier cycle and was not tried again in this one.
        package var isRemembered: Bool?
    }

    package struct Step: Codable, Sendable {
        package var phase: Phase
        package var subject: String?
        package var seconds: Double
    }

    package var repository: String
    package var url: String
    package var branch: String
    /// The commit that was worked on.
    package var revision: String?
    package var images: [Image] = []
    /// Builds that the cycle did not wait for.
    package var pending: [Pending] = []
    package var updates: [Update] = []
    package var decisions: [Decision] = []
    package var failures: [Failure] = []
    /// The commit that was made and pushed.
    package var commit: String?
    /// All commits that were pushed, in their order.
    package var commits: [Published] = []
    package var pullRequests: [PullRequest] = []
    /// Objects that were applied and changed by that; `nil`: none.
    package var applied: [Applied]?
    package var message: String?
    package var diff: String?
    package var steps: [Step] = []
    package var dryRun = false

    package init(repository: String, url: String, branch: String) {
        self.repository = repository
        self.url = url
        self.branch = branch
    }

    package var didNothing: Bool { images.isEmpty && updates.isEmpty && failures.isEmpty }

    /// Records a failure. What fails the same way for several subjects (a registry that is away) is told once.
    package mutating func fail(_ error: ReconcileError) {
        let message = Self.message(error)
        guard !failures.contains(where: { $0.message == message }) else { return }
        failures.append(
            Failure(
                phase: error.phase, subject: error.subject, message: message, hint: error.hint,
                disposition: error.disposition, attempts: error.remembered?.attempts, since: error.remembered?.since,
                nextAt: error.remembered?.nextAt, isRemembered: error.remembered.flatMap { $0.isNew ? nil : true }))
    }

    private static func message(_ error: ReconcileError) -> String {
        var text = error.place.map { "\($0): " } ?? ""
        text += error.summary
        if let cause = error.cause, !cause.isEmpty { text += ": \(cause)" }
        return text
    }
}
