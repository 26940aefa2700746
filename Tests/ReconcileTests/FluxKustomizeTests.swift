import Agent
import AgentFakes
import TestSupport
import Testing

/// Flux v2's objects that are finished elsewhere: by kustomizations, by Flux's Kustomizations, by variables.
@Suite(.tags(.unit)) struct FluxKustomizeTests {
    private static let base = [
        "base/policy.yaml": Flux.policy(">=0.0.0", namespace: nil, labels: "team: shop"),
        "base/repository.yaml": Flux.repository().replacing("  namespace: flux-system\n", with: ""),
        "base/kustomization.yaml": "resources: [policy.yaml, repository.yaml]\n",
    ]

    private static func world(_ overlay: String, _ more: [String: String] = [:]) async throws -> World {
        var files = base
        files["overlay/kustomization.yaml"] = "resources: [../base]\nnamespace: flux-system\n" + overlay
        files["web.yaml"] = Flux.workload("web")
        files.merge(more) { _, new in new }
        return try await World.flux(files)
    }

    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let overlay: String
        var files: [String: String] = [:]
        let tag: String

        init(_ testDescription: String, _ overlay: String, _ files: [String: String] = [:], _ tag: String) {
            self.testDescription = testDescription
            self.overlay = overlay
            self.files = files
            self.tag = tag
        }
    }

    private static let operation = "[{op: replace, path: /spec/policy/semver/range, value: 1.0.x}]"
    private static let merge = "{spec: {policy: {semver: {range: 1.0.x}}}}"

    @Test(arguments: [
        Case("no patch", "", [:], "2.0.0"),
        Case(
            "operations by name", "patches: [{target: {kind: ImagePolicy, name: web}, patch: '\(operation)'}]\n", [:],
            "1.0.5"),
        Case(
            "operations by an expression",
            "patches: [{target: {kind: ImagePolicy, name: 'w.*'}, patch: '\(operation)'}]\n", [:], "1.0.5"),
        Case(
            "names are anchored", "patches: [{target: {kind: ImagePolicy, name: 'we'}, patch: '\(operation)'}]\n", [:],
            "2.0.0"),
        Case(
            "by label", "patches: [{target: {labelSelector: 'team in (shop, x),!y'}, patch: '\(merge)'}]\n", [:],
            "1.0.5"),
        Case(
            "another label", "patches: [{target: {labelSelector: team!=shop, kind: ImagePolicy}, patch: '\(merge)'}]\n",
            [:], "2.0.0"),
        Case("another kind", "patches: [{target: {kind: Deployment}, patch: '\(operation)'}]\n", [:], "2.0.0"),
        Case(
            "a merge by kind and name",
            "patches: [{path: range.yaml}]\n",
            [
                "overlay/range.yaml":
                    "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: web}\n\(merge.dropFirst().dropLast())\n"
            ],
            "1.0.5"),
        Case(
            "the old keys",
            "patchesStrategicMerge: [range.yaml]\npatchesJson6902: [{target: {kind: ImagePolicy, name: web}, path: op.json}]\n",
            [
                "overlay/range.yaml": "kind: ImagePolicy\nmetadata: {name: web}\n\(merge.dropFirst().dropLast())\n",
                "overlay/op.json": #"[{"op": "replace", "path": "/spec/policy/semver/range", "value": "1.x"}]"#,
            ], "1.4.0"),
        Case(
            "a component", "components: [../component]\n",
            [
                "component/kustomization.yaml":
                    "kind: Component\npatches: [{target: {kind: ImagePolicy}, patch: '\(operation)'}]\n"
            ], "1.0.5"),
        Case(
            "a patch over a patch",
            "patches: [{target: {kind: ImagePolicy}, patch: '\(operation)'}, {target: {name: web}, patch: '{spec: {policy: {semver: null, alphabetical: {order: asc}}}}'}]\n",
            [:], "2.0.0"),
    ]) func `a policy counts as its kustomization makes it`(_ example: Case) async throws {
        let world = try await Self.world(example.overlay, example.files)
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        #expect(world.marked("web.yaml") == "acme/web:\(example.tag)")
    }

    @Test(arguments: [
        (
            "patches: [{target: {kind: ImagePolicy}, path: https://example.com/patch.yaml}]\n",
            "is not in the repository"
        ),
        ("patches: [{target: {kind: ImagePolicy}, path: missing.yaml}]\n", "'missing.yaml' is not in the repository"),
        ("patches: [{target: {kind: ImagePolicy}, patch: '{a: ['}]\n", "a patch is not YAML"),
        (
            "patches: [{target: {kind: ImagePolicy}, patch: '[{op: replace, path: /spec/none, value: 1}]'}]\n",
            "nothing at 'none'"
        ),
        (
            "replacements: [{source: {kind: ConfigMap, name: a}, targets: [{select: {kind: ImagePolicy}}]}]\n",
            "replacements"
        ),
        ("transformers: [t.yaml]\n", "transformers"),
    ]) func `what cannot be worked out is held`(overlay: String, words: String) async throws {
        let world = try await Self.world(overlay)
        let report = await world.cycle()
        #expect(world.marked("web.yaml") == "acme/web:1.0.0")
        #expect(World.reasons(report, "web.yaml").contains(words))
    }

    @Test func `overlays that disagree are held where nothing tells them apart`() async throws {
        let world = try await Self.world(
            "patches: [{target: {kind: ImagePolicy}, patch: '\(Self.operation)'}]\n",
            ["other/kustomization.yaml": "resources: [../base]\nnamespace: flux-system\n"])
        let report = await world.cycle()
        #expect(world.marked("web.yaml") == "acme/web:1.0.0")
        let reason = World.reasons(report, "web.yaml")
        #expect(reason.contains("is not the same everywhere"))
        #expect(reason.contains("overlay/kustomization.yaml") && reason.contains("other/kustomization.yaml"))
    }

    @Test func `an automation takes the policies of its own cluster`() async throws {
        var files = Self.base
        for (cluster, range) in [("east", "1.x"), ("west", "1.0.x")] {
            files["clusters/\(cluster)/sync.yaml"] =
                Flux.source() + Flux.kustomization("./clusters/\(cluster)", name: cluster)
                + Flux.kustomization(
                    "./base",
                    """
                      targetNamespace: flux-system
                      patches:
                        - target: {kind: ImagePolicy}
                          patch: |
                            - op: replace
                              path: /spec/policy/semver/range
                              value: \(range)

                    """, name: "policies-\(cluster)")
                + Flux.automation("images-\(cluster)", spec: "  update: {path: ./apps/\(cluster)}")
            files["apps/\(cluster)/web.yaml"] = Flux.workload("web")
        }
        let world = try await World.flux(files)
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        #expect(world.marked("apps/east/web.yaml") == "acme/web:1.4.0")
        #expect(world.marked("apps/west/web.yaml") == "acme/web:1.0.5")
    }

    @Test(arguments: [
        ("    substitute: {range: 1.0.x}\n", "${range}", "1.0.5", ""),
        ("    substitute: {range: 1.0.x}\n", "${range:=1.x}", "1.0.5", ""),
        ("    substitute: {other: x}\n", "${range:=1.x}", "1.4.0", ""),
        ("    substitute: {other: x}\n", "${range:-1.0.x}", "1.0.5", ""),
        ("    substituteFrom: [{kind: Secret, name: s}]\n    substitute: {range: 1.0.x}\n", "${range}", "1.0.5", ""),
        (
            "    substituteFrom: [{kind: ConfigMap, name: c}]\n", "${range:=1.x}", "1.0.0",
            "comes from postBuild.substituteFrom"
        ),
        ("    substitute: {range: 1.0.x}\n", "${range/x/5}", "1.0.0", "is a form of substitution that is not followed"),
        ("", "${range:=1.x}", "1.0.0", "is filled in by something that is not in the repository"),
    ]) func `variables with literal values are put in`(
        postBuild: String, range: String, tag: String, words: String
    ) async throws {
        let world = try await World.flux([
            "clusters/sync.yaml": Flux.source()
                + Flux.kustomization("./images", postBuild.isEmpty ? "" : "  postBuild:\n" + postBuild, name: "images"),
            "images/policy.yaml": Flux.repository() + Flux.policy(range), "web.yaml": Flux.workload("web"),
        ])
        let report = await world.cycle()
        #expect(world.marked("web.yaml") == "acme/web:\(tag)")
        if !words.isEmpty { #expect(World.reasons(report, "web.yaml").contains(words)) }
    }

    @Test(arguments: [
        ("/spec/suspend", "true", "is suspended"), ("/spec/update", "{path: ./else}", "'else', which is not in"),
    ]) func `an automation counts as its kustomization makes it`(path: String, value: String, words: String)
        async throws
    {
        let world = try await Self.world(
            "patches: [{target: {kind: ImageUpdateAutomation}, patch: '[{op: add, path: \(path), value: \(value)}]'}]\n",
            [
                "base/automation.yaml": Flux.source() + Flux.automation(),
                "base/kustomization.yaml": "resources: [policy.yaml, repository.yaml, automation.yaml]\n",
            ])
        let report = await world.cycle()
        #expect(world.marked("web.yaml") == "acme/web:1.0.0")
        #expect(World.reasons(report, "web.yaml").contains(words))
    }

    @Test func `kustomizations that lead in circles, or far, end`() async throws {
        var files = [
            "a/kustomization.yaml": "resources: [../b]\n",
            "b/kustomization.yaml": "resources: [../a, ../b, ../../..]\n",
            "images.yaml": Flux.repository() + Flux.policy(), "web.yaml": Flux.workload("web"),
        ]
        for number in 0..<60 {
            files["deep/\(number)/kustomization.yaml"] =
                "resources: [../\(number + 1), ../\(number + 1), ../\(number + 2)]\n"
        }
        let world = try await World.flux(files)
        _ = await world.cycle()
        #expect(world.marked("web.yaml") == "acme/web:1.4.0")
    }

    @Test func `a repository cannot ask for work without end`() async throws {
        var files = ["images.yaml": Flux.repository() + Flux.policy(), "web.yaml": Flux.workload("web")]
        let many = (0..<200).map { Flux.policy(name: "p\($0)", namespace: nil) }.joined()
        files["deep/0/kustomization.yaml"] = "resources: [p.yaml]\n"
        files["deep/0/p.yaml"] = many
        let patch = "  - {target: {name: '(p.*)+'}, patch: '{spec: {a: b}}'}\n"
        for number in 1...20 {
            files["deep/\(number)/kustomization.yaml"] =
                "resources: [" + Array(repeating: "../\(number - 1)", count: 50).joined(separator: ", ") + "]\n"
                + "namePrefix: \(String(repeating: "p", count: 200))\npatches:\n" + String(repeating: patch, count: 300)
        }
        let world = try await World.flux(files)
        let report = await world.cycle()
        #expect(world.marked("web.yaml") == "acme/web:1.0.0")
        #expect(World.reasons(report, "web.yaml").contains("too many, or too large, to be followed"))
    }

    @Test func `variables that multiply are not put in`() async throws {
        let value = String(repeating: "x", count: 50_000)
        let world = try await World.flux([
            "clusters/sync.yaml": Flux.source()
                + Flux.kustomization("./images", "  postBuild:\n    substitute: {v: \(value)}\n", name: "images"),
            "images/policy.yaml": Flux.repository() + Flux.policy(String(repeating: "${v}", count: 50)),
            "web.yaml": Flux.workload("web"),
        ])
        let report = await world.cycle()
        #expect(World.reasons(report, "web.yaml").contains("its variables hold more than"))
    }
}
