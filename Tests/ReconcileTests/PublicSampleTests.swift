import Agent
import AgentFakes
import TestSupport
import Testing

/// Manifests of the shapes that the public documentation of Flux v1, Flux v2, Argo CD Image Updater and Keel shows: the edit is
/// the one that the tool makes.
@Suite(.tags(.unit)) struct PublicSampleTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// The first file is the one that changes, where one does.
        let files: [(path: String, text: String)]
        /// By image, in the order in which they were pushed.
        let tags: [String: [String]]
        /// What is replaced in the first file; nothing: it stays.
        var edits: [(old: String, new: String)] = []

        init(
            _ testDescription: String, _ files: [(path: String, text: String)], tags: [String: [String]],
            edits: [(old: String, new: String)] = []
        ) {
            self.testDescription = testDescription
            self.files = files
            self.tags = tags
            self.edits = edits
        }
    }

    @Test(arguments: flux1 + flux2 + argo + keel) func `a sample gives the tool's edit`(_ sample: Sample) async throws {
        let world = try await World()
        for (image, tags) in sample.tags {
            for (number, tag) in tags.enumerated() {
                world.registry.push(image, tag, created: 1_600_000_000 + Int64(number) * 60)
            }
        }
        world.host.commit(Dictionary(uniqueKeysWithValues: sample.files.map { ($0.path, $0.text) }))
        let report = await world.cycle()
        let words = ArgoCase.words(of: report)
        #expect(report.failures.isEmpty, "\(words)")
        for (number, file) in sample.files.enumerated() {
            var want = file.text
            if number == 0 {
                for edit in sample.edits {
                    #expect(want.contains(edit.old), "the sample does not hold '\(edit.old)'")
                    want = want.replacing(edit.old, with: edit.new)
                }
            }
            #expect(world.host.text(file.path) == want, "\(file.path)\n\(words)")
        }
        let commits = world.host.messages().count
        _ = await world.cycle()
        #expect(world.host.messages().count == commits, "the second cycle commits again")
    }

    // MARK: Flux v1

    private static let helloworld = ["example.com/demo/helloworld", "example.com/demo/sidecar"]

    private static let flux1: [Sample] = [
        Sample(
            "Flux v1: a workload of two containers, each with its filter",
            [
                (
                    "workloads/helloworld-deploy.yaml",
                    """
                    apiVersion: apps/v1
                    kind: Deployment
                    metadata:
                      name: helloworld
                      annotations:
                        fluxcd.io/automated: "true"
                        fluxcd.io/tag.helloworld: glob:master-*
                        fluxcd.io/tag.sidecar: regexp:^([a-zA-Z]+)$
                    spec:
                      replicas: 1
                      template:
                        metadata: {labels: {name: helloworld}}
                        spec:
                          containers:
                          - name: helloworld
                            image: example.com/demo/helloworld:master-07a1b6b
                            args:
                            - -msg=Ahoy
                          - name: sidecar
                            image: example.com/demo/sidecar:old

                    """
                )
            ],
            tags: [
                helloworld[0]: ["master-07a1b6b", "master-9a16ff945b9e", "dev-2"],
                helloworld[1]: ["old", "stable", "v2"],
            ],
            edits: [("master-07a1b6b", "master-9a16ff945b9e"), ("sidecar:old", "sidecar:stable")]),
        Sample(
            "Flux v1: a HelmRelease with its chart's image",
            [
                (
                    "releases/redis.yaml",
                    """
                    apiVersion: helm.fluxcd.io/v1
                    kind: HelmRelease
                    metadata:
                      name: podinfo
                      namespace: demo
                      annotations:
                        fluxcd.io/automated: "true"
                        fluxcd.io/tag.chart-image: semver:~4.0
                    spec:
                      releaseName: podinfo
                      chart: {repository: "https://charts.example.com", name: podinfo, version: 4.0.0}
                      values:
                        image:
                          repository: example.com/demo/podinfo
                          tag: 4.0.0
                        replicas: 1

                    """
                )
            ], tags: ["example.com/demo/podinfo": ["4.0.0", "4.0.6", "4.1.0"]],
            edits: [("tag: 4.0.0", "tag: 4.0.6")]),
        Sample(
            "Flux v1: a HelmRelease whose annotations map the places",
            [
                (
                    "releases/mapped.yaml",
                    """
                    apiVersion: helm.fluxcd.io/v1
                    kind: HelmRelease
                    metadata:
                      name: web
                      annotations:
                        fluxcd.io/automated: "true"
                        fluxcd.io/tag.app: semver:^1
                        repository.fluxcd.io/app: deployment.img.name
                        tag.fluxcd.io/app: deployment.img.version
                    spec:
                      values:
                        deployment:
                          img: {name: example.com/demo/web, version: 1.0.0}

                    """
                )
            ], tags: ["example.com/demo/web": ["1.0.0", "1.3.0", "2.0.0"]],
            edits: [("version: 1.0.0", "version: 1.3.0")]),
        Sample(
            "Flux v1: a locked workload",
            [
                (
                    "workloads/locked.yaml",
                    """
                    apiVersion: apps/v1
                    kind: Deployment
                    metadata:
                      name: helloworld
                      annotations:
                        fluxcd.io/automated: "true"
                        fluxcd.io/locked: "true"
                        fluxcd.io/locked_user: Jo <jo@example.com>
                        fluxcd.io/locked_msg: pinned for the freeze
                    spec:
                      template:
                        spec:
                          containers: [{name: helloworld, image: "example.com/demo/helloworld:v1"}]

                    """
                )
            ], tags: [helloworld[0]: ["v1", "v2"]]),
    ]

    // MARK: Flux v2

    private static func fluxObjects(_ policy: String) -> (path: String, text: String) {
        (
            "clusters/my-cluster/podinfo-registry.yaml",
            """
            apiVersion: image.toolkit.fluxcd.io/v1beta2
            kind: ImageRepository
            metadata:
              name: podinfo
              namespace: flux-system
            spec:
              image: example.com/demo/podinfo
              interval: 5m
            ---
            apiVersion: image.toolkit.fluxcd.io/v1beta2
            kind: ImagePolicy
            metadata:
              name: podinfo
              namespace: flux-system
            spec:
              imageRepositoryRef:
                name: podinfo
            \(policy)
            ---
            apiVersion: source.toolkit.fluxcd.io/v1
            kind: GitRepository
            metadata: {name: flux-system, namespace: flux-system}
            spec: {interval: 1m, ref: {branch: main}, url: "https://git.example.com/acme/shop.git"}
            ---
            apiVersion: image.toolkit.fluxcd.io/v1beta2
            kind: ImageUpdateAutomation
            metadata:
              name: flux-system
              namespace: flux-system
            spec:
              interval: 30m
              sourceRef:
                kind: GitRepository
                name: flux-system
              git:
                checkout:
                  ref:
                    branch: main
                commit:
                  author:
                    email: fluxcdbot@users.noreply.example.com
                    name: fluxcdbot
                  messageTemplate: '{{range .Changed.Changes}}{{print .OldValue}} -> {{println .NewValue}}{{end}}'
                push:
                  branch: main
              update:
                path: ./clusters/my-cluster
                strategy: Setters

            """
        )
    }

    private static let range = fluxObjects("  policy:\n    semver:\n      range: 5.0.x")
    private static let podinfo = ["example.com/demo/podinfo": ["5.0.0", "5.0.3", "5.1.0"]]

    private static let flux2: [Sample] = [
        Sample(
            "Flux v2: a Deployment's marked image",
            [
                (
                    "clusters/my-cluster/podinfo-deployment.yaml",
                    """
                    apiVersion: apps/v1
                    kind: Deployment
                    metadata:
                      name: podinfo
                      namespace: default
                    spec:
                      template:
                        spec:
                          containers:
                          - name: podinfod
                            image: example.com/demo/podinfo:5.0.0 # {"$imagepolicy": "flux-system:podinfo"}
                            imagePullPolicy: IfNotPresent

                    """
                ), range,
            ], tags: podinfo, edits: [("podinfo:5.0.0", "podinfo:5.0.3")]),
        Sample(
            "Flux v2: a HelmRelease's name and tag",
            [
                (
                    "clusters/my-cluster/release.yaml",
                    """
                    apiVersion: helm.toolkit.fluxcd.io/v2
                    kind: HelmRelease
                    metadata: {name: podinfo, namespace: default}
                    spec:
                      interval: 10m
                      values:
                        image:
                          repository: example.com/demo/podinfo # {"$imagepolicy": "flux-system:podinfo:name"}
                          tag: 5.0.0  # {"$imagepolicy": "flux-system:podinfo:tag"}

                    """
                ), range,
            ], tags: podinfo, edits: [("tag: 5.0.0", "tag: 5.0.3")]),
        Sample(
            "Flux v2: a kustomization's images",
            [
                (
                    "clusters/my-cluster/kustomization.yaml",
                    """
                    apiVersion: kustomize.config.k8s.io/v1beta1
                    kind: Kustomization
                    resources:
                    - deployment.yaml
                    images:
                    - name: podinfo
                      newName: example.com/demo/podinfo # {"$imagepolicy": "flux-system:podinfo:name"}
                      newTag: 5.0.0 # {"$imagepolicy": "flux-system:podinfo:tag"}

                    """
                ), range,
            ], tags: podinfo, edits: [("newTag: 5.0.0", "newTag: 5.0.3")]),
        Sample(
            "Flux v2: the newest build of a branch by the time in its tag",
            [
                (
                    "clusters/my-cluster/task.yaml",
                    """
                    apiVersion: tekton.dev/v1
                    kind: Task
                    metadata: {name: golang, namespace: default}
                    spec:
                      steps:
                      - name: build
                        image: example.com/demo/podinfo:main-fe1b2c3-1600000000 # {"$imagepolicy": "flux-system:podinfo"}

                    """
                ),
                fluxObjects(
                    """
                      filterTags:
                        pattern: '^main-[a-fA-F0-9]+-(?P<ts>[0-9]+)'
                        extract: '$ts'
                      policy:
                        numerical:
                          order: asc
                    """),
            ],
            tags: [
                "example.com/demo/podinfo": [
                    "main-fe1b2c3-1600000000", "main-0a1b2c3-1600000900", "dev-0a1b2c3-1700000000",
                ]
            ], edits: [("main-fe1b2c3-1600000000", "main-0a1b2c3-1600000900")]),
        Sample(
            "Flux v2: releases by the time in their names",
            [
                (
                    "clusters/my-cluster/minio.yaml",
                    """
                    apiVersion: apps/v1
                    kind: StatefulSet
                    metadata: {name: minio, namespace: default}
                    spec:
                      template:
                        spec:
                          containers:
                          - name: minio
                            image: example.com/demo/podinfo:RELEASE.2020-11-19T23-48-16Z # {"$imagepolicy": "flux-system:podinfo"}

                    """
                ),
                fluxObjects(
                    """
                      filterTags:
                        pattern: '^RELEASE\\.(?P<timestamp>.*)Z$'
                        extract: '$timestamp'
                      policy:
                        alphabetical:
                          order: asc
                    """),
            ],
            tags: [
                "example.com/demo/podinfo": [
                    "RELEASE.2020-11-19T23-48-16Z", "RELEASE.2021-03-04T00-53-13Z", "latest",
                ]
            ], edits: [("RELEASE.2020-11-19T23-48-16Z", "RELEASE.2021-03-04T00-53-13Z")]),
    ]

    // MARK: Argo CD Image Updater

    private static func application(_ annotations: [String], source: String) -> String {
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata:
          name: guestbook
          namespace: argocd
          annotations:
        \(annotations.map { "    argocd-image-updater.argoproj.io/\($0)\n" }.joined())spec:
          destination: {namespace: guestbook, server: "https://kubernetes.default.svc"}
          project: default
          source:
            repoURL: https://git.example.com/acme/shop.git
            targetRevision: HEAD
        \(source)

        """
    }

    private static let nginx = ["nginx": ["1.26.0", "1.27.0", "1.27.4", "1.28.0"]]

    private static let argo: [Sample] = [
        Sample(
            "Argo CD Image Updater: the image list of a Helm application, written to its parameters",
            [
                (
                    "apps/guestbook.yaml",
                    application(
                        [
                            "image-list: web=nginx:~1.27", "web.helm.image-name: nginx.image.name",
                            "web.helm.image-tag: nginx.image.tag",
                        ],
                        source: """
                                path: helm-guestbook
                                helm:
                                  parameters:
                                  - name: nginx.image.name
                                    value: nginx
                                  - name: nginx.image.tag
                                    value: 1.27.0
                            """)
                ), ("helm-guestbook/Chart.yaml", "name: helm-guestbook\n"),
            ], tags: nginx, edits: [("value: 1.27.0", "value: 1.27.4")]),
        Sample(
            "Argo CD Image Updater: written back to git, into a kustomization",
            [
                (
                    "kustomize-guestbook/kustomization.yaml",
                    "resources:\n- deployment.yaml\nimages:\n- name: nginx\n  newTag: 1.27.0\n"
                ),
                (
                    "apps/guestbook.yaml",
                    application(
                        [
                            "image-list: nginx:~1.27", "write-back-method: git",
                            "write-back-target: \"kustomization:../kustomize-guestbook\"", "git-branch: main",
                        ], source: "    path: kustomize-guestbook")
                ),
            ], tags: nginx, edits: [("newTag: 1.27.0", "newTag: 1.27.4")]),
        Sample(
            "Argo CD Image Updater: written back to git, into values",
            [
                ("helm-guestbook/values.yaml", "image:\n  repository: nginx\n  tag: \"1.27.0\"\n"),
                ("helm-guestbook/Chart.yaml", "name: helm-guestbook\n"),
                (
                    "apps/guestbook.yaml",
                    application(
                        [
                            "image-list: web=nginx:~1.27", "write-back-method: git",
                            "write-back-target: helmvalues:values.yaml", "web.helm.image-name: image.repository",
                            "web.helm.image-tag: image.tag",
                        ], source: "    path: helm-guestbook")
                ),
            ], tags: nginx, edits: [("tag: \"1.27.0\"", "tag: \"1.27.4\"")]),
        Sample(
            "Argo CD Image Updater: an ImageUpdater",
            [
                (
                    "kustomize-guestbook/kustomization.yaml",
                    "resources:\n- deployment.yaml\nimages:\n- name: nginx\n  newTag: 1.27.0\n"
                ),
                (
                    "apps/guestbook.yaml",
                    application([], source: "    path: kustomize-guestbook").replacing("  annotations:\n", with: "")
                ),
                (
                    "apps/image-updater.yaml",
                    """
                    apiVersion: argocd-image-updater.argoproj.io/v1alpha1
                    kind: ImageUpdater
                    metadata:
                      name: my-image-updater
                      namespace: argocd
                    spec:
                      writeBackConfig:
                        method: git
                        gitConfig:
                          branch: main
                          writeBackTarget: kustomization
                      applicationRefs:
                      - namePattern: "guest*"
                        images:
                        - alias: nginx
                          imageName: nginx:1.27.x
                          commonUpdateSettings:
                            updateStrategy: semver

                    """
                ),
            ], tags: nginx, edits: [("newTag: 1.27.0", "newTag: 1.27.4")]),
    ]

    // MARK: Keel

    private static func keelDeployment(_ metadata: String, image: String) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: wd
          namespace: default
        \(metadata)
        spec:
          replicas: 1
          template:
            metadata:
              labels: {app: wd}
            spec:
              containers:
                - image: \(image)
                  imagePullPolicy: Always
                  name: wd
                  ports: [{containerPort: 8090}]

        """
    }

    private static let webhookDemo = ["example.com/demo/webhook-demo": ["0.0.8", "0.0.15", "0.1.0", "1.0.0"]]

    private static let keel: [Sample] = [
        Sample(
            "Keel: a policy among the annotations",
            [
                (
                    "wd.yaml",
                    keelDeployment(
                        """
                          annotations:
                            keel.sh/policy: minor
                            keel.sh/trigger: poll
                            keel.sh/pollSchedule: "@every 10m"
                        """, image: "example.com/demo/webhook-demo:0.0.8")
                )
            ], tags: webhookDemo, edits: [("webhook-demo:0.0.8", "webhook-demo:0.1.0")]),
        Sample(
            "Keel: a policy among the labels",
            [
                (
                    "wd.yaml",
                    keelDeployment(
                        "  labels: {name: wd, keel.sh/policy: patch}", image: "example.com/demo/webhook-demo:0.0.8")
                )
            ], tags: webhookDemo, edits: [("webhook-demo:0.0.8", "webhook-demo:0.0.15")]),
        Sample(
            "Keel: a glob",
            [
                (
                    "wd.yaml",
                    keelDeployment(
                        "  annotations: {keel.sh/policy: \"glob:build-*\"}",
                        image: "example.com/demo/webhook-demo:build-1")
                )
            ], tags: ["example.com/demo/webhook-demo": ["build-1", "build-2", "other"]],
            edits: [("webhook-demo:build-1", "webhook-demo:build-2")]),
        Sample(
            "Keel: a chart's values",
            [
                (
                    "charts/wd/values.yaml",
                    """
                    replicaCount: 1
                    image:
                      repository: example.com/demo/webhook-demo
                      tag: "0.0.8"
                    keel:
                      # keel policy (all/major/minor/patch/force)
                      policy: all
                      # trigger type, defaults to events such as pubsub, webhooks
                      trigger: poll
                      # polling schedule
                      pollSchedule: "@every 3m"
                      # images to track and update
                      images:
                        - repository: image.repository # it must be the same names as your app's values
                          tag: image.tag # it must be the same names as your app's values

                    """
                )
            ], tags: webhookDemo, edits: [("tag: \"0.0.8\"", "tag: \"1.0.0\"")]),
    ]
}
