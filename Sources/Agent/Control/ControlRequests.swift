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

/// Why a repository is paused: the body of `POST repositories/NAME/pause`, which may be empty.
package struct PauseRequest: Codable, Sendable, Equatable {
    /// Who asks, and why, for those who see it.
    package var user: String?
    package var message: String?

    package init(user: String? = nil, message: String? = nil) {
        self.user = user
        self.message = message
    }
}

package struct PauseAnswer: Codable, Sendable, Equatable {
    /// `nil`: it is not paused.
    package let paused: RepositoryPause?
    /// Whether it was paused before.
    package let wasPaused: Bool

    package init(paused: RepositoryPause?, wasPaused: Bool) {
        self.paused = paused
        self.wasPaused = wasPaused
    }
}

package struct StopAnswer: Codable, Sendable, Equatable {
    package let repository: String
    package let pipeline: String

    package init(repository: String, pipeline: String) {
        self.repository = repository
        self.pipeline = pipeline
    }
}

/// Releases an image to workloads: the body of `POST release`.
package struct ReleaseRequest: Codable, Sendable, Equatable {
    package let repository: String
    /// `NAMESPACE:KIND/NAME`; none: all.
    package var workloads: [String]?
    package var excluded: [String]?
    /// With its tag; without it, the best image that each container's filter allows.
    package var image: String?
    package var force: Bool?
    package var dryRun: Bool?
    /// Who asks, and why, for the commit.
    package var user: String?
    package var message: String?

    package init(repository: String) { self.repository = repository }

    package var edit: EditRequest {
        EditRequest(
            repository: repository,
            release: ReleaseOrder(
                workloads: workloads ?? [], excluded: excluded ?? [], image: image, latest: image == nil,
                force: force ?? false),
            dryRun: dryRun ?? false, user: user, message: message)
    }
}
