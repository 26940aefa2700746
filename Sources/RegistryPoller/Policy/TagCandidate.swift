package import OCI

/// A tag that a policy may choose.
package struct TagCandidate: Hashable, Sendable {
    package var tag: String
    /// Seconds since 1970, from the image's configuration; `nil` when it says none.
    package var created: Int64?
    package var digest: Digest?
    /// Its place in an order that is known to be right, such as that of the commits; higher is newer. It is used instead
    /// of the time when all candidates that are compared have it.
    package var rank: Int?
    /// Why the image cannot be used, whatever its tag is.
    package var problem: String?

    package init(tag: String, created: Int64? = nil, digest: Digest? = nil, rank: Int? = nil, problem: String? = nil) {
        self.tag = tag
        self.created = created
        self.digest = digest
        self.rank = rank
        self.problem = problem
    }
}

/// What a policy chose, and why.
package struct Selection: Sendable, Hashable {
    /// The chosen tag; `nil` when none may be used.
    package var tag: String?
    /// What the tag is ("the newest of 4 images that match 'glob:v*'"), or why there is none.
    package var reason: String
    /// What was found of each tag, in the order in which they were given. Empty when nobody asked.
    package var verdicts: [Verdict]

    package init(tag: String?, reason: String, verdicts: [Verdict] = []) {
        self.tag = tag
        self.reason = reason
        self.verdicts = verdicts
    }

    package struct Verdict: Sendable, Hashable {
        package enum Outcome: String, Sendable, Hashable {
            case selected
            /// It may be used, but another one is better.
            case eligible
            case refused
        }

        package var tag: String
        package var outcome: Outcome
        package var reason: String

        package init(tag: String, outcome: Outcome, reason: String) {
            self.tag = tag
            self.outcome = outcome
            self.reason = reason
        }
    }
}
