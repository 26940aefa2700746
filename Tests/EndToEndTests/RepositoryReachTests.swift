import Foundation
import TestSupport
import Testing

/// Repositories that try to get at what is not theirs: files and images of the agent's machine, other repositories, other
/// registries. Each theft would succeed if it were tried: what is wanted is there.
@Suite(.tags(.endToEnd)) struct RepositoryReachTests {
    /// One `slipway sync` of a repository with these files, under an agent's configuration.
    private final class Bench: Sendable {
        let loop: GitLoop
        /// A directory of the machine with a token, and a layout with two tags.
        let outside: String

        init(_ name: String) throws {
            loop = try GitLoop(name)
            outside = loop.scratch.file("outside")
            try Shell.run(["sh", "-c", "mkdir -p \(outside) && echo s3cret > \(outside)/token"])
            try ImageFixtures.busybox(at: loop.scratch.file("base"))
            try Shell.run(["umoci", "init", "--layout", layout])
            for tag in ["1.0.0", "9.9.9"] { try Shell.run(["umoci", "new", "--image", "\(layout):\(tag)"]) }
        }

        var layout: String { loop.scratch.file("layout") }

        func sync(
            _ files: [String: String], entry: String = "", others: String = "", top: String = "", url: String? = nil,
            state: String = "state"
        ) throws -> (report: [String: Any], text: String) {
            try loop.repository.commit(files.mapValues { Optional($0) })
            let configuration = """
                stateDirectory: \(loop.scratch.file(state))
                \(top)
                registries:
                  - {host: docker.io, map: ["oci:\(loop.images)"]}
                repositories:
                  - name: shop
                    url: "\(url ?? loop.repository.path)"
                    branch: main
                \(entry.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
                  \(others)
                """
            let file = loop.scratch.file("agent.yaml")
            try Data(configuration.utf8).write(to: URL(fileURLWithPath: file))
            let output = try Shell.run(
                [try Loop.binary, "sync", "--config", file, "--output", "json"],
                environment: ["HOME": loop.scratch.file("home"), "DOCKER_CONFIG": loop.scratch.file("home/.docker")],
                allowFailure: true)
            let report = try Loop.report(output)
            let told = ["failures", "decisions"].flatMap { report[$0] as? [[String: String]] ?? [] }
            return (report, told.flatMap { $0.values.sorted() }.joined(separator: "\n") + output.stderr)
        }

        /// Whether anything was pushed that holds the token.
        var leaks: Bool {
            get throws {
                try Shell.run(
                    [
                        "sh", "-c",
                        "for f in $(find \(loop.images) \(outside) -path '*/blobs/*' -type f); do (zcat $f || cat $f) 2>/dev/null | grep -q s3cret && echo $f; done; true",
                    ]
                ).stdout != ""
            }
        }
    }

    private static func declaration(_ contexts: String, destination: String = "acme/web") -> String {
        """
        builds:
          - name: web
            destinations: ["\(destination)"]
            contexts: {\(contexts)}
        """
    }

    @Test(arguments: ["OUTSIDE", "oci:LAYOUT", "oci-layout://LAYOUT:1.0.0", "../outside", "file://OUTSIDE"])
    func `a context of the machine`(context: String) throws {
        let bench = try Bench("reach-context")
        let text = context.replacingOccurrences(of: "OUTSIDE", with: bench.outside)
            .replacingOccurrences(of: "LAYOUT", with: bench.layout)
        let (report, told) = try bench.sync([
            ".slipway.yaml": Self.declaration("host: '\(text)'"),
            "Dockerfile": "FROM scratch\nCOPY --from=host / /stolen/\n",
        ])
        #expect((report["images"] as? [Any])?.isEmpty == true)
        #expect(told.contains("on the agent's machine, which a repository may not read"), "\(told)")
        #expect(told.contains(".slipway.yaml:4:") && told.contains("as 'contexts' of this repository"))
        #expect(try !bench.leaks)
    }

    /// The same path, where the operator grants it.
    @Test func `a context that the configuration grants`() throws {
        let bench = try Bench("reach-granted")
        let (report, told) = try bench.sync(
            [
                ".slipway.yaml": "builds: [{name: web, destinations: [acme/web]}]",
                "Dockerfile": "FROM scratch\nCOPY --from=host /token /given\n",
            ], entry: "contexts: {host: \(bench.outside)}")
        #expect((report["images"] as? [Any])?.count == 1, "\(told)")
        #expect(try bench.leaks)
    }

    @Test func `a directory of the repository, and no link out of it`() throws {
        let bench = try Bench("reach-folder")
        try bench.loop.repository.commit(["libs/common/f": "shared\n"])
        try Shell.run(["ln", "-s", bench.outside, bench.loop.repository.workTree + "/way-out"])
        try Shell.run(["ln", "-s", bench.outside + "/token", bench.loop.repository.workTree + "/libs/common/link"])
        try bench.loop.repository.commitWorkTree(message: "links")
        let (report, told) = try bench.sync([
            ".slipway.yaml": Self.declaration("libs: libs/common"),
            "Dockerfile": "FROM scratch\nCOPY --from=libs f /f\n",
        ])
        #expect((report["images"] as? [Any])?.count == 1, "\(told)")
        for (contexts, dockerfile, reason) in [
            (
                "libs: way-out", "FROM scratch\nCOPY --from=libs token /t\n",
                "'way-out' is no directory of the repository"
            ),
            ("libs: libs/common", "FROM scratch\nCOPY --from=libs link/ /t\n", "link"),
            ("libs: libs/common", "FROM scratch\nCOPY --from=libs --parents ../../way-out/token /t\n", "token"),
        ] {
            let (report, told) = try bench.sync([".slipway.yaml": Self.declaration(contexts), "Dockerfile": dockerfile])
            #expect((report["images"] as? [Any])?.isEmpty == true, "\(told)")
            #expect(told.contains(reason), "\(told)")
        }
        #expect(try !bench.leaks)
    }

    /// The agent's own commits to a folder that a build takes are no reason to build again.
    @Test func `manifests in a named folder do not build again`() throws {
        let bench = try Bench("reach-own")
        let files = [
            ".slipway.yaml": """
            builds:
              - name: web
                context: app
                destinations: [acme/web]
                tags: ["1.{build.number}.0"]
                contexts: {deploy: deploy}
            """,
            "app/Dockerfile": "FROM scratch\nCOPY --from=deploy / /deploy/\n",
            "deploy/web.yaml": GitLoop.deployment("web", image: "acme/web:0.0.1"),
        ]
        let (first, told) = try bench.sync(files)
        #expect((first["images"] as? [Any])?.count == 1 && (first["commits"] as? [Any])?.count == 1, "\(told)")
        let (second, again) = try bench.sync([:], state: "other")
        #expect((second["images"] as? [Any])?.isEmpty == true, "\(again)")
    }

    @Test func `a destination on the machine`() throws {
        let bench = try Bench("reach-destination")
        let target = bench.loop.scratch.file("outside/written")
        let job = """
            apiVersion: batch/v1
            kind: Job
            metadata: {name: build}
            spec:
              template:
                spec:
                  containers:
                  - name: kaniko
                    image: gcr.io/kaniko-project/executor:v1.24.0
                    args: ["--context=dir:///workspace", "--destination=oci:\(target):v1", "--tar-path=\(target).tar"]
                    volumeMounts: [{name: src, mountPath: /workspace}]
                  volumes: [{name: src, emptyDir: {}}]

            """
        for files in [
            [
                ".slipway.yaml": Self.declaration("", destination: "oci:\(target)"),
                "Dockerfile": "FROM scratch\nLABEL a=b\n",
            ],
            ["ci/job.yaml": job, "Dockerfile": "FROM scratch\nLABEL a=b\n", ".slipway.yaml": ""],
        ] {
            if files["ci/job.yaml"] != nil { try bench.loop.repository.commit([".slipway.yaml": nil]) }
            let (_, told) = try bench.sync(files.filter { !$0.value.isEmpty })
            #expect(told.contains("directory of the agent's machine, where a repository may not write"), "\(told)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.outside) == ["token"])
    }

    @Test func `a base image on the machine`() throws {
        let bench = try Bench("reach-base")
        for line in ["FROM oci:\(bench.layout):1.0.0", "FROM scratch\nCOPY --from=oci:\(bench.layout):1.0.0 / /"] {
            let (report, told) = try bench.sync([
                ".slipway.yaml": "builds: [{name: web, destinations: [acme/web]}]",
                "Dockerfile": line + "\nLABEL a=b\n",
            ])
            #expect((report["images"] as? [Any])?.isEmpty == true)
            #expect(told.contains("a Dockerfile cannot name an OCI layout") && told.contains("Dockerfile:"), "\(told)")
        }
    }

    // MARK: Manifests

    /// 9.9.9 is in the layout: who looks there writes it.
    @Test func `images of the machine in manifests`() throws {
        let bench = try Bench("reach-manifests")
        let layout = "oci:" + bench.layout
        try bench.loop.publish("acme/web", ["1.0.0", "1.1.0"])
        let requires = GitLoop.deployment("requires", image: "acme/web:1.0.0")
            .replacingOccurrences(of: "  annotations:\n", with: "  annotations:\n    slipway.dev/requires: \(layout)\n")
        let flux = """
            apiVersion: image.toolkit.fluxcd.io/v1
            kind: ImageRepository
            metadata: {name: web, namespace: flux-system}
            spec: {image: '\(layout)'}
            ---
            apiVersion: image.toolkit.fluxcd.io/v1
            kind: ImagePolicy
            metadata: {name: web, namespace: flux-system}
            spec: {imageRepositoryRef: {name: web}, policy: {semver: {range: '*'}}}
            ---
            kind: ConfigMap
            data:
              tag: 1.0.0 # {"$imagepolicy": "flux-system:web:tag"}

            """
        let argo = """
            apiVersion: argoproj.io/v1alpha1
            kind: Application
            metadata:
              name: shop
              namespace: argocd
              annotations:
                argocd-image-updater.argoproj.io/image-list: web=\(layout)
            spec:
              source:
                repoURL: \(bench.loop.repository.path)
                path: argo
                targetRevision: main
                kustomize: {images: ['\(layout):1.0.0']}

            """
        let kustomization = """
            apiVersion: kustomize.config.k8s.io/v1beta1
            kind: Kustomization
            metadata:
              name: shop
              annotations: {fluxcd.io/automated: "true"}
            images:
            - {name: web, newName: '\(layout)', newTag: 1.0.0}

            """
        let files = [
            "deploy/direct.yaml": GitLoop.deployment("direct", image: layout + ":1.0.0"),
            "deploy/requires.yaml": requires,
            "flux/all.yaml": flux, "argo/application.yaml": argo, "kustomize/kustomization.yaml": kustomization,
            "deploy/good.yaml": GitLoop.deployment("good", image: "acme/web:1.0.0"),
        ]
        let (_, told) = try bench.sync(files)
        for (file, text) in files where file != "deploy/good.yaml" {
            #expect(try bench.loop.repository.content(of: file) == text, "\(file) was changed")
            #expect(told.contains(file), "nothing is said of \(file): \(told)")
        }
        #expect(!told.contains("9.9.9"))
        #expect(told.contains("directory of the agent's machine, which a repository may not read"))
        #expect(try bench.loop.repository.content(of: "deploy/good.yaml").contains("acme/web:1.1.0"), "others go on")
    }

    // MARK: Credentials

    @Test func `another repository of the same host`() async throws {
        let bench = try Bench("reach-credentials")
        let other = try GitRepositoryFixture(in: bench.loop.scratch.path, name: "private.git")
        let commit = try other.commit(["token": "s3cret\n"])
        let server = try await GitHTTPServer(directory: bench.loop.scratch.path, user: "ci", password: "hunter2")
        defer { server.stop() }
        try Data("hunter2".utf8).write(to: URL(fileURLWithPath: bench.loop.scratch.file("password")))
        let git = "git: {username: ci, passwordFile: \(bench.loop.scratch.file("password"))}"
        let url = server.url + "/repo.git"
        let files = [
            ".slipway.yaml": "builds: [{name: web, destinations: [acme/web]}]",
            "Dockerfile": "FROM scratch\nADD \(server.url)/private.git#\(commit) /stolen/\n",
        ]
        let (refused, told) = try bench.sync(files, top: git, url: url)
        #expect((refused["images"] as? [Any])?.isEmpty == true)
        #expect(told.contains("cannot fetch the git repository") && told.contains("Dockerfile:2:1"), "\(told)")
        #expect(told.contains("builds.credentials"), "\(told)")
        #expect(!told.contains("hunter2"))
        #expect(try !bench.leaks)

        let (given, granted) = try bench.sync(
            [:], top: git + "\nbuilds: {credentials: ['\(server.url)/private']}", url: url)
        #expect((given["images"] as? [Any])?.count == 1, "\(granted)")
        let (own, alone) = try bench.sync(
            ["f": "2", "Dockerfile": files["Dockerfile"]! + "ADD f /f\n"],
            entry: "allowed: {credentials: ['\(server.url)']}",
            top: git, url: url)
        #expect((own["images"] as? [Any])?.count == 1, "\(alone)")

        // Two entries of one repository, of which one has the grant, in one process.
        let (first, both) = try bench.sync(
            ["f": "3"], entry: "allowed: {credentials: ['\(server.url)']}",
            others: "- {name: other, url: '\(url)', branch: main}", top: git, url: url)
        #expect((first["images"] as? [Any])?.count == 1, "\(both)")
        #expect(both.contains("builds.credentials"), "\(both)")
    }

    @Test func `registries that the repository may not use`() throws {
        let bench = try Bench("reach-allowed")
        let files = [
            ".slipway.yaml": "builds: [{name: web, destinations: [acme/web]}, {name: evil, destinations: [evil/web]}]",
            "Dockerfile": "FROM acme/private:1\n",
        ]
        try bench.loop.publish("acme/private", ["1"])
        let allowed = "allowed: {destinations: ['docker.io/acme/*'], bases: ['docker.io/library/*']}"
        let (report, told) = try bench.sync(files, entry: allowed)
        #expect((report["images"] as? [Any])?.isEmpty == true)
        #expect(told.contains("'evil' may not push to docker.io/evil/web"), "\(told)")
        #expect(told.contains("repositories[shop].allowed.destinations allows docker.io/acme/*"))
        #expect(told.contains("may not use the image docker.io/acme/private:1"), "\(told)")
        #expect(told.contains("repositories[shop].allowed.bases allows docker.io/library/*"))
        let (context, again) = try bench.sync(
            [
                ".slipway.yaml": Self.declaration("theirs: docker-image://acme/private:1"),
                "Dockerfile": "FROM theirs\n",
            ], entry: allowed)
        #expect((context["images"] as? [Any])?.isEmpty == true)
        #expect(
            again.contains("may not use the image acme/private:1") || again.contains("docker.io/acme/private:1"),
            "\(again)")
        // What the agent's configuration itself gives a name is the operator's word.
        let (given, granted) = try bench.sync(
            [".slipway.yaml": "builds: [{name: web, destinations: [acme/web]}]"],
            entry: allowed + "\ncontexts: {theirs: 'docker-image://acme/private:1'}")
        #expect((given["images"] as? [Any])?.count == 1, "\(granted)")
    }
}
