import Foundation
import TestSupport
import Testing

/// `slipway build` as a person calls it.
@Suite(.tags(.endToEnd)) struct BuildCommandTests {
    private let scratch: TemporaryDirectory
    private let base: String

    init() throws {
        scratch = try TemporaryDirectory("build-command")
        base = try ImageFixtures.busybox(at: scratch.file("base"))
    }

    private func write(_ name: String, _ text: String) throws {
        let path = scratch.file("context/" + name)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    private func build(
        _ arguments: [String], environment: [String: String] = [:], allowFailure: Bool = false
    ) throws -> Shell.Output {
        let layout = base.dropFirst("oci:".count)
        return try Shell.run(
            [
                try Loop.binary, "build", "--context", scratch.file("context"), "--state-dir", scratch.file("state"),
                "--destination", "oci:\(scratch.file("out")):latest", "--build-context",
                "busybox=oci-layout://\(layout)",
            ] + arguments, environment: environment.merging(["HOME": scratch.path]) { own, _ in own },
            allowFailure: allowFailure)
    }

    /// The manifest and the configuration, as they are in the layout: not every tool reads Docker's types from one.
    private func image() throws -> (manifest: [String: Any], config: [String: Any]) {
        func object(_ path: String) throws -> [String: Any] {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.file("out/" + path)))
            return try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        }
        func blob(_ descriptor: [String: Any]?) throws -> [String: Any] {
            let digest = try #require(descriptor?["digest"] as? String)
            return try object("blobs/" + digest.replacingOccurrences(of: ":", with: "/"))
        }
        let manifests = try object("index.json")["manifests"] as? [[String: Any]]
        let manifest = try blob(manifests?.last)
        return (manifest, try blob(manifest["config"] as? [String: Any]))
    }

    @Test func secretsLeaveNoTrace() throws {
        try write("file-secret", "hunter2-in-a-file\n")
        try write(".dockerignore", "file-secret\n")
        try write(
            "Dockerfile",
            """
            FROM busybox
            RUN --mount=type=secret,id=file,required --mount=type=secret,id=variable,env=TOKEN \\
             test $(wc -c < /run/secrets/file) = 18 && test ${#TOKEN} = 26 && echo fine > /ok
            """)
        let output = try build(
            ["--secret", "id=file,src=\(scratch.file("context/file-secret"))", "--secret", "id=variable,env=MY_TOKEN"],
            environment: ["MY_TOKEN": "hunter2-in-the-environment"])
        #expect(!output.stdout.contains("hunter2") && !output.stderr.contains("hunter2"))
        try Shell.run(["rm", scratch.file("context/file-secret"), scratch.file("context/Dockerfile")])
        let places = [scratch.file("out"), scratch.file("state")]
        let unpacked = scratch.file("unpacked")
        try Shell.run([
            "sh", "-c",
            "mkdir \(unpacked); for f in \(scratch.file("out"))/blobs/sha256/*; do gzip -dc < $f > \(unpacked)/$(basename $f) 2>/dev/null || cp $f \(unpacked); done",
        ])
        let found = try Shell.run(
            ["grep", "-rlE", "hunter2-in-(a-file$|the-environment$)"] + places + [unpacked], allowFailure: true)
        #expect(found.stdout.isEmpty)
        let missing = try build(["--no-cache"], allowFailure: true)
        #expect(missing.status == 1)
        #expect(missing.stderr.contains("Dockerfile") || missing.stderr.contains("secret"))
    }

    @Test func labelsAnnotationsAndFormats() throws {
        try write("Dockerfile", "FROM busybox\nLABEL a=1 b=2\nRUN true\n")
        _ = try build(["--label", "b=3", "--annotation", "org.example.note=hello world", "--image-format", "docker"])
        let (manifest, whole) = try image()
        #expect(manifest["mediaType"] as? String == "application/vnd.docker.distribution.manifest.v2+json")
        #expect((manifest["annotations"] as? [String: String])?["org.example.note"] == "hello world")
        let layers = try #require(manifest["layers"] as? [[String: Any]])
        #expect(
            layers.allSatisfy { $0["mediaType"] as? String == "application/vnd.docker.image.rootfs.diff.tar.gzip" })
        let config = try #require(whole["config"] as? [String: Any])
        #expect(config["Labels"] as? [String: String] == ["a": "1", "b": "3"])
        _ = try build(["--image-format", "oci"])
        #expect(try image().manifest["mediaType"] as? String == "application/vnd.oci.image.manifest.v1+json")
    }

    @Test func concurrentOutputIsLabelled() throws {
        try write(
            "Dockerfile",
            """
            FROM busybox AS one
            RUN --mount=type=cache,id=m,target=/m touch /m/1; n=0; until [ -e /m/2 ] || [ $n = 300 ]; do n=$((n+1)); sleep 0.05; done; echo from-one; touch /x
            FROM busybox AS two
            RUN --mount=type=cache,id=m,target=/m touch /m/2; n=0; until [ -e /m/1 ] || [ $n = 300 ]; do n=$((n+1)); sleep 0.05; done; echo from-two; touch /y
            FROM scratch
            COPY --from=one /x /
            COPY --from=two /y /
            """)
        let output = try build(["--jobs", "2"])
        let lines = output.stderr.split(separator: "\n").map(String.init)
        for (line, label) in [("from-one", "[one 1/1]"), ("from-two", "[two 1/1]")] {
            let shown = try #require(lines.firstIndex { $0.hasSuffix("| \(line)") })
            // Either the line says whose it is, or the step was named last before it.
            let named = lines[..<shown].last { $0.hasPrefix("  [") }
            #expect(lines[shown].contains(label) || named?.contains(label) == true, "\(output.stderr)")
        }
    }

    @Test func refusesWhatCannotBe() throws {
        try write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        for (arguments, text) in [
            (["--jobs", "0"], "--jobs"), (["--secret", "src=x"], "no id"),
            (["--secret", "id=a,env=NOT_SET_AT_ALL"], "NOT_SET_AT_ALL"),
            (["--secret", "id=a,what=b"], "what"), (["--image-format", "tar"], "image-format"),
            (["--build-context", "x=ftp://example.com"], "not supported"), (["--build-context", "x"], "NAME=VALUE"),
            (["--build-context", "x=/no/such/folder"], "/no/such/folder"),
        ] {
            let output = try build(arguments, allowFailure: true)
            #expect(output.status == 64 || output.status == 1, "\(arguments): \(output)")
            #expect(output.stderr.contains(text), "\(arguments): \(output.stderr)")
        }
    }
}
