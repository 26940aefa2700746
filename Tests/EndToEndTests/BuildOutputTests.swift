import Foundation
import TestSupport
import Testing

/// What `slipway build` leaves, and the flags that change it.
@Suite(.tags(.endToEnd)) struct BuildOutputTests {
    private let scratch: TemporaryDirectory

    init() throws {
        scratch = try TemporaryDirectory("build-output")
        try ImageFixtures.busybox(at: scratch.file("base"))
    }

    private func write(_ name: String, _ text: String) throws {
        let path = scratch.file("context/" + name)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @discardableResult
    private func build(
        _ arguments: [String], environment: [String: String] = [:], state: String = "state", allowFailure: Bool = false
    ) throws -> Shell.Output {
        try Shell.run(
            [
                try Loop.binary, "build", "--context", scratch.file("context"), "--state-dir", scratch.file(state),
                "--build-context", "busybox=oci-layout://\(scratch.file("base"))",
            ] + arguments, in: scratch.path, environment: ["HOME": scratch.path].merging(environment) { $1 },
            allowFailure: allowFailure)
    }

    private func json(_ path: String) throws -> [String: Any] {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.file(path)))
        return try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    }

    private func blob(_ layout: String, _ descriptor: [String: Any]?) throws -> [String: Any] {
        let digest = try #require(descriptor?["digest"] as? String)
        return try json("\(layout)/blobs/" + digest.replacingOccurrences(of: ":", with: "/"))
    }

    /// The only image of a layout.
    private func manifest(_ layout: String) throws -> [String: Any] {
        let entries = try #require(try json("\(layout)/index.json")["manifests"] as? [[String: Any]])
        #expect(entries.count == 1)
        return try blob(layout, entries.first)
    }

    private func tree(_ layout: String) throws -> ImageTree {
        let layers = try #require(try manifest(layout)["layers"] as? [[String: Any]])
        return try ImageTree(
            blobs: layers.compactMap {
                ($0["digest"] as? String).map {
                    scratch.file("\(layout)/blobs/sha256/\($0.dropFirst("sha256:".count))")
                }
            }, foreign: 1)
    }

    @Test func `layouts and archives that other tools read`() throws {
        try write("Dockerfile", "FROM busybox\nRUN echo hi > /hi\n")
        let output = try build([
            "--no-push", "--destination", "example.com/a/b:v1", "--oci-layout-path", scratch.file("layout"), "--output",
            "type=oci,dest=\(scratch.file("oci.tar"))", "--output",
            "type=docker,dest=\(scratch.file("docker.tar")),name=c/d:v2",
            "--output=json",
        ])
        let report = try #require(try JSONSerialization.jsonObject(with: Data(output.stdout.utf8)) as? [String: Any])
        let digest = try #require(report["digest"] as? String)
        for image in ["oci:\(scratch.file("layout")):v1", "oci-archive:\(scratch.file("oci.tar"))"] {
            #expect(try Shell.run(["skopeo", "inspect", "--format", "{{.Digest}}", image]).stdout.contains(digest))
        }
        #expect(
            try Shell.run(["skopeo", "list-tags", "docker-archive:\(scratch.file("docker.tar"))"]).stdout.contains(
                "c/d:v2"))
        // containerd knows the image by its whole name, others by its tag.
        for (name, expected) in [("", "example.com/a/b:v1"), (",name=nginx", "docker.io/library/nginx:latest")] {
            try build([
                "--no-push", "--destination", "example.com/a/b:v1",
                "--output", "type=oci,dest=\(scratch.file("named.tar"))" + name,
            ])
            try Shell.run(["tar", "-xf", scratch.file("named.tar"), "index.json"], in: scratch.path)
            let entries = try #require(try json("index.json")["manifests"] as? [[String: Any]])
            let annotations = try #require(entries.first?["annotations"] as? [String: String])
            #expect(annotations["io.containerd.image.name"] == expected)
            let tag = expected.split(separator: ":").last.map(String.init)
            #expect(annotations["org.opencontainers.image.ref.name"] == tag)
        }
        // The layout holds the newest only.
        try write("Dockerfile", "FROM busybox\nRUN echo ho > /hi\n")
        try build(["--no-push", "--oci-layout-path", scratch.file("layout")])
        #expect(try tree("layout")["hi"]?.text == "ho\n")
        // An archive may go to a pipe.
        let piped = try build(["--no-push", "--compression=zstd", "--tar-path=-", "--no-cache"]).stdout
        #expect(piped.contains("manifest.json"))
    }

    @Test func `a Dockerfile on standard input, and one that leads out of the context`() throws {
        try write("a", "from the context")
        try write("b", "ignored")
        try write(".dockerignore", "b")
        try Data("FROM busybox\nCOPY . /x/\n".utf8).write(to: URL(fileURLWithPath: scratch.file("piped")))
        let layout = scratch.file("layout")
        let words = [
            try Loop.binary, "build", "-f", "-", "--no-push", "--context", scratch.file("context"), "--state-dir",
            scratch.file("state"), "--build-context", "busybox=oci-layout://\(scratch.file("base"))", "--label", "bare",
            "--oci-layout-path", layout,
        ]
        try Shell.run(
            ["sh", "-c", #"in=$1; shift; exec "$@" < "$in""#, "sh", scratch.file("piped")] + words, in: scratch.path,
            environment: ["HOME": scratch.path])
        let files = try tree("layout")
        #expect(files["x/a"]?.text == "from the context" && files["x/b"] == nil)
        let config = try blob("layout", try manifest("layout")["config"] as? [String: Any])
        let labels = (config["config"] as? [String: Any])?["Labels"] as? [String: String]
        #expect(labels?["bare"] == "")

        for target in ["../piped", scratch.file("piped"), "../Dockerfile"] {
            try? FileManager.default.removeItem(atPath: scratch.file("context/Dockerfile"))
            try FileManager.default.createSymbolicLink(
                atPath: scratch.file("context/Dockerfile"), withDestinationPath: target)
            let failed = try build(["--no-push"], allowFailure: true)
            #expect(failed.status == 1)
            #expect(failed.stderr.contains("Dockerfile is a link that leads out of \(scratch.file("context"))"))
            #expect(failed.stderr.contains("its target is \(target)") && failed.stderr.contains("--dockerfile"))
        }
        // Named by the user, it is the user's own file.
        try FileManager.default.removeItem(atPath: scratch.file("context/Dockerfile"))
        try FileManager.default.createSymbolicLink(
            atPath: scratch.file("context/Dockerfile"), withDestinationPath: "../piped")
        try build(["--no-push", "--dockerfile", scratch.file("context/Dockerfile")])
    }

    @Test func `compression, one layer, paths left out`() throws {
        try write(
            "Dockerfile",
            """
            FROM busybox
            RUN echo a > /a && mkdir -p /secret /srv/new && echo x > /secret/x
            RUN test -f /secret/x && rm /srv/old.txt /a && echo b > /b && ln /b /c
            RUN rm -r /srv && mkdir /srv && echo n > /srv/n
            """)
        try build(["--no-push", "--oci-layout-path", scratch.file("plain")])
        try build([
            "--no-push", "--oci-layout-path", scratch.file("one"), "--single-snapshot",
            "--compression-level=9", "--ignore-path=/secret",
        ])
        try build([
            "--no-push", "--oci-layout-path", scratch.file("zstd"), "--compression=zstd", "--compression-level=7",
            "--tar-path=\(scratch.file("zstd.tar"))",
        ])
        let zstd = try #require(try manifest("zstd")["layers"] as? [[String: Any]])
        #expect(zstd.last?["mediaType"] as? String == "application/vnd.oci.image.layer.v1.tar+zstd")
        try Shell.run([
            "skopeo", "copy", "-q", "docker-archive:\(scratch.file("zstd.tar"))", "oci:\(scratch.file("again")):v",
        ])
        let layers = try #require(try manifest("one")["layers"] as? [[String: Any]])
        #expect(layers.count == 2)
        let (plain, one) = (try tree("plain"), try tree("one"))
        #expect(one.faults == [])
        var expected = plain.files.mapValues(\.description)
        for name in expected.keys where name.hasPrefix("secret") { expected[name] = nil }
        #expect(one.files.mapValues(\.description) == expected)
        #expect(one.names(ofFileAt: "b").sorted() == ["b", "c"])
        let config = try blob("one", try manifest("one")["config"] as? [String: Any])
        let history = try #require(config["history"] as? [[String: Any]])
        #expect(history.count { $0["empty_layer"] as? Bool != true } == 2)
        let unknown = try build(["--no-push", "--ignore-var-run", "--whitelist-var-run=false"])
        #expect(unknown.status == 0)
    }

    @Test func `reproducible, on two machines and at any time`() throws {
        try write("Dockerfile", "FROM busybox\nCOPY a /a\nRUN echo hi > /hi\n")
        try write("a", "one")
        let first = try build(["--no-push", "--reproducible"], state: "one").stdout
        try Shell.run(["touch", "-d", "2001-01-01", scratch.file("context/a")])
        #expect(try build(["--no-push", "--reproducible"], state: "two").stdout == first)
        // BuildKit's way to ask for it.
        let output = "--output=type=oci,dest=\(scratch.file("out.tar"))"
        #expect(try build(["--no-push", output + ",rewrite-timestamp=true"], state: "three").stdout == first)
        #expect(try build(["--no-push", output + ",rewrite-timestamp=false"], state: "four").stdout != first)
    }

    @Test func `stages: several targets, unused ones, a plan only`() throws {
        try write(
            "Dockerfile", "FROM busybox AS test\nRUN echo tested && false\nFROM busybox AS app\nRUN echo app > /app\n")
        #expect(try build(["--no-push", "--skip-unused-stages"]).status == 0)
        #expect(try build(["--no-push", "--target=app"]).status == 0)
        #expect(try build(["--no-push", "--skip-unused-stages=false"], allowFailure: true).status == 1)
        #expect(try build(["--no-push", "--target=app", "--target=test"], allowFailure: true).status == 1)
        let plan = try build(["--no-push", "--dryrun", "--target=test"]).stdout
        #expect(plan.contains("stage test (target)") && plan.contains("RUN echo tested"))
    }

    @Test func `several platforms in one index`() throws {
        try write("Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY a /a-$TARGETARCH\n")
        try write("a", "one")
        let output = try build([
            "--platform=linux/amd64,linux/arm64", "--destination=oci:\(scratch.file("out")):v1", "--oci-layout-path",
            scratch.file("layout"), "--output=json",
        ])
        let report = try #require(try JSONSerialization.jsonObject(with: Data(output.stdout.utf8)) as? [String: Any])
        #expect((report["platforms"] as? [String: String])?.count == 2)
        for layout in ["out", "layout"] {
            let index = try manifest(layout)
            let entries = try #require(index["manifests"] as? [[String: Any]])
            let platforms = entries.compactMap { ($0["platform"] as? [String: Any])?["architecture"] as? String }
            #expect(platforms == ["amd64", "arm64"])
            for (entry, platform) in zip(entries, platforms) {
                let config = try blob(layout, try blob(layout, entry)["config"] as? [String: Any])
                #expect(config["architecture"] as? String == platform)
            }
        }
        try Shell.run([
            "skopeo", "copy", "-q", "--all", "oci:\(scratch.file("out")):v1", "oci:\(scratch.file("copy")):v1",
        ])
        let archive = try build(
            ["--platform=linux/amd64,linux/arm64", "--no-push", "--tar-path=\(scratch.file("x.tar"))"],
            allowFailure: true)
        #expect(archive.status == 1 && archive.stderr.contains("several platforms"))
        #expect(!archive.stderr.contains("COPY"), "refused before anything is built")
        #expect(!FileManager.default.fileExists(atPath: scratch.file("x.tar")))
        // What cannot run here says so, with a way out.
        try write("Dockerfile", "FROM scratch\nCOPY a /a\nRUN [\"/a\"]\n")
        let foreign = try build(["--platform=linux/s390x", "--no-push"], allowFailure: true)
        #expect(foreign.status == 1)
        #expect(foreign.stderr.contains("linux/s390x") && foreign.stderr.contains("BUILDPLATFORM"))
    }

    @Test func `an index in two repositories, with odd annotations`() async throws {
        let registry = try await RegistryServer(directory: scratch.file("registry"))
        try write("Dockerfile", "FROM scratch\nARG TARGETPLATFORM\nCOPY a /a\nLABEL p=$TARGETPLATFORM\n")
        try write("a", String(repeating: "zstd ", count: 1_000))
        let names = ["\(registry.host)/one:1.0", "\(registry.host)/group/two:v2_x"]
        let digest = try build(
            [
                "--platform=linux/amd64,linux/arm64/v8", "--platform", "linux/arm/v7", "--insecure",
                "--compression=zstd", "--annotation", "org.example/formula=x = y; \"quoted\" =", "--annotation=empty=",
                "--annotation=name=ü", "--label=l=a = b", "--digest-file=out/deep/digest",
                "--image-name-with-digest-file=out/name", "--image-name-tag-with-digest-file=out/tag",
            ] + names.flatMap { ["--destination", $0] }
        ).stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        func text(_ name: String) throws -> String { try String(contentsOfFile: scratch.file(name), encoding: .utf8) }
        #expect(try text("out/deep/digest") == digest)
        #expect(
            try text("out/name") == "\(registry.host)/one@\(digest)\n\(registry.host)/group/two@\(digest)\n")
        #expect(try text("out/tag") == names.map { "\($0)@\(digest)\n" }.joined())
        func inspect(_ arguments: String...) throws -> [String: Any] {
            let output = try Shell.run(["skopeo", "inspect", "--tls-verify=false"] + arguments).stdout
            return try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
        }
        let asked = ["org.example/formula": "x = y; \"quoted\" =", "empty": "", "name": "ü"]
        for name in names {
            let index = try inspect("--raw", "docker://\(name)")
            #expect(index["annotations"] as? [String: String] == asked)
            let entries = try #require(index["manifests"] as? [[String: Any]])
            #expect(entries.count == 3)
            let place = name.prefix(upTo: try #require(name.lastIndex(of: ":")))
            for (entry, platform) in zip(entries, ["linux/amd64", "linux/arm64", "linux/arm/v7"]) {
                let image = "docker://\(place)@\(try #require(entry["digest"] as? String))"
                let manifest = try inspect("--raw", image)
                let annotations = try #require(manifest["annotations"] as? [String: String])
                #expect(annotations.merging(asked) { $1 } == annotations)
                let layers = try #require(manifest["layers"] as? [[String: Any]])
                #expect(layers.map { $0["mediaType"] as? String } == ["application/vnd.oci.image.layer.v1.tar+zstd"])
                let config = try inspect("--config", image)["config"] as? [String: Any]
                #expect((config?["Labels"] as? [String: String])?["p"]?.hasPrefix(platform) == true)
                #expect((config?["Labels"] as? [String: String])?["l"] == "a = b")
            }
        }
    }

    @Test func `a tag that must not move`() async throws {
        try write("Dockerfile", "FROM scratch\nCOPY a /a\n")
        try write("a", "one")
        let manifest =
            #"{"errors":[{"code":"TAG_INVALID","message":"The image tag 'v1' already exists and cannot be overwritten because the repository is immutable."}]}"#
        let server = try StubServer { request in
            if request.method == "PUT", request.path.contains("/manifests/v1") { return .text(400, manifest) }
            if request.path == "/v2/" || request.method == "HEAD" && request.path.contains("/blobs/") {
                return .text(200, "")
            }
            if request.method == "POST" {
                return .text(202, "", headers: [("Location", "/v2/a/blobs/uploads/1")])
            }
            return .text(request.method == "DELETE" ? 204 : 201, "")
        }
        let host = server.url.dropFirst("http://".count)
        let push = ["--destination=\(host)/a:v1", "--insecure-registry=\(host)"]
        #expect(try build(push, allowFailure: true).status == 1)
        let ignored = try build(push + ["--push-ignore-immutable-tag-errors"])
        #expect(ignored.stderr.contains("left as it is"))
    }
}
