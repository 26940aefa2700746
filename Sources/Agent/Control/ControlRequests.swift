/// Asks for cycles: the body of `POST sync` and `POST plan`.
package struct CycleRequest: Codable, Sendable, Equatable {
    /// Entries of the agent's configuration, by their names; none: all.
    package let repositories: [String]

    package init(repositories: [String]) { self.repositories = repositories }
}

/// One line of the answer to it. A stream of these has lines of progress, and at its end reports or an error.
package struct CycleEvent: Codable, Sendable {
    package var line: String?
    package var reports: [CycleReport]?
    package var error: ControlError?

    package init(line: String) { self.line = line }
    package init(reports: [CycleReport]) { self.reports = reports }
    package init(error: ControlError) { self.error = error }
}

/// Asks for another attempt at what failed: the body of `POST retry`.
package struct RetryRequest: Codable, Sendable, Equatable {
    package let repository: String
    /// `nil`: all of the repository's.
    package let pipeline: String?

    package init(repository: String, pipeline: String? = nil) {
        self.repository = repository
        self.pipeline = pipeline
    }
}

package struct RetryAnswer: Codable, Sendable, Equatable {
    /// Whether a failure was remembered.
    package let hadFailed: Bool

    package init(hadFailed: Bool) { self.hadFailed = hadFailed }
}
