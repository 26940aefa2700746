import OCI
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
        /// A person switched it off: a lock, a suspended object.
        case paused
        /// Nothing asks for updates, or something stands against them.
        case left
        case failed
    }

    package struct Tag: Codable, Sendable, Equatable {
        package var tag: String
        /// `selected`, `eligible` or `refused`.
        package var outcome: String
        package var reason: String
        /// When its image was made, in seconds since 1970, and its digest, where a scan has read them.
        package var created: Int64?
        package var digest: String?
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
    /// How many tags have which outcome.
    package var outcomes: [String: Int]?
    /// Another policy that was tried: the tags' verdicts are its.
    package var trial: Trial?

    package struct Trial: Codable, Sendable, Equatable {
        package var policy: String
        package var current: String?
        /// What it would choose, and why.
        package var chosen: String?
        package var reason: String
    }

    package static let tagLimit = 1_000

    init(subject: String, state: State, reason: String) {
        self.subject = subject
        self.state = state
        self.reason = reason
    }

    /// - Parameters:
    ///   - considered: all tags of the repository, and what was said of them.
    ///   - limit: of those that are told.
    mutating func consider(_ considered: ImageAnswerer.Considered, limit: Int) {
        let verdicts = considered.selection.verdicts
        func rank(_ verdict: Selection.Verdict) -> Int {
            switch verdict.outcome {
            case .selected: 0
            case .eligible: 1
            case .refused: 2
            }
        }
        tagCount = verdicts.count
        outcomes = Dictionary(grouping: verdicts, by: \.outcome.rawValue).mapValues(\.count)
        guard limit > 0 else { return }
        let ordered = verdicts.sorted { (rank($0), $1.tag) < (rank($1), $0.tag) }.prefix(limit)
        let shown = Set(ordered.map(\.tag))
        var known: [String: TagCandidate] = [:]
        for candidate in considered.candidates where shown.contains(candidate.tag) { known[candidate.tag] = candidate }
        tags = ordered.map { verdict in
            Tag(
                tag: verdict.tag, outcome: verdict.outcome.rawValue, reason: verdict.reason,
                created: known[verdict.tag]?.created, digest: known[verdict.tag]?.digest?.description)
        }
    }
}
