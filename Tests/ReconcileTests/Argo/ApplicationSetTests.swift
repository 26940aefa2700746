import Agent
import TestSupport
import Testing

/// ApplicationSets whose values the repository itself tells.
@Suite(.tags(.unit)) struct ApplicationSetTests {
    @Test(arguments: answered) func `Applications of static generators are updated`(_ example: ArgoCase) async throws {
        try await example.check()
    }

    @Test(arguments: refused) func `what git does not tell is named, and nothing is written`(
        _ example: ArgoCase
    ) async throws {
        try await example.check()
    }

    // MARK: Objects

    private static let all = ArgoCase.updater(
        "  applicationRefs:\n  - namePattern: \"*\"\n    useAnnotations: true\n")

    /// A set whose Applications write into the kustomization of their path.
    private static func set(
        _ generators: String, name: String = "{{app}}", path: String = "apps/{{app}}", range: String = "{{range}}",
        options: String = "", method: String = "git"
    ) -> String {
        """
        apiVersion: argoproj.io/v1alpha1
        kind: ApplicationSet
        metadata: {name: fleet, namespace: argocd}
        spec:
        \(options)  generators:
        \(generators)
          template:
            metadata:
              name: '\(name)'
              annotations:
                argocd-image-updater.argoproj.io/image-list: 'web=acme/app:\(range)'
                argocd-image-updater.argoproj.io/write-back-method: \(method)
                argocd-image-updater.argoproj.io/write-back-target: kustomization
            spec:
              project: '{{unknown}}'
              source: {repoURL: '\(ArgoCase.repository)', targetRevision: HEAD, path: '\(path)'}
        """
    }

    private static let go = "  goTemplate: true\n  goTemplateOptions: [missingkey=error]\n"

    /// - Parameter want: the tags of the kustomizations afterwards, by their folders.
    private static func example(
        _ name: String, _ set: String, _ want: [String: String], files: [String: String] = [:], others: [String] = [],
        says: [String] = []
    ) -> ArgoCase {
        var all = ["cd/updater.yaml": Self.all, "cd/set.yaml": set].merging(files) { $1 }
        for folder in Array(want.keys) + others {
            all["\(folder)/kustomization.yaml"] = ArgoCase.kustomization("1.0.0")
        }
        return ArgoCase(
            name: name, files: all,
            want: Dictionary(
                uniqueKeysWithValues: want.map { ("\($0.key)/kustomization.yaml", ArgoCase.kustomization($0.value)) }),
            says: says)
    }

    static let answered: [ArgoCase] = [
        example(
            "a list, one element an Application",
            set("  - list: {elements: [{app: shop, range: 1.x}, {app: blog, range: 1.0.x}]}", name: "{{ app }}-live"),
            ["apps/shop": "1.2.0", "apps/blog": "1.0.9"]),
        example(
            "a list with values of its own, and one in a text",
            set(
                """
                  - list:
                      elements: [{app: shop, values: {range: 1.x}}]
                      elementsYaml: |
                        - {app: blog, values: {range: 1.0.x}}
                """, range: "{{values.range}}"), ["apps/shop": "1.2.0", "apps/blog": "1.0.9"]),
        example(
            "Go's templates with numbers, conditions and functions",
            set(
                "  - list: {elements: [{app: Shop, minor: 2, live: true}, {app: BLOG, minor: 0, live: false}]}",
                name: "{{ .app | lower }}", path: "{{ if .live }}live{{ else }}dev{{ end }}/{{ lower .app }}",
                range: "~1.{{ .minor }}", options: go), ["live/shop": "1.2.0", "dev/blog": "1.0.9"]),
        example(
            "directories: one part for a star, exclusions win, none with a dot in front",
            set(
                """
                  - git:
                      repoURL: \(ArgoCase.repository)
                      revision: HEAD
                      directories: [{path: teams/*/apps/*}, {path: teams/attic/apps/*, exclude: true}]
                      values: {range: "1.x"}
                """, name: "{{path[1]}}-{{path.basename}}", path: "{{path}}", range: "{{values.range}}"),
            ["teams/a/apps/x": "1.2.0", "teams/b/apps/y": "1.2.0"],
            others: ["teams/attic/apps/z", "teams/a/apps/x/deep", "teams/a/apps/.old"]),
        example(
            "files: patterns cross slashes, contents are values",
            set(
                """
                  - git:
                      repoURL: \(ArgoCase.repository)
                      revision: main
                      files: [{path: "envs/**/config.json"}, {path: "envs/old/*", exclude: true}]
                """, name: "{{name}}", path: "{{path}}", range: "{{image.range}}"),
            ["envs/eu/live": "1.0.9"],
            files: [
                "envs/eu/live/config.json": #"{"name": "live", "image": {"range": "1.0.x", "retries": 3}}"#,
                "envs/old/x/config.json": #"{"name": "old", "image": {"range": "2.x"}}"#,
            ], others: ["envs/old/x"]),
        example(
            "files in Go's templates: a list of mappings, and the path over a key of its name",
            set(
                """
                  - git:
                      repoURL: \(ArgoCase.repository)
                      revision: HEAD
                      files: [{path: "fleet.yaml"}, {path: "sub/empty.yaml"}]
                """, name: "{{ default \"none\" .app }}-{{ .path.filename }}",
                path: "{{ if .app }}apps/{{ .app }}{{ else }}{{ .path.path }}{{ end }}", range: "1.x",
                options: "  goTemplate: true\n"),
            ["apps/a": "1.2.0", "apps/b": "1.2.0", "sub": "1.2.0"],
            files: ["fleet.yaml": "- {app: a, path: mine}\n- {app: b}\n", "sub/empty.yaml": "# nothing\n"]),
        example(
            "a matrix: the second generator is made of the first",
            set(
                """
                  - matrix:
                      generators:
                      - list: {elements: [{env: live, range: 1.0.x}, {env: dev, range: 1.x}]}
                      - git:
                          repoURL: \(ArgoCase.repository)
                          revision: HEAD
                          directories: [{path: "{{env}}/*"}]
                """, name: "{{env}}-{{path.basename}}", path: "{{path}}"),
            ["live/a": "1.0.9", "dev/a": "1.2.0", "dev/b": "1.2.0"]),
        example(
            "a merge: later sets override equal keys and add none",
            set(
                """
                  - merge:
                      mergeKeys: [app]
                      generators:
                      - list: {elements: [{app: shop, range: 1.x}, {app: blog, range: 1.x}]}
                      - list: {elements: [{app: blog, range: 1.0.x}, {app: ghost, range: 2.x}]}
                """), ["apps/shop": "1.2.0", "apps/blog": "1.0.9"], others: ["apps/ghost"]),
        example(
            "a selector beside the generator",
            set(
                """
                  - list: {elements: [{app: shop, range: 1.x, tier: live}, {app: blog, range: 1.x, tier: dev}]}
                    selector: {matchExpressions: [{key: tier, operator: NotIn, values: [dev]}]}
                """), ["apps/shop": "1.2.0"], others: ["apps/blog"]),
        example(
            "a generator's own template",
            set(
                """
                  - list:
                      elements: [{app: shop, range: 1.0.x}]
                      template:
                        metadata: {}
                        spec: {source: {path: "other/{{app}}", repoURL: ""}}
                  - list: {elements: [{app: blog, range: 1.x}]}
                """), ["other/shop": "1.0.9", "apps/blog": "1.2.0"], others: ["apps/shop"]),
        example(
            "a patch of the template",
            set(
                "  - list: {elements: [{app: shop, frozen: 'yes'}, {app: blog, frozen: ''}]}", name: "{{ .app }}",
                path: "apps/{{ .app }}", range: "1.x",
                options: go + """
                      templatePatch: |
                        {{- if .frozen }}
                        metadata:
                          annotations:
                            argocd-image-updater.argoproj.io/image-list: web=acme/app:1.0.x
                        {{- end }}

                    """), ["apps/shop": "1.0.9", "apps/blog": "1.2.0"]),
        example(
            "what other generators give, beside one that git does not answer",
            set("  - clusters: {}\n  - list: {elements: [{app: shop, range: 1.x}]}"), ["apps/shop": "1.2.0"],
            says: [
                "cd/set.yaml:1 ApplicationSet argocd/fleet: the generator 'clusters' asks what git does not tell "
                    + "(generators[0]): no Applications are taken from it; 1 of its other generators are"
            ]),
    ]

    static let refused: [ArgoCase] = [
        example(
            "clusters",
            set("  - clusters: {selector: {matchLabels: {a: b}}}", name: "{{name}}", path: "apps/a", range: "1.x"),
            [:], others: ["apps/a"], says: ["the generator 'clusters' asks what git does not tell"]),
        example(
            "a matrix with clusters in it",
            set(
                "  - matrix: {generators: [{list: {elements: [{app: a, range: 1.x}]}}, {clusters: {}}]}"), [:],
            others: ["apps/a"], says: ["the generator 'clusters' asks what git does not tell"]),
        example(
            "another repository",
            set("  - git: {repoURL: 'https://x.example.com/y.git', directories: [{path: '*'}]}"), [:],
            says: ["reads another repository"]),
        example(
            "a number in fasttemplate's list", set("  - list: {elements: [{app: a, range: 1.0}]}"), [:],
            others: ["apps/a"], says: ["the value of 'range' in its list is not a text"]),
        example(
            "a value that nothing gives", set("  - list: {elements: [{app: a}]}"), [:], others: ["apps/a"],
            says: ["'web=acme/app:{{range}}' names a value that its generator does not give"]),
        example(
            "a value that nothing gives, in Go's templates",
            set(
                "  - list: {elements: [{app: a}]}", name: "{{ .app }}", path: "apps/a", range: "{{ .range }}",
                options: "  goTemplate: true\n"), [:], others: ["apps/a"],
            says: ["names a value that its generator does not give"]),
        example(
            "two Applications of one name",
            set("  - list: {elements: [{app: a, range: 1.x}, {app: a, range: 1.0.x}]}"), [:], others: ["apps/a"],
            says: ["2 of its Applications are called 'a': none of them is taken"]),
        example(
            "the live object of an ApplicationSet",
            set("  - list: {elements: [{app: a, range: 1.x}]}", method: "argocd"), [:], others: ["apps/a"],
            says: ["ApplicationSet argocd/fleet makes this Application and would put a changed one back"]),
        example(
            "functions that are not reproducible",
            set(
                "  - list: {elements: [{app: a}]}", name: "{{ .app }}-{{ randAlpha 3 }}", path: "apps/a", range: "1.x",
                options: go), [:], others: ["apps/a"], says: ["cannot be rendered", "randAlpha"]),
    ]
}
