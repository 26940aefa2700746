import Agent
import AgentFakes
import Git
import TestSupport
import Testing

/// No path leads from a head that was not accepted to a commit.
@Suite(.tags(.unit)) struct TrustTests {
    private static func world(signed: Bool) async throws -> World {
        let world = try await World()
        world.git.verification.mode = .head
        world.git.verification.trust.allowedSignersFile = "/etc/slipway/allowed_signers"
        world.git.commit.signing = SigningKey(format: .ssh, keyFile: "/etc/slipway/key")
        world.registry.push("acme/web", "1.1.0")
        world.host.commit(
            ["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")], signed: signed)
        return world
    }

    /// Every way in which the agent or a command reads or writes the branch.
    enum Path: String, CaseIterable, Sendable {
        case cycle, plan, automate, lock, release, policy, workloads

        func run(_ world: World) async throws {
            switch self {
            case .cycle, .plan:
                let report = await world.cycle(self == .plan ? .plan : .complete)
                if let failure = report.failures.first { throw AgentError(failure.message) }
            case .automate:
                _ = try await world.edit { path, bytes, _ in World.policies(["automated": "true"], path, bytes) }
            case .lock: _ = try await world.lock("web")
            case .policy:
                _ = try await world.edit { path, bytes, _ in World.policies(["tag.app": "semver:~1"], path, bytes) }
            case .release: _ = try await world.release("web", "acme/web:1.1.0")
            case .workloads:
                let editor = world.editor()
                _ = try await editor.containers(at: try await editor.fetch()) { _ in }
            }
        }
    }

    @Test(arguments: Path.allCases)
    func `a head that is not signed is neither read nor committed on`(path: Path) async throws {
        let world = try await Self.world(signed: false)
        let error = await #expect(throws: AgentError.self) { try await path.run(world) }
        #expect(error.map { "\($0)".contains("not accepted") } == true)
        #expect(world.host.messages().count == 1)
    }

    @Test(arguments: Path.allCases)
    func `on a signed head every path works, and its commits are signed`(path: Path) async throws {
        let world = try await Self.world(signed: true)
        try await path.run(world)
        // The next cycle accepts what was committed.
        let next = await world.cycle()
        #expect(next.failures.isEmpty)
    }

    @Test func `an unsigned commit that is pushed in the middle of a race is not built on`() async throws {
        let world = try await Self.world(signed: true)
        world.host.beforeNextPush { [host = world.host] in host.commit(["README": "evil"], signed: false) }
        let report = await world.cycle()
        #expect(report.failures.map(\.phase) == [.sync])
        #expect(world.host.messages().count == 2)
        #expect(world.image(of: "web") == "acme/web:1.0.0")
    }

    @Test func `a commit of ours that the rule would not accept is not pushed`() async throws {
        let world = try await Self.world(signed: true)
        world.git.commit.signing = nil
        let report = await world.cycle()
        #expect(report.failures.map(\.phase) == [.commit])
        #expect(world.host.messages().count == 1)
    }
}
