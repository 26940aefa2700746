import Agent
import AgentFakes
import TestSupport
import Testing

/// Values that are not to be written: each alone, with its reason, in plan as in sync.
@Suite(.tags(.unit)) struct HeldValueTests {
    private static let policies = """
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImageRepository
        metadata: {name: web, namespace: shop}
        spec: {image: acme/web}
        ---
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImagePolicy
        metadata: {name: web, namespace: shop}
        spec: {imageRepositoryRef: {name: web}, policy: {semver: {range: 1.x}}}

        """

    private static let sealed = "sops:\n  mac: ENC[AES256_GCM,data:x,type:str]\n"

    @Test(arguments: [CycleMode.plan, .complete])
    func `a file of sops is held with its reason, and the others go on`(mode: CycleMode) async throws {
        let world = try await World()
        world.registry.push("acme/web", "1.1.0")
        let marked = "image: acme/web:1.0.0 # {\"$imagepolicy\": \"shop:web\"}\n" + Self.sealed
        let workload = World.deployment("web", image: "acme/web:1.0.0") + Self.sealed
        world.host.commit([
            "flux.yaml": Self.policies, "deploy/marked.yaml": marked, "deploy/sealed.yaml": workload,
            "deploy/db.yaml": World.deployment("db", image: "acme/web:1.0.0"),
        ])
        let report = await world.cycle(mode)
        #expect(report.failures.isEmpty)
        #expect(report.updates.map(\.file) == ["deploy/db.yaml"])
        for file in ["deploy/marked.yaml", "deploy/sealed.yaml"] {
            #expect(report.reason(file)?.contains("sops.mac") == true, "\(report.decisions)")
            #expect(report.decisions.count { $0.subject.hasPrefix(file) } == 1)
        }
        #expect(world.host.text("deploy/marked.yaml") == marked)
        #expect(world.host.text("deploy/sealed.yaml") == workload)
    }

    @Test(arguments: [CycleMode.plan, .complete])
    func `markers that want different values hold up their own value only`(mode: CycleMode) async throws {
        let world = try await World()
        world.registry.push("acme/web", "1.1.0")
        world.registry.push("acme/web", "2.0.0")
        let other = Self.policies.split(separator: "---\n").last.map(String.init)?
            .replacing("name: web, namespace", with: "name: wide, namespace").replacing("1.x", with: "'*'")
        let text = """
            kind: Deployment
            metadata: {name: web, namespace: shop, annotations: {fluxcd.io/automated: "true", fluxcd.io/tag.a: "semver:1.x", fluxcd.io/tag.b: "semver:2.x", fluxcd.io/tag.c: "semver:2.x"}}
            spec:
              template:
                spec:
                  containers:
                    - {name: a, image: &i "acme/web:1.0.0"}
                    - {name: b, image: *i}
                    - {name: c, image: "acme/web:1.0.0"}
            ---
            image: acme/web:1.0.0 # {"$imagepolicy": "shop:web"}

            """
        world.host.commit(["flux.yaml": Self.policies + "---\n" + (other ?? ""), "deploy/web.yaml": text])
        let report = await world.cycle(mode)
        #expect(report.failures.isEmpty)
        #expect(report.updates.map(\.new) == ["acme/web:2.0.0", "acme/web:1.1.0"], "\(report.decisions)")
        let refused = report.decisions.filter { $0.reason.contains("want different values") }
        #expect(
            Set(refused.map(\.subject)) == [
                "deploy/web.yaml:7 shop:deployment/web a", "deploy/web.yaml:7 shop:deployment/web b",
            ])
        guard mode == .complete else { return }
        #expect(
            world.host.text("deploy/web.yaml")
                == text.replacing("c, image: \"acme/web:1.0.0", with: "c, image: \"acme/web:2.0.0")
                .replacing("image: acme/web:1.0.0 #", with: "image: acme/web:1.1.0 #"))
    }

    @Test(arguments: [CycleMode.plan, .complete])
    func `markers that do nothing are told with their line`(mode: CycleMode) async throws {
        let world = try await World()
        world.registry.push("acme/web", "1.1.0")
        world.host.commit([
            "flux.yaml": Self.policies,
            "deploy/a.yaml": "image: acme/web:1.0.0 # see {\"$imagepolicy\": \"shop:web\"}\n",
            "deploy/b.yaml": "x: y\ntag: 1.0.0 # {\"$imagepolicy\": \"shop:web:tags\"}\n",
            "deploy/c.yaml": "x: |\n  tag: 1.0.0 # {\"$imagepolicy\": \"shop:web:tag\"}\n",
            "deploy/d.yaml": "tag: 1.0.0\n# {\"$imagepolicy\": \"shop:web:tag\"}\n",
            "deploy/e.yaml": "tag: ~ # {\"$imagepolicy\": \"shop:web:tag\"}\n",
        ])
        let report = await world.cycle(mode)
        for place in ["deploy/a.yaml:1:", "deploy/b.yaml:2:", "deploy/c.yaml:2:", "deploy/d.yaml:2:"] {
            let told = report.decisions.filter { $0.subject.hasPrefix(place) }
            #expect(told.count == 1 && told[0].reason.hasPrefix("the marker does nothing: "), "\(report.decisions)")
        }
        #expect(report.updates.map(\.file) == ["deploy/e.yaml"] && report.updates.first?.new == "1.1.0")
    }

    @Test func `a workload is told once, with what decides about it`() async throws {
        let world = try await World()
        world.registry.push("acme/web", "1.1.0")
        func pod(_ name: String, _ annotations: String, _ comment: String = "") -> String {
            """
            kind: Pod
            metadata: {name: \(name), annotations: {\(annotations)}}
            spec:
              containers:
                - name: a
                  image: acme/web:1.0.0\(comment)
                - name: b
                  image: acme/web:1.0.0\(comment)
            ---

            """
        }
        let marker = " # {\"$imagepolicy\": \"shop:web\"}"
        world.host.commit([
            "flux.yaml": Self.policies,
            "deploy/all.yaml": pod("marked", "", marker) + pod("both", "fluxcd.io/automated: \"true\"", marker)
                + pod("none", "x/y: z")
                + pod("off", "fluxcd.io/automated: \"false\"") + pod("filtered", "fluxcd.io/tag.a: \"1.*\"")
                + pod("locked", "fluxcd.io/automated: \"true\", fluxcd.io/locked: \"true\""),
        ])
        let report = await world.cycle()
        #expect(
            report.updates.map(\.workload) == Array(repeating: "default:pod/marked", count: 2)
                + Array(repeating: "default:pod/both", count: 2))
        func told(_ name: String) -> [String] {
            report.decisions.filter { $0.subject.contains("pod/\(name)") }.map(\.reason)
        }
        #expect(told("marked").isEmpty && told("both").isEmpty && told("none").isEmpty, "\(report.decisions)")
        #expect(told("off").count == 1 && told("off")[0].contains("the annotation's value is 'false'"))
        #expect(told("filtered").count == 1 && told("locked") == ["not updated: locked"])
        let again = await world.cycle()
        #expect(again.decisions.count { $0.subject.contains("pod/both") } == 2)
    }

    @Test func `an automated HelmRelease without an image is named`() async throws {
        let world = try await World()
        let release =
            "kind: HelmRelease\nmetadata: {name: web, annotations: {fluxcd.io/automated: \"true\"}}\nspec: {BODY}\n"
        world.host.commit([
            "a.yaml": release.replacing("BODY", with: "values: {replicas: 1}"),
            "b.yaml": release.replacing("BODY", with: "chart: {}"),
            "c.yaml": release.replacing("true", with: "false").replacing("BODY", with: "chart: {}"),
        ])
        let report = await world.cycle()
        #expect(report.reason("a.yaml")?.contains("there is no image under spec.values") == true)
        #expect(report.reason("b.yaml")?.contains("no spec.values") == true)
        #expect(report.reason("c.yaml") == nil)
    }

    @Test func `who follows latest hears how to follow what it points to`() async throws {
        let world = try await World()
        world.registry.push("acme/web", "latest", created: 5)
        world.host.commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:latest", policy: "glob:latest")])
        let reason = await world.cycle().reason("deploy/web.yaml")
        #expect(
            reason?.contains("latest runs already") == true && reason?.contains("slipway.dev/pin: \"true\"") == true)
        #expect(reason?.contains("acme/web:latest@sha256:") == true)
    }

    @Test func `a changed filter takes its newest, and an all-digit commit id is no version`() async throws {
        let world = try await World()
        for (tag, time) in [("main-1", 30), ("feature-x-1", 10), ("feature-x-2", 20)] {
            world.registry.push("acme/web", tag, created: Int64(time))
        }
        for tag in ["9170057", "1.3.0", "1.4.0"] { world.registry.push("acme/db", tag) }
        world.host.commit([
            "deploy/web.yaml": World.deployment("web", image: "acme/web:main-1", policy: "glob:feature-x-*"),
            "deploy/db.yaml": World.deployment("db", image: "acme/db:9170057", policy: "semver:>=1.2"),
        ])
        let report = await world.cycle()
        #expect(Set(report.updates.map(\.new)) == ["acme/web:feature-x-2", "acme/db:1.4.0"], "\(report.decisions)")
        #expect(await world.cycle().updates.isEmpty)
    }
}
