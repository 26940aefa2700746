import Agent
import AgentFakes
import TestSupport
import Testing

/// An annotation or a marker, and an Application, that speak of one value: one run over each file sees both.
@Suite(.tags(.unit)) struct ArgoContradictionTests {
    private static func application(_ constraint: String) -> String {
        ArgoCase.application(
            "site", path: "live",
            annotations: [
                "image-list: app=acme/app:\(constraint), db=acme/db:1.x", "write-back-method: git",
                "write-back-target: kustomization", "app.kustomize.image-name: app", "db.kustomize.image-name: db",
            ])
    }

    private static func kustomization(app: String, db: String, filter: String = "semver:1.0.x", marker: String = "")
        -> String
    {
        """
        resources: [deployment.yaml]
        metadata:
          name: live
          annotations: {slipway.dev/automated: "true", slipway.dev/tag.app: "\(filter)", slipway.dev/tag.db: "semver:1.x"}
        images:
        - name: app
          newName: acme/app
          newTag: \(app)\(marker.isEmpty ? "" : " # \(marker)")
        - name: db
          newName: acme/db
          newTag: \(db)

        """
    }

    private static func world(_ files: [String: String]) async throws -> World {
        let world = try await World()
        for tag in ["1.0.0", "1.0.9", "1.2.0"] {
            world.registry.push("acme/app", tag)
            world.registry.push("acme/db", tag)
        }
        world.host.commit(files)
        return world
    }

    @Test(arguments: [CycleMode.plan, .complete, .background])
    func `only the value of which both want something else waits, and is named`(_ mode: CycleMode) async throws {
        let world = try await Self.world([
            "cd/site.yaml": Self.application("1.x"),
            "live/kustomization.yaml": Self.kustomization(app: "1.0.0", db: "1.0.0"),
        ])
        let report = await world.cycle(mode)
        let words = ArgoCase.words(of: report)
        #expect(
            world.host.text("live/kustomization.yaml")
                == Self.kustomization(app: "1.0.0", db: mode == .plan ? "1.0.0" : "1.2.0"), "\(words)")
        let reason =
            "default:kustomization/live container app and argocd:application/site image app want different values: '1.0.9' "
            + "and '1.2.0'"
        let told = report.decisions.filter { $0.reason.contains(reason) }
        #expect(
            told.map(\.subject) == [
                "live/kustomization.yaml:8 default:kustomization/live app",
                "live/kustomization.yaml:8 argocd:application/site app",
            ], "\(words)")
        #expect(report.failures.isEmpty)
    }

    @Test func `what both want is written once, and a person takes it back from both`() async throws {
        let old = Self.kustomization(app: "1.0.0", db: "1.0.0", filter: "semver:1.x")
        let world = try await Self.world(["cd/site.yaml": Self.application("1.x"), "live/kustomization.yaml": old])
        let report = await world.cycle()
        #expect(
            world.host.text("live/kustomization.yaml")
                == Self.kustomization(app: "1.2.0", db: "1.2.0", filter: "semver:1.x"),
            "\(ArgoCase.words(of: report))")
        #expect(Set(report.updates.map(\.workload)) == ["default:kustomization/live", "argocd:application/site"])
        world.host.commit(["live/kustomization.yaml": old])
        let second = await world.cycle()
        #expect(world.host.text("live/kustomization.yaml") == old, "\(ArgoCase.words(of: second))")
    }

    @Test(arguments: [AgentConfiguration.CommitSettings.Grouping.cycle, .image])
    func `a marker whose automation has commits of its own is seen, too`(
        _ grouping: AgentConfiguration.CommitSettings.Grouping
    ) async throws {
        let marker = "{\"$imagepolicy\": \"flux-system:web:tag\"}"
        let old = Self.kustomization(app: "1.0.0", db: "1.0.0", marker: marker)
        let world = try await Self.world([
            "cd/site.yaml": Self.application("1.x"), "live/kustomization.yaml": old,
            "flux/images.yaml": Flux.source() + Flux.repository("acme/app") + Flux.policy("1.0.x") + Flux.automation(),
        ])
        world.git.commit.grouping = grouping
        let report = await world.cycle()
        let words = ArgoCase.words(of: report)
        #expect(
            world.host.text("live/kustomization.yaml") == Self.kustomization(app: "1.0.0", db: "1.2.0", marker: marker),
            "\(words)")
        let told = report.decisions.filter { $0.reason.contains("want different values: '1.0.9' and '1.2.0'") }
        #expect(told.count == 2, "\(words)")
    }
}
