import Foundation
import TestSupport
import Testing

/// Someone else's history: built by a kaniko Pod, bumped by Flux. One sync makes the image and the bump, to the byte.
@Suite(.tags(.endToEnd)) struct ReplayTests {
    enum Remote: String, CaseIterable, Sendable { case file, http, ssh }
    enum Store: String, CaseIterable, Sendable { case registry, layout }

    @Test(arguments: Remote.allCases, Store.allCases)
    func `one sync builds, pushes and bumps; a second one does nothing and says why`(
        remote: Remote, store: Store
    ) async throws {
        let loop = try Loop("replay")
        let registry = store == .registry ? try await RegistryServer(directory: loop.scratch.file("registry")) : nil
        defer { registry?.stop() }
        let images: Loop.Images =
            registry.map { .registry(host: $0.host) } ?? .layout(path: loop.scratch.file("images"))
        let http = remote == .http ? try await GitHTTPServer(directory: loop.scratch.path) : nil
        let ssh = remote == .ssh ? try await SSHGitServer(directory: loop.scratch.path) : nil
        defer {
            http?.stop()
            ssh?.stop()
        }
        let url =
            http.map { $0.url + "/kaniko-site.git" } ?? ssh.map { $0.url + "/kaniko-site.git" }
            ?? "file://\(loop.repository.path)"
        let keys = ssh.map { ["--ssh-key", $0.keyPath, "--known-hosts", $0.knownHostsPath] } ?? []
        let start = try loop.repository.head("master")

        let first = try loop.sync(images, url: url, extra: keys)
        #expect(first.stderr.contains("Synchronizing with \(url)\n"))
        #expect(first.stderr.contains("Revision of master to apply is \(start.prefix(7))\n"))
        #expect(first.stderr.hasSuffix("Done.\n") || first.stderr.contains("\nDone.\n"))

        // The commit: on top of the old head, with exactly the diff of the history's own.
        #expect(try loop.repository.git("rev-parse", "master^") == start)
        let diff = try Shell.run(["git", "-C", loop.repository.path, "diff", "master~1", "master"]).stdout
        #expect(try diff == String(contentsOfFile: Loop.expectedDiff, encoding: .utf8))
        #expect(try loop.repository.git("log", "-1", "--format=%s", "master") == "Auto-release exampleorg/site:v4")
        try loop.repository.checkIntegrity()

        // The image: what the Dockerfile says, and where it came from.
        let inspected = try images.inspect("exampleorg/site:v4")
        #expect((inspected["Layers"] as? [String])?.count == 2)
        let raw = images.skopeo("exampleorg/site:v4")
        let manifest = try Shell.run(["skopeo", "inspect", "--raw"] + raw.flags + [raw.reference]).stdout
        #expect(manifest.contains("\"org.opencontainers.image.revision\":\"\(start)\""))
        let (reference, flags) = images.skopeo("exampleorg/site:v4")
        let copy = loop.scratch.file("copy")
        try Shell.run(
            ["skopeo", "copy", "--insecure-policy"]
                + flags.map { $0.replacingOccurrences(of: "--tls", with: "--src-tls") } + [reference, "oci:\(copy):v4"])
        try Shell.run(["umoci", "unpack", "--rootless", "--image", "\(copy):v4", loop.scratch.file("bundle")])
        let page = try String(
            contentsOfFile: loop.scratch.file("bundle/rootfs/srv/index.html"), encoding: .utf8)
        #expect(page == "This is version 3\n")

        let head = try loop.repository.head("master")
        let second = try loop.sync(images, url: url, extra: keys)
        #expect(try loop.repository.head("master") == head)
        #expect(second.stderr.contains("nothing to build"))
        #expect(second.stderr.contains("nothing to update"))
        #expect(second.stdout.contains("nothing to do"))
    }

    @Test func `a tag that the registry holds from another builder is not overwritten`() async throws {
        let loop = try Loop("foreign")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        try Shell.run(["mkdir", "-p", loop.scratch.file("images/exampleorg")])
        try Shell.run([
            "skopeo", "copy", "--insecure-policy", "oci:\(loop.base)",
            "oci:\(loop.scratch.file("images/exampleorg/site")):v3",
        ])
        let before = try images.inspect("exampleorg/site:v3")["Digest"] as? String
        try loop.sync(images)
        #expect(try images.inspect("exampleorg/site:v3")["Digest"] as? String == before)
        #expect(try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v4"))
    }

    @Test func `a change makes the next number, a commit of the agent's own does not`() throws {
        let loop = try Loop("numbers")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        try loop.sync(images)
        try loop.repository.checkOut("master")
        try loop.repository.commit(
            ["docker/Dockerfile": "FROM site-base\nRUN echo 'This is version 4' > /srv/index.html\n"],
            branch: "master", date: Loop.date + 100)
        try loop.sync(images)
        #expect(try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v5\n"))
        try loop.repository.commit(["README.md": "changed"], branch: "master", date: Loop.date + 200)
        let third = try loop.sync(images)
        #expect(third.stdout.contains("nothing to do"))
    }

    @Test func `manifests inside the build context do not build again`() throws {
        let loop = try Loop("inside")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let declaration = """
            builds:
              - name: site
                destinations: [exampleorg/site]
                tags: ["v{build.number}"]
            """
        try loop.repository.commit(
            [".slipway.yaml": declaration, "Dockerfile": "FROM site-base\nCOPY . /src\n"], branch: "master",
            date: Loop.date + 100)
        try loop.sync(images)
        let head = try loop.repository.head("master")
        #expect(try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v4\n"))
        // From nothing: the mirror, the store and the memory are gone.
        let second = try loop.sync(images, state: "other-state")
        #expect(second.stderr.contains("only the agent's own commits changed the context"))
        #expect(try loop.repository.head("master") == head)
    }

    @Test func `an image that lacks a name gets it without a build`() throws {
        let loop = try Loop("rename")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let manifest = try loop.repository.content(of: "workloads/build.yaml", at: "master")
            .replacingOccurrences(
                of: "\"--destination=exampleorg/site:v3\"",
                with: "\"--destination=exampleorg/site:v4\", \"--destination=exampleorg/site:latest\"")
        let start = try loop.repository.commit(
            ["workloads/build.yaml": manifest], branch: "master", date: Loop.date + 1)
        try loop.sync(images)
        let digest = try images.inspect("exampleorg/site:v4")["Digest"] as? String
        #expect(try images.inspect("exampleorg/site:latest")["Digest"] as? String == digest)

        // As after a crash between the two names: the deciding one is not there yet, and nothing is bumped.
        let index = loop.scratch.file("images/exampleorg/site/index.json")
        try Shell.run([
            "sh", "-c",
            "jq '.manifests |= map(select(.annotations[\"org.opencontainers.image.ref.name\"] != \"v4\"))' \(index) > \(index).new && mv \(index).new \(index)",
        ])
        try loop.repository.git("update-ref", "refs/heads/master", start)
        let output = try loop.sync(images, state: "other", extra: ["--output", "json"])
        let made = try Loop.report(output)["images"] as? [[String: Any]] ?? []
        #expect(made.map { $0["built"] as? Bool } == [false])
        #expect(try images.inspect("exampleorg/site:v4")["Digest"] as? String == digest)
        #expect(try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v4\n"))
    }

    @Test func `content that goes back to an earlier state gets a new number without a build`() throws {
        let loop = try Loop("revert")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let first = try loop.repository.content(of: "docker/Dockerfile", at: "master")
        try loop.sync(images)
        let other = first.replacingOccurrences(of: "version 3", with: "version 4")
        try loop.repository.commit(["docker/Dockerfile": other], branch: "master", date: Loop.date + 1)
        try loop.sync(images)
        try loop.repository.commit(["docker/Dockerfile": first], branch: "master", date: Loop.date + 2)
        let output = try loop.sync(images, extra: ["--output", "json"])
        let made = try Loop.report(output)["images"] as? [[String: Any]] ?? []
        #expect(made.map { $0["built"] as? Bool } == [false])
        #expect(try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v6\n"))
        let layers = try ["v4", "v6"].map { try images.inspect("exampleorg/site:\($0)")["Layers"] as? [String] }
        #expect(layers[0] == layers[1])
        #expect(try loop.sync(images).stdout.contains("nothing to do"))
    }

    @Test func `a state directory may be relative`() throws {
        let loop = try Loop("relative")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        try Shell.run(
            [
                try Loop.binary, "sync", "--repo", loop.repository.path, "--branch", "master", "--build-context",
                "site-base=oci-layout://\(loop.base)", "--state-dir", "here/state",
            ] + images.flags, in: loop.scratch.path, environment: ["HOME": loop.scratch.file("home")])
        #expect(FileManager.default.fileExists(atPath: loop.scratch.file("here/state/git")))
        #expect(!FileManager.default.fileExists(atPath: "/here"))
    }

    @Test func `plan shows the diff and changes nothing`() throws {
        let loop = try Loop("plan")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let head = try loop.repository.head("master")
        let plan = try loop.sync(images, verb: "plan")
        #expect(plan.stdout.contains("would build docker.io/exampleorg/site:v4"))
        #expect(try plan.stdout.contains(String(contentsOfFile: Loop.expectedDiff, encoding: .utf8)))
        #expect(try loop.repository.head("master") == head)
        #expect(!FileManager.default.fileExists(atPath: loop.scratch.file("images")))
    }
}
