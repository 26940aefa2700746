import OCI
import TestSupport
import Testing

@testable import Agent

/// From what the executor sees in its pod to the repository.
@Suite(.tags(.unit)) struct KanikoContextTests {
    private func found(
        _ manifest: String, files: Set<String> = ["Dockerfile", "app/Dockerfile", "app/web/Dockerfile", "docs/a.md"],
        urls: [String] = ["https://git.example.com/acme/shop.git"]
    ) -> KanikoDiscovery.Found {
        KanikoDiscovery(
            repositoryURLs: urls, branch: "main",
            tree: .init(
                isFile: { files.contains($0) },
                isDirectory: { directory in files.contains { $0.hasPrefix(directory + "/") } })
        ).builds(in: "build.yaml", bytes: Array(manifest.utf8))
    }

    /// - Parameter spec: lines of the container and of the pod beside it.
    private func pod(_ args: [String], container: [String] = [], spec: [String] = []) -> String {
        let lines = ["args: [\((args + ["-d=a/b:1"]).map { "'\($0)'" }.joined(separator: ", "))]"] + container
        return """
            kind: Pod
            metadata: {name: build}
            spec:
              containers:
              - name: kaniko
                image: gcr.io/kaniko-project/executor:v1.24.0
            \(lines.map { "    " + $0 }.joined(separator: "\n"))
            \(spec.map { "  " + $0 }.joined(separator: "\n"))
            """
    }

    struct Usual: Sendable {
        var args: [String]
        var directory: String
        var dockerfile: String
        var note: String?
        var files: Set<String> = ["app/Dockerfile", "app/web/Dockerfile"]

        static let all: [Usual] = [
            Usual(
                args: ["--context=dir:///workspace", "--context-sub-path=app"], directory: "app",
                dockerfile: "app/Dockerfile",
                note: "/workspace of the pod is taken to be the root of this repository, so"),
            Usual(args: ["--context=dir:///workspace/app"], directory: "app", dockerfile: "app/Dockerfile"),
            Usual(args: ["--context=/workspace/app/"], directory: "app", dockerfile: "app/Dockerfile"),
            Usual(
                args: ["--context=dir:///build/app"], directory: "app", dockerfile: "app/Dockerfile", note: "/build of"),
            Usual(args: ["--context=dir:///src/app"], directory: "app", dockerfile: "app/Dockerfile", note: "/src of"),
            Usual(
                args: ["--context=dir:///workspace/app", "--context-sub-path=web"], directory: "app/web",
                dockerfile: "app/web/Dockerfile"),
            Usual(
                args: ["--context=dir:///workspace", "--context-sub-path=/app/../app/web/"], directory: "app/web",
                dockerfile: "app/web/Dockerfile"),
            Usual(
                args: ["--context=dir:///workspace/shop/app"], directory: "app", dockerfile: "app/Dockerfile",
                note: "/workspace/shop of the pod is taken to be the root of this repository, so /workspace/shop/app is"
            ),
            Usual(
                args: ["--context=dir:///workspace/source", "--context-sub-path=app"], directory: "app",
                dockerfile: "app/Dockerfile", note: "/workspace/source of the pod is taken"),
            Usual(
                args: ["--context=dir:///workspace/app", "--dockerfile=web/Dockerfile"], directory: "app",
                dockerfile: "app/web/Dockerfile"),
            Usual(
                args: ["--context=dir:///workspace/app", "--dockerfile=/workspace/app/web/Dockerfile"],
                directory: "app",
                dockerfile: "app/web/Dockerfile"),
            Usual(
                args: ["--context=/workspace", "--context-sub-path=app"], directory: "", dockerfile: "Dockerfile",
                note: "--context-sub-path has no effect", files: ["Dockerfile", "app/Dockerfile"]),
            Usual(
                args: ["--context=dir:///workspace/app"], directory: "app", dockerfile: "app/Dockerfile",
                note: "kaniko would take /workspace/Dockerfile", files: ["Dockerfile", "app/Dockerfile"]),
            Usual(
                args: ["--context=dir:///workspace/app"], directory: "app", dockerfile: "Dockerfile",
                files: ["Dockerfile", "app/main.c"]),
            Usual(
                args: ["--context=dir:///workspace/shop"], directory: "", dockerfile: "Dockerfile",
                note: "/workspace/shop of the pod is taken to be the root of this repository", files: ["Dockerfile"]),
            Usual(
                args: ["--context=git://github.com/acme/shop.git", "--context-sub-path=app"], directory: "app",
                dockerfile: "app/Dockerfile"),
        ]
    }

    @Test(arguments: Usual.all) func `nobody in sight fills the context`(_ usual: Usual) throws {
        let found = found(pod(usual.args), files: usual.files)
        let pipeline = try #require(found.pipelines.first, "\(found.skipped)")
        #expect(pipeline.contextPath == usual.directory)
        #expect(pipeline.dockerfile == usual.dockerfile)
        if let note = usual.note { #expect(pipeline.notes.contains { $0.contains(note) }, "\(pipeline.notes)") }
        if usual.args.contains(where: { $0.contains("dir://") }) { #expect(!pipeline.notes.isEmpty) }
    }

    @Test(arguments: [
        // The directory exists, and has no Dockerfile: the root's is not meant.
        ["--context=dir:///workspace/docs", "--dockerfile=Containerfile"],
        ["--context=dir:///workspace/docs", "--dockerfile=/workspace/docs/Dockerfile"],
        ["--context=dir:///workspace", "--context-sub-path=nowhere"],
        ["--context=git://github.com/acme/shop.git", "--context-sub-path=nowhere", "--dockerfile=x"],
    ])
    func `no Dockerfile there`(args: [String]) throws {
        let found = found(pod(args))
        #expect(found.pipelines.isEmpty)
        #expect(found.skipped.first?.isError == true)
    }

    // MARK: Filled by an init container

    private static let mount = "volumeMounts: [{name: src, mountPath: /workspace}]"

    private func cloned(_ command: String, at mountPath: String, _ args: [String], mount: String = Self.mount) -> String
    {
        pod(
            args, container: [mount],
            spec: [
                "initContainers:",
                "- {name: git, image: alpine/git, command: \(command), volumeMounts: [{name: src, mountPath: \(mountPath)}]}",
                "volumes: [{name: src, emptyDir: {}}]",
            ])
    }

    @Test(arguments: [
        ("[git, clone, 'https://git.example.com/acme/shop.git', /workspace]", "/workspace", "/workspace/app", "app"),
        // Another path of the same volume.
        ("[git, clone, 'https://git.example.com/acme/shop.git', /repo]", "/repo", "/workspace/app", "app"),
        ("[git, clone, 'https://git.example.com/acme/shop.git', /repo/code]", "/repo", "/workspace/code", ""),
        (
            "[sh, -c, 'cd /repo && git clone https://git.example.com/acme/shop.git']", "/repo",
            "/workspace/shop/app/web", "app/web"
        ),
        ("[git, clone, -b, main, 'https://git.example.com/acme/shop.git', /repo]", "/repo", "/workspace", ""),
    ])
    func `a volume that a clone fills`(command: String, at: String, context: String, directory: String) throws {
        let found = found(
            cloned(command, at: at, ["--context=dir://\(context)"]),
            files: ["Dockerfile", "app/web/Dockerfile", "app/Dockerfile"])
        let pipeline = try #require(found.pipelines.first, "\(found.skipped)")
        #expect(pipeline.contextPath == directory)
        #expect(!pipeline.notes.contains { $0.contains("is taken to be") })
    }

    @Test(arguments: [
        (["--context=git://github.com/acme/shop.git", "--git=branch=main"], true),
        (["--context=git://github.com/acme/shop.git", "--git", "branch=main,single-branch=true,depth=1"], true),
        (["--context=git://github.com/acme/shop.git", "--git=branch="], true),
        (["--context=git://github.com/acme/shop.git", "--git=branch=dev"], false),
        (["--context=git://github.com/acme/shop.git", "--git=single-branch=true,branch=refs/heads/dev"], false),
        // What the URL says goes first.
        (["--context=git://github.com/acme/shop.git#refs/heads/main", "--git=branch=dev"], true),
        (["--context=git://github.com/acme/shop.git#refs/heads/dev", "--git=branch=main"], false),
        // Elsewhere nothing is cloned.
        (["--context=dir:///workspace", "--git=branch=dev"], true),
    ])
    func `the branch of --git counts as kaniko counts it`(_ args: [String], _ isBuilt: Bool) throws {
        let found = found(pod(args), urls: ["https://github.com/acme/shop.git"])
        #expect(found.pipelines.count == (isBuilt ? 1 : 0), "\(found.skipped)")
        if !isBuilt {
            #expect(found.skipped.map(\.reason) == ["the context is \(Self.other(args)), and this is branch main"])
        }
    }

    private static func other(_ args: [String]) -> String {
        args.contains { $0.contains("refs/heads/dev") } ? "refs/heads/dev" : "dev"
    }

    @Test func `what else --git says is named or refused`() throws {
        let noted = found(
            pod(["--context=git://github.com/acme/shop.git", "--git=recurse-submodules=true,insecure-skip-tls=true"]),
            urls: ["https://github.com/acme/shop.git"])
        #expect(noted.pipelines.first?.notes.count == 1)
        #expect(noted.pipelines.first?.notes.allSatisfy { $0.hasPrefix("--git=insecure-skip-tls") } == true)
        #expect(noted.pipelines.first?.fetchesSubmodules == true)
        let refused = found(pod(["--context=git://github.com/acme/shop.git", "--git=brnch=dev"]))
        #expect(refused.skipped.first?.reason == "executor flag '--git' has the unknown option 'brnch'")
    }

    @Test func `a directory of a cloned volume`() throws {
        let found = found(
            cloned(
                "[git, clone, 'https://git.example.com/acme/shop.git', /repo/shop]", at: "/repo",
                ["--context=dir:///workspace/web"],
                mount: "volumeMounts: [{name: src, mountPath: /workspace, subPath: shop/app}]"))
        #expect(try #require(found.pipelines.first, "\(found.skipped)").contextPath == "app/web")
    }

    @Test(arguments: [
        (
            "[git, clone, 'https://t0ken@git.example.com/other/shop.git', /repo]",
            "another repository, https://git.example.com/other/shop.git"
        ),
        ("[git, clone, $(REPOSITORY), /repo]", "another repository, $(REPOSITORY)"),
        ("[git, clone, --branch=dev, 'https://git.example.com/acme/shop.git', /repo]", "the context is dev"),
        ("[sh, -c, 'git clone -b v1 https://git.example.com/acme/shop.git /repo']", "the context is v1"),
    ])
    func `a volume that is filled with something else`(command: String, reason: String) throws {
        let found = found(cloned(command, at: "/repo", ["--context=dir:///workspace"]))
        #expect(found.pipelines.isEmpty)
        #expect(try #require(found.skipped.first).reason.contains(reason), "\(found.skipped)")
    }

    @Test(arguments: [
        ("repository: 'https://git.example.com/acme/shop.git', directory: .", "/workspace", nil),
        ("repository: 'https://git.example.com/acme/shop.git'", "/workspace/shop", nil),
        ("repository: 'https://git.example.com/acme/shop.git', directory: x, revision: main", "/workspace/x", nil),
        (
            "repository: 'https://git.example.com/acme/shop.git', directory: ., revision: abc", "/workspace",
            "the context is abc"
        ),
        ("repository: 'https://git.example.com/other/shop.git', directory: .", "/workspace", "another repository"),
    ])
    func `a gitRepo volume`(volume: String, context: String, reason: String?) throws {
        let found = found(
            pod(
                ["--context=dir://\(context)"], container: [Self.mount],
                spec: ["volumes: [{name: src, gitRepo: {\(volume)}}]"]))
        #expect(found.pipelines.isEmpty == (reason != nil), "\(found.skipped)")
        if let reason { #expect(try #require(found.skipped.first).reason.contains(reason)) }
    }

    // MARK: Words that are expanded

    private func job(_ call: [String]) -> String {
        """
        kind: Job
        metadata: {name: j}
        spec:
          template:
            spec:
              containers:
              - name: k
                image: gcr.io/kaniko-project/executor:debug
                env:
                - {name: TAG, value: v7}
                - {name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: token}}}
                - {name: FULL, value: "r/$(TAG)"}
        \(call.map { "        " + $0 }.joined(separator: "\n"))
        """
    }

    @Test(arguments: [
        (
            ["args: [--destination=a/b:1, --build-arg=T=$(TOKEN)]"], "j.yaml:13:37",
            "executor flag '--build-arg' uses $(TOKEN)"
        ),
        (
            ["args:", "- --destination=a/b:1", "- --build-arg", "- T=$(TOKEN)"], "j.yaml:16:11",
            "'--build-arg' uses $(TOKEN)"
        ),
        (
            ["args: [--destination=a/b:$(TOKEN)]"], "j.yaml:13:",
            "uses $(TOKEN), which 'valueFrom' takes from the cluster (j.yaml:11:"
        ),
        (["args: [--destination=a/b:1, $(TOKEN)]"], "j.yaml:13:", "an argument of the executor uses $(TOKEN)"),
        (
            ["args: [--destination=a/b:1, --label=x=$(MISSING)]", "envFrom: [{secretRef: {name: s}}]"], "j.yaml:13:",
            "'envFrom' takes"
        ),
        (["args: [--destination=a/b:1, --no-push=$(TOKEN)]"], "j.yaml:13:", "'--no-push' uses $(TOKEN)"),
        (["args: [--destination=a/b:1, --target=$(DB_SERVICE_HOST)]"], "j.yaml:13:", "Service"),
        (
            ["command: [sh, -c, \"/kaniko/executor --destination=a/b:1 --build-arg='T=$(TOKEN)'\"]"], "j.yaml:13:",
            "uses $(TOKEN)"
        ),
        (
            ["command: [sh, -c, '/kaniko/executor -d a/b:1 --build-arg T=$TOKEN']"], "j.yaml:13:",
            "uses $TOKEN, which only the shell"
        ),
        (["command: [sh, -c, '/kaniko/executor -d a/b:$(date +%s)']"], "j.yaml:13:", "uses $(…), which only the shell"),
        (["command: [sh, -c, 'TAG=x; /kaniko/executor -d a/b:$TAG']"], "j.yaml:13:", "uses $TAG"),
        (["command: [sh, -c, '/kaniko/executor -d a/b:1; /kaniko/executor -d a/b:2']"], "j.yaml:13:", "more than once"),
        (["command: [sh, -c, 'cd $D; /kaniko/executor -d a/b:1']"], "j.yaml:13:", "cannot be followed"),
    ])
    func `what the repository does not know is refused with its line`(call: [String], place: String, reason: String)
        throws
    {
        let found = KanikoDiscovery(
            repositoryURLs: ["https://git.example.com/acme/shop"], branch: "main",
            tree: .init(isFile: { $0 == "Dockerfile" }, isDirectory: { _ in false })
        ).builds(in: "j.yaml", bytes: Array(job(call).utf8))
        #expect(found.pipelines.isEmpty)
        let skipped = try #require(found.skipped.first)
        #expect(skipped.origin.hasPrefix(place), "\(skipped.origin)")
        #expect(skipped.origin.hasSuffix("(Job j, container k)"))
        #expect(skipped.reason.contains(reason), "\(skipped.reason)")
        #expect(skipped.remedy?.contains(".slipway.yaml") == true && skipped.isError)
    }

    @Test(arguments: [
        (["args: ['--destination=$(FULL)', '--build-arg=A=$$(TOKEN)', '--label=l=$(NONE)']"], "A=$(TOKEN)"),
        // What does not matter here may be unknown.
        (
            [
                "args: ['--destination=$(FULL)', --cache-repo=$(TOKEN), --cleanup=$(TOKEN), --insecure=$(TOKEN), --verbosity, $(TOKEN), --build-arg=A=a]"
            ], "A=a"
        ),
        (["command: [sh, -c, 'set -e; /kaniko/executor -d r/$TAG --build-arg \"A=${TAG} x\" && echo done']"], "A=v7 x"),
        (
            [
                "command:", "- sh", "- -c", "- |", "  # builds", "  /kaniko/executor -d $(FULL) \\",
                "    --build-arg=A='$TAG'",
            ], "A=$TAG"
        ),
        (
            [
                "command: [/bin/sh, -c]",
                "args: ['cd app/.. && exec /kaniko/executor --context=. -d r/v7 --build-arg=A=1']",
            ], "A=1"
        ),
    ])
    func `what it knows is expanded`(call: [String], argument: String) throws {
        let found = found(job(call))
        let pipeline = try #require(found.pipelines.first, "\(found.skipped)")
        #expect(pipeline.arguments.map { "\($0.name)=\($0.value)" } == [argument])
        #expect(pipeline.destinations.map(\.repository.description) == ["docker.io/r/v7"])
    }
}
