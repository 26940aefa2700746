import OCI
import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct KanikoDiscoveryTests {
    private func discovery(
        _ files: Set<String>, urls: [String] = ["https://git.example.com/acme/shop.git"], branch: String = "main"
    ) -> KanikoDiscovery {
        KanikoDiscovery(
            repositoryURLs: urls, branch: branch,
            tree: .init(
                isFile: { files.contains($0) },
                isDirectory: { directory in files.contains { $0.hasPrefix(directory + "/") } }))
    }

    private func pod(
        _ args: String, image: String = "gcr.io/kaniko-project/executor:v1.24.0", more: String = ""
    ) -> [UInt8] {
        Array(
            """
            apiVersion: v1
            kind: Pod
            metadata: {name: build}
            spec:
              containers:
              - name: kaniko
                image: \(image)
                args: \(args)
                volumeMounts: [{name: src, mountPath: /workspace}]
              volumes: [{name: src, emptyDir: {}}]
            \(more)
            """.utf8)
    }

    @Test func `a Pod with everything`() throws {
        let found = discovery(["app/Dockerfile", "app/main.c"]).builds(
            in: "ci/build.yaml",
            bytes: pod(
                """
                ["--context=git://github.com/acme/shop.git#refs/heads/main", "--context-sub-path=app",
                      "--destination=acme/shop:v1", "--destination=acme/shop:latest", "--build-arg=A=b c", "--target=run"]
                """))
        #expect(found.skipped.isEmpty)
        let pipeline = try #require(found.pipelines.first)
        #expect(pipeline.contextPath == "app")
        #expect(pipeline.dockerfile == "app/Dockerfile")
        #expect(pipeline.target == "run")
        #expect(pipeline.arguments == [BuildArgument(name: "A", value: "b c")])
        #expect(pipeline.destinations.map(\.naming) == [.literal("v1"), .literal("latest")])
        #expect(pipeline.destinations.first?.repository.description == "docker.io/acme/shop")
        #expect(pipeline.origin == "ci/build.yaml (Pod build, container kaniko)")
    }

    @Test(arguments: [
        ("[\"--context=dir:///workspace\", \"-d=a/b:1\"]", "", "Dockerfile"),
        ("[\"--context=dir:///workspace/app\", \"-d=a/b:1\"]", "app", "app/Dockerfile"),
        ("[\"--context=/workspace\", \"--dockerfile=app/Dockerfile\", \"-d=a/b:1\"]", "", "app/Dockerfile"),
        (
            "[\"--context=dir://workspace\", \"--dockerfile=/workspace/app/Dockerfile\", \"-d=a/b:1\"]", "",
            "app/Dockerfile"
        ),
        ("[\"--destination\", \"a/b:1\"]", "", "Dockerfile"),
    ])
    func `a directory of the pod`(args: String, context: String, dockerfile: String) throws {
        let found = discovery(["Dockerfile", "app/Dockerfile"]).builds(in: "build.yaml", bytes: pod(args))
        let pipeline = try #require(found.pipelines.first, "\(found.skipped)")
        #expect(pipeline.contextPath == context)
        #expect(pipeline.dockerfile == dockerfile)
        #expect(pipeline.notes.contains { $0.contains("/workspace of the pod is taken to be the root") })
    }

    @Test(arguments: [
        ("[\"--context=git://github.com/other/thing.git\", \"-d=a/b:1\"]", "is another repository"),
        ("[\"--context=git://github.com/other/shop.git\", \"-d=a/b:1\"]", "is another repository"),
        (
            "[\"--context=https://t0ken@github.com/other/shop.git\", \"-d=a/b:1\"]",
            "https://github.com/other/shop.git is"
        ),
        ("[\"--dockerfile=https://h.example.com/Dockerfile\", \"-d=a/b:1\"]", "not in this repository"),
        ("[\"--context=git://github.com/acme/shop.git#refs/heads/dev\", \"-d=a/b:1\"]", "this is branch main"),
        ("[\"--context=s3://bucket/context.tar.gz\", \"-d=a/b:1\"]", "not in this repository"),
        ("[\"--context=dir:///workspace\", \"-d=<user>/<repo>\"]", "no image reference"),
        ("[\"--context=dir:///workspace\", \"-d=$(IMAGE)\"]", "no image reference"),
        ("[\"--context=dir:///workspace\"]", "no --destination"),
        ("[\"--context=dir:///workspace\", \"--no-push\"]", "nothing would be published"),
        (
            "[\"--context=dir:///workspace\", \"--dockerfile=nope/Dockerfile\", \"-d=a/b:1\"]",
            "is no file of this repository"
        ),
    ])
    func `no build, with the reason`(args: String, reason: String) throws {
        let found = discovery(["Dockerfile"]).builds(in: "build.yaml", bytes: pod(args))
        #expect(found.pipelines.isEmpty)
        let skipped = try #require(found.skipped.first)
        #expect(skipped.reason.contains(reason), "\(skipped)")
        #expect(skipped.origin.hasPrefix("build.yaml"))
    }

    @Test(arguments: [
        ("gcr.io/kaniko-project/executor:latest", true), ("gcr.io/kaniko-project/executor:debug", true),
        ("ghcr.io/osscontainertools/kaniko:v1.28.3", true), ("gcr.io/kaniko-project/warmer:latest", false),
        ("acme/executor:1", false), ("localhost:5000/kaniko-project/executor@sha256:0", true), ("nginx", false),
    ])
    func `what is an executor`(image: String, isExecutor: Bool) {
        let found = discovery(["Dockerfile"]).builds(
            in: "build.yaml", bytes: pod("[\"--context=dir:///workspace\", \"-d=a/b:1\"]", image: image))
        #expect(found.pipelines.isEmpty != isExecutor)
    }

    @Test func `environment variables are replaced as the kubelet does`() throws {
        let bytes = Array(
            """
            kind: Job
            metadata: {name: j}
            spec:
              template:
                spec:
                  containers:
                  - name: k
                    image: gcr.io/kaniko-project/executor
                    env: [{name: TAG, value: v7}]
                    command: ["/kaniko/executor", "--context=dir:///workspace"]
                    args: ["--destination=a/b:$(TAG)", "--build-arg=LITERAL=$$(TAG)"]
            """.utf8)
        let pipeline = try #require(discovery(["Dockerfile"]).builds(in: "j.yaml", bytes: bytes).pipelines.first)
        #expect(pipeline.destinations.map(\.naming) == [.literal("v7")])
        #expect(pipeline.arguments == [BuildArgument(name: "LITERAL", value: "$(TAG)")])
    }

    @Test func `a file that is not YAML is passed over with its place`() throws {
        let found = discovery([]).builds(in: "t.yaml", bytes: Array("kaniko: {{ .Values.x }\n - a: [".utf8))
        #expect(found.pipelines.isEmpty)
        #expect(found.skipped.first?.origin.hasPrefix("t.yaml") == true)
        #expect(found.skipped.first?.isError == false)
    }
}
