import Agent
import AgentFakes
import ManifestUpdater
import TestSupport
import Testing

/// What becomes of a repository that another tool looked after.
@Suite(.tags(.unit)) struct MigrateTests {
    private static func migration(_ files: [String: String]) async throws -> Migration {
        let world = try await World()
        world.host.commit(files)
        return try await Explainer(world.reconciler()).migration()
    }

    private static func pod(_ annotations: String) -> String {
        "kind: Pod\nmetadata: {name: p, annotations: {\(annotations)}}\nspec: {containers: [{name: c, image: a:1}]}\n"
    }

    @Test(arguments: [
        (
            "fluxcd.io/automated: \"true\"", MigrationFinding.Tool.flux1, "fluxcd.io/automated",
            MigrationFinding.Verdict.works
        ),
        ("flux.weave.works/tag.c: \"1.*\"", .flux1, "flux.weave.works/tag.*", .works),
        ("filter.fluxcd.io/c: \"1.*\"", .flux1, "filter.fluxcd.io/*", .works),
        ("fluxcd.io/sync-checksum: x", .flux1, "fluxcd.io/sync-checksum", .missing),
        ("keel.sh/policy: minor", .keel, "keel.sh/policy", .works),
        ("keel.sh/trigger: poll", .keel, "keel.sh/trigger", .differs),
        ("keel.sh/approvals: \"1\"", .keel, "keel.sh/approvals", .differs),
        ("keel.sh/notify: slack", .keel, "keel.sh/notify", .missing),
        ("argocd-image-updater.argoproj.io/image-list: w=a", .argocd, "image-list", .works),
        ("argocd-image-updater.argoproj.io/w.update-strategy: digest", .argocd, "*.update-strategy", .works),
        ("argocd-image-updater.argoproj.io/w.force-update: \"true\"", .argocd, "*.force-update", .missing),
        ("argocd-image-updater.argoproj.io/pull-secret: env:X", .argocd, "pull-secret", .differs),
    ])
    func `an annotation`(
        text: String, tool: MigrationFinding.Tool, feature: String, verdict: MigrationFinding.Verdict
    ) async throws {
        let uses = try await Self.migration(["a.yaml": Self.pod(text), "b.yaml": Self.pod("other.io/x: y")]).uses
        #expect(uses.count == 1)
        let use = try #require(uses.first)
        #expect(use.tool == tool && use.feature == feature && use.verdict == verdict)
        #expect(use.places.first?.hasPrefix("a.yaml:2:") == true && use.note.isEmpty == (verdict == .works))
    }

    @Test func `objects, markers and the places, what needs a person first`() async throws {
        let uses = try await Self.migration([
            "r.yaml":
                "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: r}\nspec: {image: a, secretRef: {name: x}}\n",
            "m.yaml": "a: b:1 # {\"$imagepolicy\": \"a:b\"}\nc: b:1 # {\"$imagepolicy\": \"a:b\"}\n",
            ".flux.yaml": "version: 1\n",
            "s.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s}\n",
            "broken.yaml": "fluxcd.io: [\n",
        ]).uses
        #expect(
            uses.map(\.feature) == [
                ".flux.yaml", "ImageRepository secretRef", "ImageRepository", "marker # {\"$imagepolicy\": …}",
                "ApplicationSet",
            ])
        #expect(uses.map(\.count) == [1, 1, 1, 2, 1])
    }

    @Test func `the flags of a fluxd become the configuration, and that is one`() async throws {
        let fluxd = """
            kind: Deployment
            metadata: {name: flux}
            spec:
              template:
                spec:
                  containers:
                    - name: flux
                      image: docker.io/fluxcd/flux:1.25.4
                      args: [--git-branch=prod, "--git-path=apps,infra", --git-user=Bot "x", --git-email=bot@example.com, --git-ci-skip, --git-poll-interval=2m,
                        --registry-insecure-host=r.example.com:5000, --manifest-generation, --unknown]

            """.replacing("--git-user=Bot \"x\"", with: "'--git-user=Bot \"x\"'")
        let migration = try await Self.migration(["flux/fluxd.yaml": fluxd])
        #expect(
            migration.configuration == """
                interval: "2m"
                git:
                  author: {name: "Bot \\"x\\"", email: "bot@example.com"}
                  commit: {ciSkip: "[ci skip]"}
                registries:
                  - {host: "r.example.com:5000", insecure: true}
                repositories:
                  - name: "shop"
                    url: "https://git.example.com/acme/shop.git"
                    branch: "prod"
                    updates: {paths: ["apps/**", "infra/**"]}

                """)
        #expect(migration.uses.first { $0.feature == "fluxd --manifest-generation" }?.verdict == .missing)
        let read = try ConfigurationFile.parse(Array(migration.configuration.utf8), file: "agent.yaml")
        #expect(
            read.repositories.map(\.branch) == ["prod"]
                && read.repositories.first?.updatePaths == ["apps/**", "infra/**"])
        #expect(
            read.git.authorName == "Bot \"x\"" && read.git.commit.notes == nil && read.git.commit.ciSkip == "[ci skip]")
    }

    @Test func `a repository that used none of them`() async throws {
        let migration = try await Self.migration(["a.yaml": Self.pod("x/y: z")])
        #expect(migration.uses.isEmpty && migration.configuration.hasPrefix("repositories:\n"))
    }
}
