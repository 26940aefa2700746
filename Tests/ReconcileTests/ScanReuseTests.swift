import Agent
import AgentFakes
import OCI
import RegistryPoller
import Synchronization
import TestSupport
import Testing

/// Which cycles may live on what another one saw of a registry.
@Suite(.tags(.unit)) struct ScanReuseTests {
    /// A registry that notes how old an answer may be.
    private final class Registry: TagSource {
        let registry: FakeRegistry
        private let ages = Mutex<Set<Int64>>([])

        init(_ registry: FakeRegistry) { self.registry = registry }

        var asked: Set<Int64> { ages.withLock { $0 } }

        func scan(
            _ location: RepositoryLocation, _ scope: ScanScope, reuse: Int64
        ) async throws(PollError) -> TagInventory {
            ages.withLock { _ = $0.insert(reuse) }
            return try await registry.scan(location, scope, reuse: reuse)
        }

        func look(
            at tag: String, in location: RepositoryLocation, platforms: [Platform]
        ) async throws(PollError) -> TagRecord {
            try await registry.look(at: tag, in: location, platforms: platforms)
        }

        func expire(_ tag: String?, in location: RepositoryLocation) async {
            await registry.expire(tag, in: location)
        }
    }

    @Test(arguments: [(CycleMode.background, 30 as Int64), (.complete, 0), (.plan, 0)])
    func `a cycle that somebody asks for sees the registry as it is`(_ mode: CycleMode, _ age: Int64) async throws {
        let world = try await World()
        world.registry.push("acme/web", "1.0.0")
        world.host.commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        let registry = Registry(world.registry)
        let services = world.services()
        let shared = RepositoryServices(git: services.git, builds: services.builds, tags: registry, reuse: 30)
        let report = await Reconciler(repository: world.repository, services: shared).cycle(mode) { _ in }
        #expect(report.failures.isEmpty)
        #expect(registry.asked == [age])
    }
}
