import AgentFakes
import Git
import OCI
import Template
import TestSupport

@testable import Agent

/// A repository, its host, a registry and a builder in memory, and the agent's cycles over them.
final class World {
    let host: FakeGitHost
    let registry: FakeRegistry
    let builder: FakeBuilder
    let forge = InMemoryForge()
    /// Tells a host of builds.
    var statuses: CommitStatusReporter?
    /// The cluster that manifests are applied to.
    var apply: Result<ApplyServices, AgentError>?
    /// Whether images may get names.
    var permit = WritePermit.always
    /// The cluster whose Jobs build; `nil`: the builder does.
    var jobs: BuildCluster?
    let dispatcher = BuildDispatcher()
    let clock = FakeClock(isEager: true)
    var repository = AgentConfiguration.RepositoryConfiguration(
        name: "shop", url: "https://git.example.com/acme/shop.git", branch: "main")
    var git = AgentConfiguration.GitConfiguration()

    let queue: BuildQueue
    let failures: FailureMemory
    private let disk: TemporaryDirectory

    /// - Parameters:
    ///   - host: where another agent's repository is too.
    ///   - registry: where another agent pushes too.
    ///   - agent: what tells the images of this agent from those of others.
    init(
        host: FakeGitHost = FakeGitHost(), registry: FakeRegistry = FakeRegistry(), agent: String = "agent"
    ) async throws {
        self.host = host
        self.registry = registry
        builder = FakeBuilder(registry, name: agent)
        disk = try TemporaryDirectory("world")
        queue = BuildQueue(concurrency: 8, clock: clock)
        failures = await FailureMemory(directory: disk.path, random: { 0 })
    }

    func services() -> RepositoryServices {
        var services = RepositoryServices(
            git: GitServices(
                remote: FakeGitRemote(host), settings: git, forge: git.pullRequest == nil ? nil : forge,
                statuses: statuses, clock: clock),
            builds: BuildServices(
                builder: jobs?.builder(of: repository, besides: builder) ?? builder, queue: queue,
                dispatcher: dispatcher, failures: failures, permit: permit),
            tags: registry)
        services.apply = apply
        return services
    }

    /// One cycle of an agent that was just started on an empty disk.
    func cycle(_ mode: CycleMode = .complete) async -> CycleReport {
        await reconciler().cycle(mode) { _ in }
    }

    /// An agent that was just started on an empty disk.
    func reconciler() -> Reconciler { Reconciler(repository: repository, services: services()) }

    func editor() -> RepositoryEditor { RepositoryEditor(repository, git: services().git) }

    /// A workload that follows an image by a policy.
    static func deployment(_ name: String, image: String, policy: String = "semver:*") -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: \(name)
          namespace: shop
          annotations:
            fluxcd.io/automated: "true"
            fluxcd.io/tag.app: \(policy)
        spec:
          template:
            spec:
              containers:
                - name: app
                  image: \(image)   # followed

        """
    }

    /// A pipeline in `.slipway.yaml`.
    static func builds(_ entries: (name: String, tags: String)...) -> String {
        "builds:\n"
            + entries.map { entry in
                """
                  - name: \(entry.name)
                    context: \(entry.name)
                    destinations: [registry.example.com/acme/\(entry.name)]
                    tags: ["\(entry.tags)"]

                """
            }.joined()
    }

    /// The image that a manifest names.
    func image(of name: String, on branch: String = "main") -> String? {
        host.text("deploy/\(name).yaml", on: branch)?.split(separator: "\n").first { $0.contains("image:") }
            .map { line in
                line.split(separator: "image: ")[1].split(separator: " ").first.map(String.init) ?? ""
            }
    }

    func person(sets name: String, to image: String, policy: String = "semver:*") {
        host.commit(["deploy/\(name).yaml": Self.deployment(name, image: image, policy: policy)])
    }
}

extension CycleReport {
    func reason(_ part: String) -> String? { decisions.first { $0.subject.contains(part) }?.reason }
}
