import Agent
import AgentFakes
import TestSupport
import Testing

/// What a person takes back stays taken back, until something newer appears or the person lets go.
@Suite(.tags(.unit)) struct HoldTests {
    private static func world(_ tags: String...) async throws -> World {
        let world = try await World()
        for tag in tags { world.registry.push("acme/web", tag) }
        world.host.commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        return world
    }

    @Test func `a revert of the agent's commit holds, with the reason, until something newer appears`() async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.1.0")
        world.host.revertHead()
        for _ in 1...2 {
            let report = await world.cycle()
            #expect(world.image(of: "web") == "acme/web:1.0.0")
            #expect(report.reason("deploy/web.yaml")?.hasPrefix("held: a person took back acme/web:1.1.0") == true)
        }
        world.registry.push("acme/web", "1.0.9")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.0.0")
        world.registry.push("acme/web", "1.1.1")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.1.1")
    }

    @Test(arguments: ["1.0.5", "1.2.0-rc.1", "0.9.0"])
    func `another value of a person's holds`(tag: String) async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        _ = await world.cycle()
        world.person(sets: "web", to: "acme/web:\(tag)")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:\(tag)")
        world.registry.push("acme/web", "1.3.0")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.3.0")
    }

    @Test func `what was taken back does not come again when the newer image goes away`() async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        _ = await world.cycle()
        world.host.revertHead()
        world.registry.push("acme/web", "1.2.0")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.2.0")
        world.registry.delete("acme/web", "1.2.0")
        world.host.revertHead()
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.0.0")
    }

    @Test func `an image that was taken back and deleted still holds what is older`() async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        _ = await world.cycle()
        world.host.revertHead()
        world.registry.delete("acme/web", "1.1.0")
        world.registry.push("acme/web", "1.0.1")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.0.0")
    }

    @Test func `a release lets go`() async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        _ = await world.cycle()
        world.host.revertHead()
        _ = await world.cycle()
        _ = try await world.release("web", "acme/web:1.1.0")
        let report = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.1.0")
        #expect(report.reason("deploy/web.yaml")?.hasPrefix("nothing to update") == true)
        world.registry.push("acme/web", "1.2.0")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.2.0")
    }

    @Test func `a release of an older image is a person's word`() async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        _ = await world.cycle()
        _ = try await world.release("web", "acme/web:1.0.0")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.0.0")
    }

    @Test func `a value that the agent never wrote holds nothing`() async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        world.person(sets: "web", to: "acme/web:0.5.0")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.1.0")
    }

    @Test func `a revert of the revert lets go`() async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        _ = await world.cycle()
        world.host.revertHead()
        world.host.revertHead()
        #expect(world.image(of: "web") == "acme/web:1.1.0")
        world.registry.push("acme/web", "1.2.0")
        _ = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.2.0")
    }

    @Test func `a workload that moves to another file takes its past along`() async throws {
        let world = try await Self.world("1.0.0", "1.1.0")
        _ = await world.cycle()
        world.host.commit([
            "deploy/web.yaml": nil, "apps/web.yaml": World.deployment("web", image: "acme/web:1.0.0"),
        ])
        _ = await world.cycle()
        #expect(world.host.text("apps/web.yaml")?.contains("acme/web:1.0.0 ") == true)
    }

    @Test func `images of the agent's own are held by the order of their commits`() async throws {
        let world = try await World()
        world.host.commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment("web", image: "registry.example.com/acme/web:v0", policy: "glob:v*"),
        ])
        _ = await world.cycle()
        world.host.revertHead()
        _ = await world.cycle()
        #expect(world.image(of: "web") == "registry.example.com/acme/web:v0")
        world.host.commit(["web/fix.c": "int x;"])
        _ = await world.cycle()
        #expect(world.image(of: "web") == "registry.example.com/acme/web:v2")
    }

    /// No sequence of human commits is ever overwritten by a value that a person took back.
    @Test(arguments: 0..<60)
    func `nobody's word is undone`(seed: UInt64) async throws {
        var random = SplitMix(state: seed)
        let world = try await Self.world("1.0.0", "1.1.0")
        var minor = 1
        /// Values of the agent's that a person replaced, and did not ask for again since.
        var takenBack: Set<String> = []
        var written: String?
        for _ in 0..<30 {
            let before = world.image(of: "web")
            switch random.next() % 6 {
            case 0:
                minor += 1
                world.registry.push("acme/web", "1.\(minor).0")
            case 1:
                let tag = "1.\(Int(random.next() % UInt64(minor + 1))).\(random.next() % 2)"
                world.person(sets: "web", to: "acme/web:\(tag)")
            case 2: if world.host.messages().count > 1 { world.host.revertHead() }
            case 3:
                let tag = "1.\(Int(random.next() % UInt64(minor + 1))).0"
                _ = try await world.release("web", "acme/web:\(tag)")
                if let image = world.image(of: "web") {
                    takenBack.remove(image)
                    if let before, before == written, before != image { takenBack.insert(before) }
                    written = nil
                }
                continue
            case 4:
                let tag = "1.\(Int(random.next() % UInt64(minor + 1))).0"
                world.registry.delete("acme/web", tag)
            default:
                _ = await world.cycle()
                let now = world.image(of: "web")
                if let now, now != before {
                    #expect(!takenBack.contains(now), "seed \(seed): \(now) came back")
                    written = now
                }
                continue
            }
            let now = world.image(of: "web")
            if now != before, let before, before == written { takenBack.insert(before) }
            // A person who sets a value again wants it.
            if now != before, let now { takenBack.remove(now) }
        }
    }
}
