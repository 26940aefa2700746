import Builder
import OCI
import RegistryPoller
package import YAML

/// Reads `agent.yaml`. Every error names file, line and column; an unknown key is refused with the nearest known one.
package enum ConfigurationFile {
    static let limit = 1 << 20

    /// The keys at the top, and those of a repository's entry.
    static let keys = [
        "stateDirectory", "interval", "listen", "api", "webhooks", "notifications", "isolation", "dockerConfig", "git",
        "registries",
        "builds",
        "history", "builder", "cluster",
        "log",
        "repositories",
        "name", "url", "branch", "aliases", "contexts", "allowed", "discover", "updates", "policies",
    ]

    package static func read(_ path: String) throws -> AgentConfiguration {
        try parse(try TextFile.read(path, limit: limit), file: path)
    }

    /// - Parameter ignored: paths of values that are passed over, to find what else is wrong.
    package static func parse(
        _ bytes: [UInt8], file: String, ignoring ignored: Set<String> = []
    ) throws(YAMLError) -> AgentConfiguration {
        var configuration = AgentConfiguration(stateDirectory: "/var/lib/slipway")
        guard let document = try YAMLValue.document(bytes, file: file, ignoring: ignored) else {
            throw YAMLError(
                code: .missingKey, summary: "the file is empty", location: nil, path: "", excerpt: nil,
                hint: "'repositories:' with a 'url' is the least; config/agent.yaml shows the rest")
        }
        try document.object { (object) throws(YAMLError) in
            if let value = object.optional("stateDirectory") {
                configuration.stateDirectory = try absolute(value)
            }
            if let value = object.optional("interval") { configuration.interval = try interval(value) }
            configuration.listen = try object.optional("listen")?.nonEmptyString()
            if let value = object.optional("tls") { configuration.tls = try tls(value) }
            if let value = object.optional("api") { configuration.api = try api(value) }
            if let value = object.optional("log") { configuration.log = try LogSettings.read(value) }
            if let value = object.optional("isolation") { configuration.isolation = try value.choice() }
            configuration.dockerConfig = try object.optional("dockerConfig")?.nonEmptyString()
            if let value = object.optional("git") { configuration.git = try GitReader.git(value) }
            if let value = object.optional("notifications") {
                configuration.notifications = try NotificationReader.notifications(
                    value, pages: configuration.git.status?.pages)
            }
            if let value = object.optional("registries") { configuration.registries = try value.list(registry) }
            if let value = object.optional("builds") { configuration.builds = try BuildsReader.builds(value) }
            if let value = object.optional("history") { configuration.history = try history(value) }
            if let value = object.optional("cluster") { configuration.cluster = try ApplyReader.cluster(value) }
            if let value = object.optional("leaderElection") {
                configuration.election = try ElectionReader.settings(value)
            }
            if let value = object.optional("builder") {
                configuration.builder = try value.choice()
                guard configuration.builder == .embedded || configuration.cluster.builds != nil else {
                    throw value.error(
                        "Jobs need 'cluster.builds'", hint: "set 'cluster.builds.image' to Slipway's own image")
                }
            }
            let webhooks = object.optional("webhooks")
            let repositories = try object.required("repositories")
            let git = configuration.git
            let gitValue = object.optional("git")
            configuration.repositories = try repositories.list { (item) throws(YAMLError) in
                let repository = try repository(item, git: git)
                if repository.git == nil, let gitValue { try checkCommits(of: repository, by: git, at: gitValue) }
                return repository
            }
            if configuration.repositories.isEmpty {
                throw repositories.error("there is no repository", hint: "add one with 'name', 'url' and 'branch'")
            }
            var names: Set<String> = []
            for (index, item) in try repositories.items().enumerated() {
                let name = configuration.repositories[index].name
                if !names.insert(name).inserted {
                    throw item.error("a second repository is called '\(name)'", hint: "give each its own 'name'")
                }
            }
            if let webhooks {
                configuration.webhooks = try WebhookReader.webhooks(
                    webhooks, among: configuration.repositories.map(\.name))
            }
        }
        return configuration
    }

    private static func absolute(_ value: YAMLValue) throws(YAMLError) -> String {
        let path = try value.nonEmptyString()
        guard path.hasPrefix("/") else { throw value.error("'\(path)' is not an absolute path") }
        return path
    }

    private static func tls(_ value: YAMLValue) throws(YAMLError) -> TLSSettings {
        try value.object { (object) throws(YAMLError) in
            TLSSettings(
                certFile: try object.required("certFile").nonEmptyString(),
                keyFile: try object.required("keyFile").nonEmptyString())
        }
    }

    private static func api(_ value: YAMLValue) throws(YAMLError) -> APISettings {
        try value.object { (object) throws(YAMLError) in
            var settings = APISettings()
            settings.tokenFile = try object.optional("tokenFile")?.nonEmptyString()
            settings.readTokenFile = try object.optional("readTokenFile")?.nonEmptyString()
            settings.hosts = try object.optional("hosts")?.stringOrStrings() ?? []
            return settings
        }
    }

    private static func history(_ value: YAMLValue) throws(YAMLError) -> HistoryStore.Limits {
        var limits = HistoryStore.Limits()
        try value.object { (object) throws(YAMLError) in
            if let value = object.optional("builds") { limits.builds = try value.integer(in: 1...100_000) }
            if let value = object.optional("maxSize") { limits.bytes = try BuildsReader.size(value) }
        }
        return limits
    }

    private static func interval(_ value: YAMLValue) throws(YAMLError) -> Duration {
        let duration = try value.duration()
        guard duration >= .seconds(1) else {
            throw value.error("an interval is at least one second", hint: "write 30s, 1m or more")
        }
        return duration
    }

    private static func registry(_ value: YAMLValue) throws(YAMLError) -> AgentConfiguration.RegistryEntry {
        try value.object { (object) throws(YAMLError) in
            var entry = AgentConfiguration.RegistryEntry(host: try object.required("host").nonEmptyString())
            entry.map = try object.optional("map")?.stringOrStrings() ?? []
            entry.insecure = try object.optional("insecure")?.bool() ?? false
            entry.skipTLSVerify = try object.optional("skipTLSVerify")?.bool() ?? false
            entry.caFile = try object.optional("caFile")?.nonEmptyString()
            entry.mirrors = try object.optional("mirrors")?.stringOrStrings() ?? []
            entry.fallback = try object.optional("fallback")?.bool() ?? true
            entry.clientCertificate = try object.optional("clientCert")?.nonEmptyString()
            entry.clientKey = try object.optional("clientKey")?.nonEmptyString()
            entry.proxy = try object.optional("proxy")?.string()
            entry.concurrency = try object.optional("concurrency")?.integer(in: 1...64)
            entry.requestsPerSecond = try object.optional("requestsPerSecond")?.integer(in: 1...1000)
            entry.uploadChunk = try object.optional("uploadChunkMiB")?.integer(in: 1...4096)
            return entry
        }
    }

    private static func repository(
        _ value: YAMLValue, git: AgentConfiguration.GitConfiguration
    ) throws(YAMLError) -> AgentConfiguration.RepositoryConfiguration {
        try value.object { (object) throws(YAMLError) in
            let url = try object.required("url").nonEmptyString()
            let name =
                try object.optional("name")?.nonEmptyString()
                ?? AgentConfiguration.RepositoryConfiguration.name(of: url)
            guard name.utf8.allSatisfy({ $0 != UInt8(ascii: "/") && $0 > 0x20 }) else {
                throw value.error("the name '\(name)' has a slash or a blank in it")
            }
            var repository = AgentConfiguration.RepositoryConfiguration(
                name: name, url: url, branch: try object.optional("branch")?.nonEmptyString() ?? "main")
            if let value = object.optional("interval") { repository.interval = try interval(value) }
            if let value = object.optional("git") { repository.git = try GitReader.git(value, over: git) }
            repository.aliases = try object.optional("aliases")?.strings() ?? []
            for (name, value) in try object.optional("contexts")?.entries() ?? [] {
                repository.contexts[name] = try OperatorScope.namedContext(value)
            }
            if let value = object.optional("allowed") { repository.allowed = try AllowedReader.allowed(value) }
            if let builds = object.optional("builds") {
                repository.builds = try PipelineReader<OperatorScope>.pipelines(in: builds)
            }
            try object.optional("discover")?.object { (discover) throws(YAMLError) in
                if let kaniko = discover.optional("kaniko") { repository.discoversKaniko = try kaniko.bool() }
            }
            try object.optional("updates")?.object { (updates) throws(YAMLError) in
                if let enabled = updates.optional("enabled") { repository.updatesManifests = try enabled.bool() }
                repository.updatePaths = try updates.optional("paths")?.strings() ?? []
            }
            if let git = repository.git, let value = object.optional("git") {
                try checkCommits(of: repository, by: git, at: value)
            }
            repository.apply = try object.optional("apply").map { (value) throws(YAMLError) in
                try ApplyReader.apply(value)
            }
            repository.policies = try object.optional("policies")?.list(policy) ?? []
            return repository
        }
    }

    /// Whether the agent could accept what it commits itself.
    private static func checkCommits(
        of repository: AgentConfiguration.RepositoryConfiguration, by git: AgentConfiguration.GitConfiguration,
        at value: YAMLValue
    ) throws(YAMLError) {
        guard repository.updatesManifests, let problem = GitReader.commitProblem(in: git) else { return }
        throw value.error(problem.summary, hint: problem.hint)
    }

    private static func policy(_ value: YAMLValue) throws(YAMLError) -> AgentConfiguration.PolicyOverride {
        try value.object { (object) throws(YAMLError) in
            let image = try object.required("image")
            return AgentConfiguration.PolicyOverride(
                image: try OperatorScope.repository(image), policy: try policyText(try object.required("policy")))
        }
    }

    /// A policy's text, checked.
    private static func policyText(_ value: YAMLValue) throws(YAMLError) -> String {
        let text = try value.nonEmptyString()
        do { _ = try ImagePolicy.parse(text) } catch { throw value.error(error.summary, hint: error.hint) }
        return text
    }
}
