import Agent
import AgentFakes
import TestSupport
import Testing

/// Manifests that cannot be looked at: they stop nobody, and they are named.
@Suite(.tags(.unit)) struct PassedOverTests {
    enum Kind: String, CaseIterable, Sendable {
        case large, documents, broken, aliases, deep, kaniko, largeKaniko

        var text: String {
            let annotated = World.deployment("web", image: "acme/web:1.0.0")
            switch self {
            case .large: return annotated + "# " + String(repeating: "x", count: 17 << 20) + "\n"
            case .largeKaniko: return "# kaniko " + String(repeating: "x", count: 17 << 20) + "\n"
            case .documents: return annotated + String(repeating: "---\na: 1\n", count: 200_000)
            case .broken: return annotated + "  broken: [\n"
            case .aliases:
                let levels = (1...12).map { level in
                    "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
                        + "]\n"
                }
                return "a0: &a0 [x, x]\n" + levels.joined() + "---\n" + annotated
            case .deep: return annotated + "deep: " + String(repeating: "[", count: 5_000) + "\n"
            case .kaniko: return "kind: Job\nspec: {{ .Values.kaniko }}\n  x: [\n"
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `it is named in plan, sync, status and the log, once, and the others go on`(kind: Kind) async throws {
        let world = try await DaemonWorld("shop")
        world.registry.push("acme/db", "1.1.0")
        world.host("shop").commit([
            "deploy/bad.yaml": kind.text, "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0"),
        ])
        try await world.begin()
        func names(_ decisions: [CycleReport.Decision]) -> Int {
            decisions.count {
                $0.subject.hasPrefix("deploy/bad.yaml") && $0.isPassedOver == true && $0.reason.count > 5
            }
        }
        let decisions = try world.report("shop").decisions
        #expect(try names(world.status("shop").passedOver) == 1, "\(decisions)")
        #expect(try world.status("shop").state == .ok)
        #expect(world.host("shop").text("deploy/db.yaml")?.contains("acme/db:1.1.0") == true)
        for _ in 1...3 { try await world.nextLook() }
        #expect(world.log.lines.count { $0.hasPrefix("info decided") && $0.contains("subject=deploy/bad.yaml") } == 1)
        for mode in [CycleMode.plan, .complete] {
            let reports = try await world.loop.run(CycleRequest(repositories: ["shop"]), mode) { _ in }
            #expect(names(reports.first?.decisions ?? []) == 1)
        }
        world.host("shop").commit(["deploy/bad.yaml": "kind: ConfigMap\n"])
        try await world.nextLook()
        #expect(try world.status("shop").passedOver.isEmpty)
    }

    @Test func `twenty thousand documents in a file are looked at like any`() async throws {
        let world = try await World()
        world.registry.push("acme/web", "1.1.0")
        let text = String(repeating: "a: 1\n---\n", count: 20_001) + World.deployment("web", image: "acme/web:1.0.0")
        world.host.commit(["deploy/web.yaml": text])
        let report = await world.cycle()
        #expect(report.updates.map(\.new) == ["acme/web:1.1.0"], "\(report.decisions)")
        #expect(world.host.text("deploy/web.yaml") == text.replacing("acme/web:1.0.0", with: "acme/web:1.1.0"))
    }

    @Test func `a file that is too large for builds is named where updates are turned off`() async throws {
        let world = try await World()
        world.repository.updatesManifests = false
        world.host.commit(["job.yaml": Kind.largeKaniko.text])
        let report = await world.cycle()
        #expect(
            report.decisions.contains { $0.subject == "job.yaml" && $0.isPassedOver == true }, "\(report.decisions)")
    }
}
