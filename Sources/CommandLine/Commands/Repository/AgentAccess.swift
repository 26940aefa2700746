import Agent
import ArgumentParser
import RegistryPoller

extension RepositoryOptions {
    /// What is said when an agent does the work: its own configuration counts, and flags beside it do not.
    func note(about agent: AgentClient) -> String {
        let flags = ownFlags
        return "The agent \(agent.place) does it, by its own configuration"
            + (flags.isEmpty ? "" : "; this has no effect: \(flags.joined(separator: ", "))")
    }

    /// The flags that are given and say how a process works that works by itself.
    private var ownFlags: [String] {
        let all: [(String, Bool)] = [
            ("--repo-alias", !aliases.isEmpty), ("--build-context", !contexts.isEmpty),
            ("--isolation", isolation != nil),
        ]
        return all.filter(\.1).map(\.0) + registries.givenFlags + git.givenFlags
    }
}

extension RegistryOptions {
    var givenFlags: [String] {
        let all: [(String, Bool)] = [
            ("--registry-map", !maps.isEmpty), ("--insecure-registry", !insecure.isEmpty),
            ("--skip-tls-verify-registry", !skipVerify.isEmpty), ("--registry-certificate", !certificates.isEmpty),
            ("--registry-mirror", !mirrors.isEmpty), ("--skip-default-registry-fallback", skipsFallback),
            ("--registry-client-cert", !clientCertificates.isEmpty), ("--registry-proxy", !proxies.isEmpty),
            ("--docker-config", dockerConfig != nil),
        ]
        return all.filter(\.1).map(\.0)
    }
}

extension GitOptions {
    var givenFlags: [String] {
        let all: [(String, Bool)] = [
            ("--ssh-key", sshKey != nil), ("--known-hosts", knownHosts != nil), ("--git-ca-file", caFile != nil),
            ("--git-user", authorName != nil), ("--git-email", authorEmail != nil),
            ("--git-commit-message", message != nil), ("--git-commit-per", grouping != nil),
            ("--git-push-branch", pushBranch != nil), ("--git-ci-skip", ciSkip),
            ("--git-ci-skip-message", ciSkipMessage != nil), ("--git-notes-ref", notes != nil),
            ("--git-signing-key", signingKey != nil), ("--git-signing-format", signingFormat != nil),
            ("--git-signing-passphrase-file", signingPassphrase != nil),
            ("--git-verify-signatures-mode", verification != nil), ("--git-allowed-signers", allowedSigners != nil),
            ("--git-keyring", keyring != nil),
        ]
        return all.filter(\.1).map(\.0)
    }
}

extension RepositoryOptions {
    /// The repositories that are meant of an agent at an address: the one that is named, or all.
    func names(of agent: AgentClient) throws -> [String] {
        guard config == nil, repo == nil, stateDirectory == nil else {
            throw ValidationError("--server and --config, --repo or --state-dir exclude each other")
        }
        guard ownFlags.isEmpty else {
            throw ValidationError(
                "the agent works by its own configuration; leave out \(ownFlags.joined(separator: ", "))")
        }
        return name.map { [$0] } ?? agent.watched.map(\.name)
    }
}

/// The workloads of one repository, by way of the agent that watches it, or by this process.
enum WorkloadAccess: Sendable {
    case agent(AgentClient, name: String)
    case own(RepositoryWorkloads)

    /// - Throws: when there is not exactly one repository, or its mirror cannot be opened.
    static func open(
        _ options: RepositoryOptions, server: ServerOptions, on console: Console
    ) async throws -> WorkloadAccess {
        if let agent = try await server.connect() {
            let names = try options.names(of: agent)
            guard names.count == 1 else {
                throw AgentError("the agent watches \(names.count) repositories", hint: "say which one by --name")
            }
            return .agent(agent, name: names[0])
        }
        let configuration = try options.resolved()
        guard configuration.repositories.count == 1, let repository = configuration.repositories.first else {
            throw AgentError(
                "the configuration has \(configuration.repositories.count) repositories",
                hint: "say which one by --name")
        }
        let agent = try await AgentClient.connect(configuration.stateDirectory)
        if let agent, let name = agent.name(of: repository, isNamed: options.config != nil) {
            console.progress(options.note(about: agent))
            return .agent(agent, name: name)
        }
        let mirrors = MirrorShelf(stateDirectory: configuration.stateDirectory, copiesLocked: agent != nil)
        let git = try await mirrors.services(for: repository, repository.git ?? configuration.git)
        return .own(
            RepositoryWorkloads(
                editor: RepositoryEditor(repository, git: git),
                poller: RegistryPoller(registry: Fleet.registry(configuration)), keeping: mirrors))
    }

    /// Carries out an edit. What a person should know beside the answer is told.
    func edit(_ request: EditRequest, _ console: Console) async throws(ControlError) -> EditAnswer {
        switch self {
        case .agent(let agent, let name):
            var request = request
            request.repository = name
            let answer = try await agent.edit(request)
            for note in answer.notes { console.alert(note) }
            return answer
        case .own(let workloads): return try await workloads.edit(request, alert: console.alert)
        }
    }

    func list(_ console: Console) async throws(ControlError) -> [WorkloadListing.Workload] {
        switch self {
        case .agent(let agent, let name):
            let listing = try await agent.workloads(of: name)
            for note in listing.notes { console.alert(note) }
            return listing.workloads
        case .own(let workloads): return try await workloads.list(alert: console.alert)
        }
    }

    func images(_ filter: WorkloadFilter, _ console: Console) async throws(ControlError) -> [ImageListing.Workload] {
        switch self {
        case .agent(let agent, let name):
            let listing = try await agent.images(of: name, filter)
            for note in listing.notes { console.alert(note) }
            return listing.workloads
        case .own(let workloads): return try await workloads.images(filter, alert: console.alert)
        }
    }
}
