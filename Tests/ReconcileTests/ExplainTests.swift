import Agent
import AgentFakes
import TestSupport
import Testing

/// Who decides about a place, which tags were considered, and what would have to change.
@Suite(.tags(.unit)) struct ExplainTests {
    private static let objects = """
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImageRepository
        metadata: {name: db, namespace: shop}
        spec: {image: acme/db}
        ---
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImagePolicy
        metadata: {name: db, namespace: shop}
        spec: {imageRepositoryRef: {name: db}, policy: {semver: {range: 1.x}}}

        """

    private static func world() async throws -> World {
        let world = try await World()
        for tag in ["1.0.0", "1.1.0", "1.2.0-rc1", "2.0.0", "main"] { world.registry.push("acme/web", tag) }
        for tag in ["1.0.0", "0.9.0"] { world.registry.push("acme/db", tag) }
        world.host.commit([
            "flux.yaml": objects,
            "deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0", policy: "semver:1.x"),
            "deploy/locked.yaml": World.deployment("locked", image: "acme/web:1.0.0")
                .replacing(
                    "fluxcd.io/automated: \"true\"",
                    with: "fluxcd.io/automated: \"true\"\n    fluxcd.io/locked: \"true\""),
            "deploy/db.yaml":
                "a: b\ndb: acme/db:1.0.0 # {\"$imagepolicy\": \"shop:db\"}\nx: y # {\"$imagepolicy\": \"shop:db:no\"}\n",
            "deploy/other.yaml":
                "kind: Pod\nmetadata: {name: other}\nspec: {containers: [{name: c, image: acme/other:1}]}\n",
            "deploy/gone.yaml": World.deployment("gone", image: "acme/gone:1.0.0", policy: "semver:(("),
        ])
        return world
    }

    private static func explain(_ text: String) async throws -> [Explanation] {
        try await Explainer(world().reconciler()).explain(ExplainQuery(text))
    }

    @Test(arguments: [
        "shop:deployment/web", "deployment/web", "shop:Deployment/web", "deploy/web.yaml:14", "./deploy/web.yaml:14",
    ])
    func `a workload that is followed`(_ text: String) async throws {
        let found = try await Self.explain(text)
        let one = try #require(found.first { $0.subject.hasPrefix("deploy/web.yaml:14 shop:deployment/web app") })
        #expect(found.count == 1)
        #expect(one.state == .update && one.current == "acme/web:1.0.0" && one.chosen == "acme/web:1.1.0")
        #expect(one.decidedBy == "the annotations of shop:deployment/web, deploy/web.yaml")
        #expect(one.policy == "semver:1.x" && one.reason == "the highest of 2 versions in '1.x'")
        #expect(
            one.tagCount == 5 && one.tags.map(\.outcome) == ["selected", "eligible", "refused", "refused", "refused"])
        #expect(one.tags.map(\.tag).prefix(2) == ["1.1.0", "1.0.0"])
        #expect(one.tags.contains { $0.tag == "1.2.0-rc1" && $0.reason.contains("pre-release") })
    }

    @Test func `an image, wherever it runs`() async throws {
        for text in ["acme/web", "docker.io/acme/web", "acme/web:9"] {
            let found = try await Self.explain(text)
            #expect(
                found.map(\.subject) == [
                    "deploy/locked.yaml:15 shop:deployment/locked", "deploy/web.yaml:14 shop:deployment/web app",
                ])
            #expect(found.first?.state == .paused && found.first?.reason == "not updated: locked")
            #expect(found.first?.remedy == "unlock it: 'slipway unlock -w shop:deployment/locked'")
        }
    }

    @Test func `a marker, with the object that decides`() async throws {
        for text in ["acme/db", "deploy/db.yaml:2"] {
            let one = try #require(try await Self.explain(text).first)
            #expect(one.state == .unchanged && one.subject.hasPrefix("deploy/db.yaml:2 "))
            #expect(one.decidedBy?.contains("the image policy shop:db at flux.yaml:6") == true, "\(one)")
            #expect(
                one.remedy?.contains("has to appear in docker.io/acme/db") == true
                    || one.remedy?.contains("acme/db") == true)
            #expect(one.tags.map(\.tag) == ["1.0.0", "0.9.0"])
        }
        let idle = try await Self.explain("deploy/db.yaml:3")
        #expect(idle.count == 1 && idle[0].reason.contains("':no' is no part of an image"))
        // A line on which nothing is: all of the file.
        #expect(try await Self.explain("deploy/db.yaml:1").count == 2)
    }

    @Test func `what nobody speaks of`() async throws {
        for text in ["default:pod/other", "pod/other", "acme/other", "deploy/other.yaml:3"] {
            let found = try await Self.explain(text)
            #expect(found.count == 1 && found[0].state == .left && found[0].decidedBy == nil, "\(found)")
            #expect(found.first?.remedy?.contains("slipway automate -w default:pod/other") == true)
        }
        #expect(try await Self.explain("pod/nowhere").isEmpty)
        #expect(try await Self.explain("shop:pod/other").isEmpty)
    }

    @Test func `what is wrong fails with its own words`() async throws {
        let found = try await Self.explain("shop:deployment/gone")
        #expect(found.count == 1 && found[0].state == .failed)
        #expect(found.first?.reason.contains("range") == true, "\(found)")
    }

    @Test(arguments: ["", "A B", "x:y:z", "/", "a//b"])
    func `what is no question is refused`(_ text: String) {
        #expect(throws: AgentError.self) { try ExplainQuery(text) }
    }
}
