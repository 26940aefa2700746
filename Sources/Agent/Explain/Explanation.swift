import RegistryPoller

/// What decides about the image of one place, what was considered, and what would have to change.
package struct Explanation: Codable, Sendable {
    package enum State: String, Codable, Sendable {
        /// The next cycle writes another image.
        case update
        /// A policy was asked, and nothing is to be written.
        case unchanged
        /// A person's word holds it back.
        case held
        /// Nothing asks for updates, or something stands against them.
        case left
        case failed
    }

    package struct Tag: Codable, Sendable, Equatable {
        package var tag: String
        /// `selected`, `eligible` or `refused`.
        package var outcome: String
        package var reason: String
    }

    /// `file:line object container`.
    package var subject: String
    package var state: State
    package var reason: String
    /// Who decides, with its place; `nil` where nobody does.
    package var decidedBy: String?
    package var policy: String?
    /// The repository whose tags were considered.
    package var repository: String?
    /// What the place says now.
    package var current: String?
    /// What it would say.
    package var chosen: String?
    /// What would have to change for another outcome.
    package var remedy: String?
    /// The tags that were considered, the chosen one first, then those that may be used, `tagLimit` at most.
    package var tags: [Tag] = []
    /// How many tags there are.
    package var tagCount = 0

    static let tagLimit = 1_000

    init(subject: String, state: State, reason: String) {
        self.subject = subject
        self.state = state
        self.reason = reason
    }

    /// - Parameter verdicts: of all tags of the repository.
    mutating func consider(_ verdicts: [Selection.Verdict]) {
        func rank(_ verdict: Selection.Verdict) -> Int {
            switch verdict.outcome {
            case .selected: 0
            case .eligible: 1
            case .refused: 2
            }
        }
        tagCount = verdicts.count
        let ordered = verdicts.sorted { (rank($0), $1.tag) < (rank($1), $0.tag) }
        tags = ordered.prefix(Self.tagLimit).map { Tag(tag: $0.tag, outcome: $0.outcome.rawValue, reason: $0.reason) }
    }
}
