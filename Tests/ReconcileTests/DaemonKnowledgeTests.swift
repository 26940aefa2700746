import AgentFakes
import Git
import OCI
import TestSupport
import Testing

@testable import Agent

/// What pages and the API tell of policies and images: what the last cycle knows, without asking git.
@Suite(.tags(.unit)) struct DaemonKnowledgeTests {
    private static func world() async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop", "other")
        for tag in ["1.0.0", "1.1.0", "2.0.0", "main"] { world.registry.push("acme/db", tag) }
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0", policy: "semver:1.x"),
        ])
        try await world.begin()
        try await world.until("the image is pushed") { try world.status("shop").lastImages.count == 1 }
        // A look that reads what the agent committed.
        try await world.nextLook()
        return world
    }

    @Test func `a place is explained by what the last cycle saw`() async throws {
        let world = try await Self.world()
        let fetches = world.host("shop").fetches
        let all = try await world.loop.explanations(of: "shop", nil, trying: nil)
        let place = try #require(all.first?.subject.split(separator: " ").first.map(String.init))
        // All of them, without what was considered.
        #expect(all.count == 1 && all[0].tags.isEmpty && all[0].tagCount == 4)
        #expect(all[0].outcomes == ["selected": 1, "eligible": 1, "refused": 2])
        let found = try await world.loop.explanations(of: "shop", place, trying: nil)
        let one = try #require(found.first)
        // The cycle has written the newest.
        #expect(one.state == .unchanged && one.current == "acme/db:1.1.0" && one.policy == "semver:1.x")
        #expect(one.tags.map(\.tag).prefix(2) == ["1.1.0", "1.0.0"])
        #expect(one.tags.first { $0.tag == "1.1.0" }?.created != nil || one.tags.allSatisfy { $0.created == nil })
        #expect(world.host("shop").fetches == fetches)
    }

    @Test(arguments: [
        ("semver:2.x", nil as String?, "2.0.0" as String?), ("semver:~1.0", "0.9.0", "1.0.0"), ("semver:3.x", nil, nil),
    ])
    func `another policy is tried on the same tags`(
        _ policy: String, _ current: String?, _ chosen: String?
    ) async throws {
        let world = try await Self.world()
        let trial = PolicyTrial(policy: policy, current: current)
        let one = try #require(try await world.loop.explanations(of: "shop", "deployment/db", trying: trial).first)
        #expect(one.trial?.policy == policy && one.trial?.chosen == chosen, "\(String(describing: one.trial))")
        #expect(one.tags.first { $0.outcome == "selected" }?.tag == chosen)
        // What decides stays what it is.
        #expect(one.policy == "semver:1.x")
    }

    @Test func `what is asked wrongly is said`() async throws {
        let world = try await Self.world()
        func code(_ repository: String, _ subject: String?, _ trial: PolicyTrial? = nil) async -> ControlError.Code? {
            do throws(ControlError) {
                _ = try await world.loop.explanations(of: repository, subject, trying: trial)
                return nil
            } catch { return error.code }
        }
        #expect(await code("nobody", nil) == .unknownRepository)
        #expect(await code("shop", "::") == .invalidRequest)
        #expect(await code("shop", "deployment/db", PolicyTrial(policy: "semver:((")) == .invalidRequest)
        #expect(try await world.loop.explanations(of: "shop", "deployment/nobody", trying: nil).isEmpty)
        #expect(try await world.loop.explanations(of: "shop", "deploy/none.yaml:7", trying: nil).isEmpty)
    }

    @Test func `an image is found by digest and by name, with the places that run it`() async throws {
        let world = try await Self.world()
        let pushed = try #require(try world.status("shop").lastImages.first)
        let name = try #require(pushed.references.first)
        world.host("other").commit(["deploy/web.yaml": World.deployment("web", image: name, policy: "glob:v*")])
        try await world.trigger("other")
        for (text, repository) in [(pushed.digest, nil), (pushed.digest, "shop"), (name, nil)] as [(String, String?)] {
            let image = try await world.loop.image(text, of: repository)
            #expect(image.digest == pushed.digest && image.repository == "shop" && image.pipeline == "web")
            #expect(image.build?.state == .succeeded && image.build?.digest == pushed.digest)
            #expect(image.places.map(\.repository) == ["other"], "\(image.places)")
            #expect(image.places.first?.file == "deploy/web.yaml" && image.places.first?.image == name)
        }
        let digest = "sha256:" + String(repeating: "0", count: 64)
        for (text, repository) in [(digest, nil), ("acme/nothing:1", nil), ("::", nil), (pushed.digest, "other")]
            as [(String, String?)]
        {
            let error = await #expect(throws: ControlError.self) { try await world.loop.image(text, of: repository) }
            #expect(error?.code == .notFound, "\(text)")
        }
    }
}
