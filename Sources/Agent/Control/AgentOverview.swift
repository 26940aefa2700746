/// How the agent is doing: what `/api/v1/status` tells. Times are seconds since 1970.
package struct AgentOverview: Codable, Sendable {
    /// A build that runs or waits for its turn.
    package struct Build: Codable, Sendable, Equatable {
        package enum State: String, Codable, Sendable { case waiting, running }

        package var repository: String
        package var pipeline: String
        package var state: State
        /// Since when it is in this state.
        package var since: Int64
        /// Its name in history, where that is kept.
        package var build: String?

        package init(repository: String, pipeline: String, state: State, since: Int64) {
            self.repository = repository
            self.pipeline = pipeline
            self.state = state
            self.since = since
        }

        init(_ build: QueuedBuild, id: BuildID?) {
            self.init(
                repository: build.pipeline.repository, pipeline: build.pipeline.pipeline,
                state: build.state == .running ? .running : .waiting, since: build.since)
            self.build = id?.description
        }
    }

    /// Of Slipway.
    package var version: String
    /// In the order of their names.
    package var repositories: [RepositoryStatus]
    /// What is built, the oldest first, and then what waits, in the order in which it will start.
    package var queue: [Build]
    /// What failed and is not built before its content changes, or its time has come.
    package var failures: [FailureRecord]
    /// Since when the process watches.
    package var startedAt: Int64?
    /// How RUN steps are isolated: `namespaces`, `chroot` or `in-place`.
    package var isolation: String?

    /// What of it is about one repository.
    ///
    /// - Throws: when the agent watches none of this name.
    package func only(_ repository: String) throws(ControlError) -> AgentOverview {
        var overview = self
        overview.repositories = [try status(of: repository)]
        overview.queue.removeAll { $0.repository != repository }
        overview.failures.removeAll { $0.key.repository != repository }
        return overview
    }

    /// How one repository is doing.
    ///
    /// - Throws: when the agent watches none of this name.
    package func status(of repository: String) throws(ControlError) -> RepositoryStatus {
        if let status = repositories.first(where: { $0.repository == repository }) { return status }
        throw ControlError.unknown(repository, among: repositories.map(\.repository))
    }

    /// A repository is building as long as one of its builds is in the queue, whoever asked for it. One that is paused shows that, and no
    /// failure of before: nothing is tried.
    package init(
        version: String = Version.text, repositories: [RepositoryStatus], queue: [Build], failures: [FailureRecord]
    ) {
        self.version = version
        self.queue = queue
        self.failures = failures
        self.repositories = repositories.map { status in
            let since = queue.filter { $0.repository == status.repository }.map(\.since).min()
            var status = status
            if let since, status.paused != nil || status.state == .starting || status.state == .ok {
                status.change(to: .building, at: since)
            } else if let pause = status.paused {
                status.change(to: .paused, at: pause.since)
            }
            return status
        }
    }
}
