import Blocking
import Diagnostics
package import Git

/// Looks a configuration file over before an agent is started with it: what it says, and what it names.
package struct ConfigurationCheck: Sendable {
    package struct Outcome: Sendable {
        /// What could be read of it; `nil` when nothing could.
        package let configuration: AgentConfiguration?
        /// In the order of their places.
        package let problems: [ConfigurationProblem]

        /// Whether the agent can work with it. Warnings do not count.
        package var isValid: Bool { configuration != nil && !problems.contains { $0.severity == .error } }
    }

    private let looksAtFiles: Bool
    private let library: SSHLibrary
    private let clock: any AgentClock

    /// - Parameter looksAtFiles: whether the files that are named are opened; without, what is said is checked alone.
    package init(
        looksAtFiles: Bool = true, library: SSHLibrary = .current, clock: any AgentClock = SystemClock()
    ) {
        self.looksAtFiles = looksAtFiles
        self.library = library
        self.clock = clock
    }

    /// - Throws: when the file itself cannot be read.
    package func check(_ path: String) async throws(AgentError) -> Outcome {
        let bytes = try TextFile.read(path, limit: ConfigurationFile.limit)
        return await runBlocking { check(bytes, file: path) }
    }

    private func check(_ bytes: [UInt8], file: String) -> Outcome {
        let reading = ConfigurationReading(bytes, file: file)
        var found: [ConfigurationProblem] = []
        if let configuration = reading.configuration {
            found = addresses(configuration, reading)
            if looksAtFiles { found += files(configuration, reading) + access(configuration, reading) }
        }
        let problems = reading.problems + found.map(reading.located)
        return Outcome(
            configuration: reading.configuration, problems: problems.sorted { Self.order($0) < Self.order($1) })
    }

    private static func order(_ problem: ConfigurationProblem) -> (Int, Int) {
        (problem.location?.line ?? 0, problem.location?.column ?? 0)
    }

    // MARK: Parts

    private func addresses(
        _ configuration: AgentConfiguration, _ reading: ConfigurationReading
    ) -> [ConfigurationProblem] {
        var check = AddressCheck()
        check.check(configuration)
        check.check(configuration.git, at: "git")
        for (key, registry) in zip(reading.items(of: "registries"), configuration.registries) {
            check.check(registry, at: key)
        }
        for (key, repository) in zip(reading.items(of: "repositories"), configuration.repositories) {
            check.check(repository, at: key)
            if let git = repository.git, git.proxy != configuration.git.proxy { check.check(git, at: "\(key).git") }
        }
        return check.problems
    }

    private func files(
        _ configuration: AgentConfiguration, _ reading: ConfigurationReading
    ) -> [ConfigurationProblem] {
        var check = FileCheck()
        // Without the key, --state-dir may say another one.
        if reading.places["stateDirectory"] != nil { check.check(stateDirectory: configuration.stateDirectory) }
        check.check(ConfiguredFiles.of(configuration) + ConfiguredFiles.of(configuration.git, at: "git"))
        for (key, registry) in zip(reading.items(of: "registries"), configuration.registries) {
            check.check(ConfiguredFiles.of(registry, at: key))
        }
        for (key, receiver) in zip(reading.items(of: "webhooks.receivers"), configuration.webhooks?.receivers ?? []) {
            check.check(receiver, at: key)
        }
        let channels = configuration.notifications?.channels ?? []
        for (key, channel) in zip(reading.items(of: "notifications.channels"), channels) {
            check.check(channel, at: key)
        }
        for (key, repository) in zip(reading.items(of: "repositories"), configuration.repositories) {
            check.check(repository, at: key)
            check.check(repository.contexts, at: key)
            for (build, pipeline) in zip(reading.items(of: "\(key).builds"), repository.builds) {
                check.check(pipeline.contexts.compactMapValues(\.configured), at: build)
            }
            // What it has from all repositories is told there.
            if let git = repository.git { check.check(ConfiguredFiles.of(git, at: "\(key).git")) }
        }
        return check.problems
    }

    /// What several keys must agree about, where all of them could be read.
    private func access(
        _ configuration: AgentConfiguration, _ reading: ConfigurationReading
    ) -> [ConfigurationProblem] {
        var ssh = SSHCheck(library: library)
        var signing = SigningCheck()
        var requests: [ConfigurationProblem] = []
        guard reading.isWhole("git") else { return [] }
        for (key, repository) in zip(reading.items(of: "repositories"), configuration.repositories)
        where reading.isWhole("\(key).git") {
            let git = repository.git ?? configuration.git
            let gitKey = repository.git == nil ? "git" : "\(key).git"
            ssh.check(repository, at: key, git: git, gitKey: gitKey)
            signing.check(git, at: gitKey, now: clock.now)
            requests += pullRequests(repository, git, gitKey) + statuses(repository, git, gitKey)
        }
        return ssh.problems + signing.problems + requests
    }

    private func statuses(
        _ repository: AgentConfiguration.RepositoryConfiguration, _ git: AgentConfiguration.GitConfiguration,
        _ key: String
    ) -> [ConfigurationProblem] {
        do throws(AgentError) {
            _ = try GitAccess.statuses(git, url: repository.url)
            return []
        } catch {
            // A token's file that cannot be read is told as such.
            guard error.place == nil || ![git.tokenFile, git.status?.tokenFile].contains(error.place) else { return [] }
            return [
                ConfigurationProblem(
                    .status, error.summary, key: "\(key).status", cause: error.cause, hint: error.hint)
            ]
        }
    }

    private func pullRequests(
        _ repository: AgentConfiguration.RepositoryConfiguration, _ git: AgentConfiguration.GitConfiguration,
        _ key: String
    ) -> [ConfigurationProblem] {
        do throws(AgentError) {
            _ = try GitAccess.forge(git, url: repository.url)
            return []
        } catch {
            // A token's file that cannot be read is told as such.
            guard error.place != git.tokenFile || git.tokenFile == nil else { return [] }
            guard error.place != git.pullRequest?.tokenFile || git.pullRequest?.tokenFile == nil else { return [] }
            return [
                ConfigurationProblem(
                    .pullRequest, error.summary, key: "\(key).pullRequest", cause: error.cause, hint: error.hint)
            ]
        }
    }
}
