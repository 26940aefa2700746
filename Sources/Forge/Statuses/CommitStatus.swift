import Text

/// What a host shows beside a commit: how something that was made of it is doing.
package struct CommitStatus: Sendable, Hashable {
    package enum State: String, Sendable, CaseIterable {
        /// It waits for its turn.
        case pending
        case running
        case success
        /// What the commit holds is the reason.
        case failure
        /// The agent, or something that it needs, is the reason.
        case error
        case cancelled
    }

    package var state: State
    /// Which of several: `slipway/web`. Statuses of one name and commit replace each other.
    package var name: String
    /// One line.
    package var description: String
    /// Where people see more.
    package var link: String?
    /// More, for hosts that have place for it.
    package var details: StatusDetails?

    package init(
        state: State, name: String, description: String, link: String? = nil, details: StatusDetails? = nil
    ) {
        self.state = state
        self.name = name
        self.description = description
        self.link = link
        self.details = details
    }

    /// A text with no more characters than a host takes. Hosts count scalars; a cut falls between what are characters to people.
    static func cut(_ text: String, to limit: Int) -> String {
        let line = printable(text, limit: 4_000)
        guard line.unicodeScalars.count > limit else { return line }
        var result = ""
        var left = limit - 1
        for character in line {
            left -= character.unicodeScalars.count
            guard left >= 0 else { break }
            result.append(character)
        }
        return result + "…"
    }
}

/// Where statuses are shown, the same for each kind of host.
package protocol CommitStatusHost: Sendable {
    /// Sets the status of its name.
    ///
    /// - Parameters:
    ///   - commit: whole, in hexadecimal digits.
    ///   - branch: that the commit is on, without `refs/heads/`.
    func set(_ status: CommitStatus, of commit: String, on branch: String) async throws(ForgeError)
}
