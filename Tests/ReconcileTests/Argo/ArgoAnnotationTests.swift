import Agent
import AgentFakes
import OCI
import RegistryPoller
import TestSupport
import Testing

/// Argo CD Image Updater's annotations, in repositories without its custom resource.
@Suite(.tags(.unit)) struct ArgoAnnotationTests {
    @Test(arguments: sources) func `the source that is deployed is written to`(_ example: ArgoCase) async throws {
        try await example.check()
    }

    @Test(arguments: aliases) func `an alias that the list does not have holds the Application`(
        _ example: ArgoCase
    ) async throws {
        try await example.check()
    }

    private static func several(_ annotations: [String], _ list: String) -> String {
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata:
          name: site
          namespace: argocd
          annotations:
        \(annotations.map { "    argocd-image-updater.argoproj.io/\($0)" }.joined(separator: "\n"))
        spec:
          sources:
        \(list)
        """
    }

    private static let chart = """
          - repoURL: https://charts.example.com
            chart: site
            targetRevision: 3.1.0
            helm:
              valueFiles: [$values/envs/live.yaml]
          - repoURL: \(ArgoCase.repository)
            targetRevision: main
            ref: values
        """

    private static func values(_ target: String, _ more: [String] = []) -> ArgoCase {
        ArgoCase(
            name: "a chart with its values in git, at \(target) \(more)",
            files: [
                "cd/site.yaml": several(
                    [
                        "image-list: app=acme/app:1.x", "write-back-method: git", "write-back-target: \(target)",
                        "app.helm.image-name: image.name", "app.helm.image-tag: image.tag",
                    ] + more, chart),
                "envs/live.yaml": "image:\n  name: acme/app\n  tag: \"1.0.0\" # live\n",
            ], want: ["envs/live.yaml": "image:\n  name: acme/app\n  tag: \"1.2.0\" # live\n"])
    }

    static let sources: [ArgoCase] = [
        values("helmvalues:/envs/live.yaml"), values("helmvalues:envs/live.yaml"),
        values("helmvalues:/envs/live.yaml", ["git-repository: \(ArgoCase.repository)", "git-branch: main"]),
        ArgoCase(
            name: "of several sources the one that has the parameter",
            files: [
                "cd/site.yaml": several(
                    [
                        "image-list: app=acme/app:1.x", "app.helm.image-name: web.name",
                        "app.helm.image-tag: web.tag",
                    ],
                    """
                      - {repoURL: 'https://charts.example.com', chart: cache, helm: {parameters: [{name: x, value: y}]}}
                      - repoURL: https://charts.example.com
                        chart: web
                        helm:
                          parameters:
                          - {name: web.name, value: acme/app}
                          - {name: web.tag, value: 1.0.0}
                    """)
            ],
            want: [
                "cd/site.yaml": several(
                    [
                        "image-list: app=acme/app:1.x", "app.helm.image-name: web.name",
                        "app.helm.image-tag: web.tag",
                    ],
                    """
                      - {repoURL: 'https://charts.example.com', chart: cache, helm: {parameters: [{name: x, value: y}]}}
                      - repoURL: https://charts.example.com
                        chart: web
                        helm:
                          parameters:
                          - {name: web.name, value: acme/app}
                          - {name: web.tag, value: 1.2.0}
                    """)
            ]),
        ArgoCase(
            name: "new parameters of a file of overrides go where the image updater puts them",
            files: [
                "cd/site.yaml": ArgoCase.application(
                    "site", path: "chart",
                    annotations: [
                        "image-list: app=acme/app:1.x", "write-back-method: git", "app.helm.image-name: b.name",
                        "app.helm.image-tag: d.tag",
                    ]),
                "chart/Chart.yaml": "name: site\n",
                "chart/.argocd-source-site.yaml":
                    "helm:\n  parameters:\n  - name: a\n    value: x # kept\n  - name: c\n    value: y\n",
            ],
            want: [
                "chart/.argocd-source-site.yaml":
                    "helm:\n  parameters:\n  - name: a\n    value: x # kept\n"
                    + "  - name: b.name\n    value: acme/app\n    forcestring: true\n  - name: c\n    value: y\n"
                    + "  - name: d.tag\n    value: 1.2.0\n    forcestring: true\n"
            ]),
    ]

    private static func aliased(_ name: String, _ annotations: [String], says: [String]) -> ArgoCase {
        ArgoCase(
            name: name,
            files: [
                "cd/site.yaml": ArgoCase.application(
                    "site", path: "site",
                    annotations: ["write-back-method: git", "write-back-target: kustomization"] + annotations),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], says: says)
    }

    static let aliases: [ArgoCase] = [
        aliased(
            "a typing error", ["image-list: web=acme/app", "wep.update-strategy: semver", "wep.allow-tags: any"],
            says: [
                "cd/site.yaml:1 argocd:application/site: not updated: 'wep.allow-tags', 'wep.update-strategy' name an "
                    + "alias that image-list does not have", "its aliases are web",
            ]),
        aliased(
            "no alias at all", ["image-list: acme/app", "app.ignore-tags: '*'"],
            says: ["give the image an alias: image-list: app=acme/app"]),
        aliased(
            "where Helm's tag is", ["image-list: web=acme/app", "app.helm.image-tag: tag"],
            says: ["'app.helm.image-tag' names an alias"]),
    ]

    // MARK: Platforms

    private func world(_ strategy: String, _ platforms: String, on offered: [String: [String]]) async throws -> World {
        let world = try await World()
        for (tag, names) in offered {
            world.registry.add(
                TagRecord(
                    tag: tag, digest: .sha256(of: Array(tag.utf8)), created: tag == "1.0.0" ? 1 : 2,
                    platforms: try names.map { try Platform($0) }), to: try RepositoryLocation("acme/app"))
        }
        world.host.commit([
            "cd/site.yaml": ArgoCase.application(
                "site", path: "site",
                annotations: [
                    "image-list: app=acme/app:\(strategy == "digest" ? "1.2.0" : "1.x")", "write-back-method: git",
                    "write-back-target: kustomization", "app.update-strategy: \(strategy)",
                    "app.platforms: \(platforms)",
                ]), "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
        ])
        return world
    }

    @Test(arguments: ["newest-build", "digest", "semver", "alphabetical"])
    func `an image counts when it exists for one of the platforms`(_ strategy: String) async throws {
        let world = try await world(
            strategy, "linux/amd64, linux/arm64", on: ["1.0.0": ["linux/amd64"], "1.2.0": ["linux/arm64"]])
        let report = await world.cycle()
        #expect(
            world.host.text("site/kustomization.yaml")?.contains("newTag: 1.2.0") == true,
            "\(ArgoCase.words(of: report))")
    }

    @Test(arguments: ["newest-build", "digest"])
    func `strategies that read manifests say for which platforms an image is`(_ strategy: String) async throws {
        let world = try await world(
            strategy, "linux/s390x, linux/arm64", on: ["1.0.0": ["linux/arm64"], "1.2.0": ["linux/amd64"]])
        let report = await world.cycle()
        let words = ArgoCase.words(of: report)
        #expect(world.host.text("site/kustomization.yaml")?.contains("newTag: 1.0.0") == true, "\(words)")
        #expect(words.contains("1.2.0: it exists for linux/amd64, not for linux/s390x or linux/arm64"), "\(words)")
    }

    @Test(arguments: ["semver", "alphabetical"]) func `strategies by names look at no platform`(
        _ strategy: String
    ) async throws {
        let world = try await world(strategy, "linux/s390x", on: ["1.0.0": ["linux/amd64"], "1.2.0": ["linux/amd64"]])
        _ = await world.cycle()
        #expect(world.host.text("site/kustomization.yaml")?.contains("newTag: 1.2.0") == true)
    }

    @Test(arguments: [("semver:1.x", "1.2.0"), ("digest:latest", "latest")])
    func `slipway.dev platforms say for which an image is`(_ policy: String, _ tag: String) async throws {
        let world = try await World()
        world.registry.add(
            TagRecord(
                tag: tag, digest: .sha256(of: [1]), platforms: [try Platform("linux/arm64")]),
            to: try RepositoryLocation("acme/app"))
        let text = World.deployment("web", image: "acme/app:1.0.0", policy: policy)
        world.host.commit([
            "deploy/web.yaml": text.replacing(
                "fluxcd.io/tag.app", with: "slipway.dev/platforms: linux/amd64\n    fluxcd.io/tag.app")
        ])
        let report = await world.cycle()
        let words = ArgoCase.words(of: report)
        #expect(words.contains("\(tag): it exists for linux/arm64, not for linux/amd64"), "\(words)")
        #expect(world.image(of: "web") == "acme/app:1.0.0")
    }
}
