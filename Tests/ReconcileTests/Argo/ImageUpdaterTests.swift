import Agent
import AgentFakes
import Template
import TestSupport
import Testing

/// Argo CD Image Updater's custom resource, as its version 1.3 obeys it.
@Suite(.tags(.unit)) struct ImageUpdaterTests {
    @Test(arguments: selection) func `Applications are selected by name, labels and namespace`(
        _ example: ArgoCase
    ) async throws {
        try await example.check()
    }

    @Test(arguments: settings) func `settings are inherited field by field`(_ example: ArgoCase) async throws {
        try await example.check()
    }

    @Test(arguments: targets) func `images are written where the resource says`(_ example: ArgoCase) async throws {
        try await example.check()
    }

    @Test(arguments: refused) func `what is not obeyed is named, and nothing is written`(
        _ example: ArgoCase
    ) async throws {
        try await example.check()
    }

    // MARK: Selection

    private static let one = """
          applicationRefs:
          - namePattern: site
            images:
            - alias: app
              imageName: acme/app:1.x
        """

    static let selection: [ArgoCase] = [
        ArgoCase(
            name: "by its name",
            files: [
                "cd/updater.yaml": ArgoCase.updater(ArgoCase.toKustomization + one),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "cd/other.yaml": ArgoCase.application("site-2", path: "other"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
                "other/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["site/kustomization.yaml": ArgoCase.kustomization("1.2.0")]),
        ArgoCase(
            name: "the most specific reference, wherever it stands",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    ArgoCase.toKustomization + """
                          applicationRefs:
                          - namePattern: "*"
                            images: [{alias: app, imageName: "acme/app:2.x"}]
                          - namePattern: shop-*
                            images: [{alias: app, imageName: "acme/app:1.x"}]
                          - namePattern: shop-live-[ab]
                            images: [{alias: app, imageName: "acme/app:1.0.x"}]
                        """),
                "cd/a.yaml": ArgoCase.application("shop-live-a", path: "a"),
                "cd/b.yaml": ArgoCase.application("shop-dev", path: "b"),
                "cd/c.yaml": ArgoCase.application("blog", path: "c"),
                "a/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
                "b/kustomization.yml": ArgoCase.kustomization("1.0.0"),
                "c/Kustomization": ArgoCase.kustomization("1.0.0"),
            ],
            want: [
                "a/kustomization.yaml": ArgoCase.kustomization("1.0.9"),
                "b/kustomization.yml": ArgoCase.kustomization("1.2.0"),
                "c/Kustomization": ArgoCase.kustomization("2.0.0"),
            ]),
        ArgoCase(
            name: "a selector beats a long pattern, an exact name beats a selector",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    ArgoCase.toKustomization + """
                          applicationRefs:
                          - namePattern: shop-live-frontend-*
                            images: [{alias: app, imageName: "acme/app:1.0.x"}]
                          - namePattern: "*"
                            labelSelectors: {matchExpressions: [{key: tier, operator: NotIn, values: [db]}]}
                            images: [{alias: app, imageName: "acme/app:1.x"}]
                          - namePattern: shop-live-frontend-2
                            images: [{alias: app, imageName: "acme/app:2.x"}]
                        """),
                "cd/a.yaml": ArgoCase.application("shop-live-frontend-1", path: "a", labels: "tier: web"),
                "cd/b.yaml": ArgoCase.application("shop-live-frontend-2", path: "b", labels: "tier: web"),
                "cd/c.yaml": ArgoCase.application("shop-live-frontend-3", path: "c", labels: "tier: db"),
                "a/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
                "b/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
                "c/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ],
            want: [
                "a/kustomization.yaml": ArgoCase.kustomization("1.2.0"),
                "b/kustomization.yaml": ArgoCase.kustomization("2.0.0"),
                "c/kustomization.yaml": ArgoCase.kustomization("1.0.9"),
            ]),
        ArgoCase(
            name: "only of its own namespace; without one written, of any",
            files: [
                "cd/updater.yaml": ArgoCase.updater(ArgoCase.toKustomization + one, namespace: "team"),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "cd/loose.yaml": ArgoCase.application("site", path: "loose", namespace: nil),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
                "loose/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["loose/kustomization.yaml": ArgoCase.kustomization("1.2.0")]),
        ArgoCase(
            name: "annotations count through useAnnotations alone, and nothing else then",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    """
                      commonUpdateSettings: {allowTags: "regexp:^0"}
                      writeBackConfig: {method: argocd}
                      applicationRefs:
                      - namePattern: "a*"
                        useAnnotations: true
                    """),
                "cd/a.yaml": ArgoCase.application(
                    "a", path: "a",
                    annotations: [
                        "image-list: app=acme/app:1.0.x", "write-back-method: git",
                        "write-back-target: kustomization",
                    ]),
                "cd/b.yaml": ArgoCase.application(
                    "b", path: "b",
                    annotations: [
                        "image-list: app=acme/app", "write-back-method: git", "write-back-target: kustomization",
                    ]),
                "cd/a2.yaml": ArgoCase.application("a2", path: "b"),
                "a/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
                "b/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["a/kustomization.yaml": ArgoCase.kustomization("1.0.9")],
            says: [
                "cd/b.yaml:1 argocd:application/b: not updated: its annotations count only where an ImageUpdater takes it",
                "cd/a2.yaml:1 argocd:application/a2: not updated: ImageUpdater argocd/updater takes it with useAnnotations",
            ]),
        ArgoCase(
            name: "two resources that say the same",
            files: [
                "cd/one.yaml": ArgoCase.updater(ArgoCase.toKustomization + one, name: "one"),
                "cd/two.yaml": ArgoCase.updater(ArgoCase.toKustomization + one, name: "two"),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["site/kustomization.yaml": ArgoCase.kustomization("1.2.0")]),
    ]

    // MARK: Settings

    static let settings: [ArgoCase] = [
        ArgoCase(
            name: "the nearer one counts, and a list replaces a list",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    ArgoCase.toKustomization + """
                          commonUpdateSettings: {updateStrategy: Name, ignoreTags: ["b-9", "x*"]}
                          applicationRefs:
                          - namePattern: "*"
                            commonUpdateSettings: {allowTags: "regexp:^b-"}
                            images:
                            - alias: app
                              imageName: acme/app:1.x
                              commonUpdateSettings: {ignoreTags: ["b-8"]}
                        """),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": ArgoCase.kustomization("b-1"),
            ], tags: ["b-1", "b-8", "b-7", "x-1", "z"],
            want: ["site/kustomization.yaml": ArgoCase.kustomization("b-7")],
            says: ["inherits updateStrategy Name"]),
        ArgoCase(
            name: "an empty list clears an inherited one",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    ArgoCase.toKustomization + """
                          commonUpdateSettings: {ignoreTags: ["*"]}
                          applicationRefs:
                          - namePattern: site
                            commonUpdateSettings: {ignoreTags: []}
                            images: [{alias: app, imageName: "acme/app:1.x"}]
                        """),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["site/kustomization.yaml": ArgoCase.kustomization("1.2.0")]),
        ArgoCase(
            name: "a reference's write-back inherits the method",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    """
                      writeBackConfig:
                        method: git:secret:argocd/git
                        gitConfig: {writeBackTarget: kustomization}
                      applicationRefs:
                      - namePattern: site
                        writeBackConfig: {gitConfig: {branch: main}}
                        images: [{alias: app, imageName: "acme/app:1.x"}]
                    """),
                "cd/site.yaml": ArgoCase.application("site", path: "site", revision: "v3"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["site/kustomization.yaml": ArgoCase.kustomization("1.2.0")]),
        ArgoCase(
            name: "imagesVerification can be left out by a nearer block",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    ArgoCase.toKustomization + """
                          imagesVerification: {cosignKey: {secretName: cosign, key: cosign.pub}}
                          applicationRefs:
                          - namePattern: site
                            imagesVerification: {enabled: false}
                            images: [{alias: app, imageName: "acme/app:1.x"}]
                          - namePattern: shop
                            images: [{alias: app, imageName: "acme/app:1.x"}]
                        """),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "cd/shop.yaml": ArgoCase.application("shop", path: "shop"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
                "shop/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["site/kustomization.yaml": ArgoCase.kustomization("1.2.0")],
            says: ["imagesVerification asks for a signature to be verified"]),
    ]

    // MARK: Targets

    private static func written(_ image: String, _ writeBack: String, pattern: String = "site") -> String {
        ArgoCase.updater(
            """
              writeBackConfig: \(writeBack)
              applicationRefs:
              - namePattern: "\(pattern)"
                images:
                - \(image)
            """)
    }

    static let targets: [ArgoCase] = [
        ArgoCase(
            name: "a file of overrides is made with its parameters sorted",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'acme/app:1.x', manifestTargets: {helm: {name: web.repo, tag: app.tag}}}",
                    "{method: git}"),
                "cd/site.yaml": ArgoCase.application("site", path: "chart"), "chart/Chart.yaml": "name: site\n",
            ],
            want: [
                "chart/.argocd-source-site.yaml":
                    "helm:\n  parameters:\n  - name: app.tag\n    value: 1.2.0\n    forcestring: true\n"
                    + "  - name: web.repo\n    value: acme/app\n    forcestring: true\n"
            ]),
        ArgoCase(
            name: "values in another directory, a whole reference at an index",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'acme/app:1.x', manifestTargets: {helm: {spec: 'pods[1].image'}}}",
                    "{method: git, gitConfig: {writeBackTarget: 'helmvalues:../env/live.yaml'}}"),
                "cd/site.yaml": ArgoCase.application("site", path: "charts/site"),
                "charts/env/live.yaml": "pods:\n- image: x:1\n- image: 'acme/app:1.0.0'  # here\n",
            ],
            want: ["charts/env/live.yaml": "pods:\n- image: x:1\n- image: 'acme/app:1.2.0'  # here\n"]),
        ArgoCase(
            name: "a key that is not there, in a mapping that is",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'acme/app:1.x', manifestTargets: {helm: {name: web.image.name, tag: web.image.tag}}}",
                    "{method: git, gitConfig: {writeBackTarget: helmvalues}}"),
                "cd/site.yaml": ArgoCase.application("site", path: "chart"),
                "chart/values.yaml": "web:\n  image:\n    pull: Always # ours\n  replicas: 2\n",
            ],
            want: [
                "chart/values.yaml":
                    "web:\n  image:\n    pull: Always # ours\n    tag: 1.2.0\n    name: acme/app\n  replicas: 2\n"
            ]),
        ArgoCase(
            name: "a name without its registry is kept",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'registry.example.com/acme/app:1.x', manifestTargets: {helm: {name: i.n, tag: i.t}}}",
                    "{method: git, gitConfig: {writeBackTarget: helmvalues}}"),
                "cd/site.yaml": ArgoCase.application("site", path: "chart"),
                "chart/values.yaml": "i: {r: registry.example.com, n: acme/app, t: 1.0.0}\n",
            ], tags: [], want: ["chart/values.yaml": "i: {r: registry.example.com, n: acme/app, t: 1.3.0}\n"]),
        ArgoCase(
            name: "a kustomization's entry of another name",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'acme/app:1.x', manifestTargets: {kustomize: {name: upstream/app}}}",
                    "{method: git, gitConfig: {writeBackTarget: 'kustomization:/base'}}"),
                "cd/site.yaml": ArgoCase.application("site", path: "overlay"),
                "base/kustomization.yaml":
                    "images:\n- name: upstream/app\n  newName: acme/app\n  newTag: 1.0.0 # ours\n",
            ],
            want: [
                "base/kustomization.yaml":
                    "images:\n- name: upstream/app\n  newName: acme/app\n  newTag: 1.2.0 # ours\n"
            ]),
        ArgoCase(
            name: "the Application's own parameters, where nothing is written back",
            files: [
                "cd/updater.yaml": written("{alias: app, imageName: 'acme/app:1.x'}", "{}"),
                "cd/site.yaml": ArgoCase.application("site", path: "chart", source: "    helm: {releaseName: x}\n"),
            ],
            want: [
                "cd/site.yaml": ArgoCase.application(
                    "site", path: "chart",
                    source:
                        "    helm: {releaseName: x, parameters: [{name: image.name, value: acme/app, forceString: true}, "
                        + "{name: image.tag, value: 1.2.0, forceString: true}]}\n")
            ]),
        ArgoCase(
            name: "a plugin's variables",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'acme/app:1.x', manifestTargets: {plugin: {spec: IMAGE}}}", "{method: git}"
                ),
                "cd/site.yaml": ArgoCase.application("site", path: "cmp", source: "    plugin: {name: cmp}\n"),
            ],
            want: ["cmp/.argocd-source-site.yaml": "plugin:\n  env:\n  - name: IMAGE\n    value: acme/app:1.2.0\n"]),
        ArgoCase(
            name: "the hydrator's dry source",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'acme/app:1.x'}",
                    "{method: git, gitConfig: {writeBackTarget: kustomization}}"),
                "cd/site.yaml": """
                apiVersion: argoproj.io/v1alpha1
                kind: Application
                metadata: {name: site, namespace: argocd}
                spec:
                  sourceHydrator:
                    drySource: {repoURL: \(ArgoCase.repository), path: dry, targetRevision: HEAD}
                    syncSource: {path: wet, targetBranch: wet}
                """,
                "dry/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["dry/kustomization.yaml": ArgoCase.kustomization("1.2.0")]),
        ArgoCase(
            name: "a digest goes behind the tag that is followed",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'acme/app:main', commonUpdateSettings: {updateStrategy: digest}}",
                    "{method: git, gitConfig: {writeBackTarget: kustomization}}"),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": ArgoCase.kustomization("main"),
            ], tags: ["main"],
            want: [
                "site/kustomization.yaml": ArgoCase.kustomization("main")
                    + "  digest: \(ArgoCase.digest("acme/app:main"))\n"
            ]),
    ]

    // MARK: Refused

    private static func left(_ spec: String, says: [String], name: String) -> ArgoCase {
        ArgoCase(
            name: name,
            files: [
                "cd/updater.yaml": ArgoCase.updater(spec), "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], says: says)
    }

    static let refused: [ArgoCase] = [
        left(
            "  writeBackConfig: {method: git, gitConfig: {writeBackTarget: site/kustomization.yaml}}\n" + one,
            says: ["cd/updater.yaml:11:7", "names a kustomization", "write kustomization:/site"], name: "a bare target"),
        left(
            ArgoCase.toKustomization
                + "  applicationRefs: [{namePattern: '[a', images: [{alias: a, imageName: acme/app}]}]",
            says: ["cd/updater.yaml", "'[a' is malformed"], name: "a malformed pattern"),
        left(
            ArgoCase.toKustomization
                + "  applicationRefs: [{namePattern: si, images: [{alias: a, imageName: acme/app}]}]",
            says: ["takes no Application of the namespace argocd; the repository has argocd/site"],
            name: "no Application"),
        left(
            ArgoCase.toKustomization
                + "  applicationRefs: [{namePattern: site, labelSelectors: {matchExpressions: [{key: a, operator: Is}]}, "
                + "images: [{alias: a, imageName: acme/app}]}]",
            says: ["unknown operator 'Is'"], name: "a selector that is wrong"),
        left(
            "  writeBackConfig: {method: git, gitConfig: {branch: main, writeBackTarget: kustomization, "
                + "pullRequest: {github: {}}}}\n" + one,
            says: ["pull request"], name: "pull requests"),
        left(
            ArgoCase.toKustomization
                + "  applicationRefs: [{namePattern: site, images: [{alias: a, imageName: acme/app, "
                + "manifestTargets: {helm: {}, kustomize: {name: x}}}]}]",
            says: ["must have exactly one of helm, kustomize and plugin"], name: "two targets"),
        left(
            ArgoCase.toKustomization
                + "  applicationRefs: [{namePattern: site, images: [{alias: a, imageName: acme/app, "
                + "commonUpdateSettings: {updateStrategy: newer}}]}]",
            says: ["cd/updater.yaml:11:", "unknown update strategy 'newer'"], name: "an unknown strategy"),
        left(
            ArgoCase.toKustomization
                + "  applicationRefs: [{namePattern: site, images: [{alias: a, imageName: acme/other}]}]",
            says: ["none"], name: "an image that the registry does not have"),
        ArgoCase(
            name: "two resources that say different things",
            files: [
                "cd/one.yaml": ArgoCase.updater(ArgoCase.toKustomization + one, name: "one"),
                "cd/two.yaml": ArgoCase.updater(
                    ArgoCase.toKustomization + one.replacing("1.x", with: "1.0.x"), name: "two"),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ],
            says: [
                "ImageUpdater argocd/one (cd/one.yaml:1:1) and ImageUpdater argocd/two (cd/two.yaml:1:1) say different things"
            ]),
        ArgoCase(
            name: "values that are not there",
            files: [
                "cd/updater.yaml": written(
                    "{alias: app, imageName: 'acme/app:1.x', manifestTargets: {helm: {name: wep.name, tag: wep.tag}}}",
                    "{method: git, gitConfig: {writeBackTarget: helmvalues}}"),
                "cd/site.yaml": ArgoCase.application("site", path: "chart"),
                "chart/values.yaml": "web: {name: acme/app, tag: 1.0.0}\n",
            ], says: ["there is no value at wep.name: add it to chart/values.yaml"]),
        ArgoCase(
            name: "an entry that runs another image",
            files: [
                "cd/updater.yaml": ArgoCase.updater(ArgoCase.toKustomization + one),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": "images:\n- name: acme/app\n  newName: mirror/app\n  newTag: 1.0.0\n",
            ], says: ["has the image mirror/app, and acme/app is what is followed"]),
        ArgoCase(
            name: "an entry in another spelling",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    ArgoCase.toKustomization + one.replacing("acme/app", with: "docker.io/acme/app")),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], says: ["has the image as acme/app; write that name instead of docker.io/acme/app"]),
        ArgoCase(
            name: "another branch",
            files: [
                "cd/updater.yaml": ArgoCase.updater(ArgoCase.toKustomization + one),
                "cd/site.yaml": ArgoCase.application("site", path: "site", revision: "live"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], says: ["its targetRevision is 'live', and 'main' is watched"]),
    ]

    // MARK: Branches

    private static func onBranch(_ branch: String) -> [String: String] {
        [
            "cd/updater.yaml": ArgoCase.updater(
                """
                  writeBackConfig: {method: git, gitConfig: {writeBackTarget: kustomization, branch: '\(branch)'}}
                """ + "\n" + one),
            "cd/site.yaml": ArgoCase.application("site", path: "site"),
            "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
        ]
    }

    @Test(arguments: [
        ("main:bump{{range .Images}}/{{.Alias}}-{{.OldTag}}-{{.NewTag}}{{end}}", "bump/app-1.0.0-1.2.0"),
        (":bump-{{.AppName}}{{.TargetKey}}{{(index .Images 0).Name | len}}", "bump-8"),
        ("main:u-{{.SHA256}}", "u-\(ArgoCase.sha256("acme/app-1.0.0-1.2.0,"))"),
    ]) func `commits go to the branch behind the colon`(_ branch: String, _ name: String) async throws {
        let world = try await ArgoCase(name: name, files: Self.onBranch(branch)).world()
        let report = await world.cycle()
        let words = ArgoCase.words(of: report)
        #expect(world.host.text("site/kustomization.yaml") == ArgoCase.kustomization("1.0.0"), "\(words)")
        #expect(world.host.text("site/kustomization.yaml", on: name) == ArgoCase.kustomization("1.2.0"), "\(words)")
        #expect(
            report.commits.map(\.message).first?.hasPrefix(
                "build: automatic update of site\n\nupdates image acme/app tag '1.0.0' to '1.2.0'\n") == true)
        let again = await world.cycle()
        #expect(again.commits.isEmpty)
    }

    @Test func `a branch of the agent's own configuration refuses another one`() async throws {
        let world = try await ArgoCase(name: "both", files: Self.onBranch("main:topic")).world()
        world.git.push.branch = try Template("slipway", name: "branch")
        let report = await world.cycle()
        #expect(report.commits.isEmpty)
        #expect(ArgoCase.words(of: report).contains("the agent's git.push.branch says another one"))
    }

    @Test func `fields that are not obeyed are named with their place`() async throws {
        let example = ArgoCase(
            name: "fields",
            files: [
                "cd/updater.yaml": ArgoCase.updater(
                    """
                      namespace: elsewhere
                      commonUpdateSettings: {pullSecret: "secret:argocd/x#y", forceUpdate: true, upateStrategy: semver}
                    """ + "\n" + ArgoCase.toKustomization + Self.one),
                "cd/site.yaml": ArgoCase.application("site", path: "site"),
                "site/kustomization.yaml": ArgoCase.kustomization("1.0.0"),
            ], want: ["site/kustomization.yaml": ArgoCase.kustomization("1.2.0")],
            says: [
                "cd/updater.yaml:7:14 ImageUpdater argocd/updater: spec.namespace is not used since version 1.2",
                "spec.commonUpdateSettings.pullSecret is not used", "forceUpdate changes nothing",
                "unknown field 'spec.commonUpdateSettings.upateStrategy'",
            ])
        try await example.check()
    }
}
