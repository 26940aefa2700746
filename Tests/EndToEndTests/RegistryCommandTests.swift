import Foundation
import TestSupport
import Testing

/// `slipway registry` and `slipway image`, as a person types them, against docker-registry.
@Suite(.tags(.endToEnd)) struct RegistryCommandTests {
    private let scratch: TemporaryDirectory
    private let server: RegistryServer

    init() async throws {
        scratch = try TemporaryDirectory("registry-command")
        server = try await RegistryServer(directory: scratch.file("registry"))
    }

    @discardableResult
    private func slipway(_ arguments: [String], status: Int32 = 0) throws -> Shell.Output {
        var arguments = arguments
        if arguments[0] == "registry" { arguments += ["--insecure-registry", server.host] }
        let output = try Shell.run(
            [try Loop.binary] + arguments, environment: ["HOME": scratch.path, "TMPDIR": scratch.path],
            allowFailure: true)
        #expect(output.status == status, "\(arguments): \(output.stdout)\(output.stderr)")
        return output
    }

    private func json(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    /// A hostile registry's tags: each stays on its line, and none steers the terminal.
    @Test func `names that a registry makes up are shown as escapes`() throws {
        let stub = try StubServer { _ in
            .text(200, #"{"name":"app","tags":["v1\u001b[2J","v2\nv3","v4"],"repositories":["a\u001b]0;x\u0007"]}"#)
        }
        let insecure = ["--insecure-registry", stub.host]
        let tags = try slipway(["registry", "tags", "\(stub.host)/app"] + insecure).stdout
        #expect(tags == "v1\\u{1b}[2J\nv2\\nv3\nv4\n")
        let exact = try json(slipway(["registry", "tags", "\(stub.host)/app", "--output", "json"] + insecure).stdout)
        #expect(exact["tags"] as? [String] == ["v1\u{1B}[2J", "v2\nv3", "v4"])
        let catalog = try slipway(["registry", "catalog", stub.host] + insecure).stdout
        #expect(!catalog.contains("\u{1B}") && !catalog.contains("\u{07}"))
    }

    @Test func theWholeRound() throws {
        let layout = scratch.file("layout")
        try ImageFixtures.busybox(at: layout, tag: "v1")
        let image = "\(server.host)/team/app:v1"
        #expect(try slipway(["registry", "catalog", server.host]).stdout == "")
        let copied = try slipway(["registry", "copy", "oci:\(layout):v1", image, "--quiet"])
        #expect(copied.stderr == "")
        let digest = copied.stdout.trimmingCharacters(in: .newlines)
        #expect(digest.hasPrefix("sha256:") && digest.count == 71)
        #expect(try slipway(["registry", "digest", image]).stdout == digest + "\n")
        #expect(try slipway(["registry", "catalog", server.host]).stdout == "team/app\n")
        #expect(try slipway(["registry", "tags", "\(server.host)/team/app"]).stdout == "v1\n")

        let raw = try slipway(["registry", "manifest", image]).stdout
        let sum = try Shell.run(["sha256sum"], input: Array(raw.utf8)).stdout
        #expect(digest.hasSuffix(sum.prefix(64)), "the bytes are the registry's own")
        let wrapped = try json(try slipway(["registry", "manifest", image, "--output", "json"]).stdout)
        #expect(wrapped["digest"] as? String == digest)
        #expect((wrapped["manifest"] as? [String: Any])?["schemaVersion"] as? Int == 2)
        let config = try json(try slipway(["registry", "manifest", image, "--image-config"]).stdout)
        #expect(config["os"] as? String == "linux")

        let second = try json(
            try slipway(["registry", "copy", image, "\(server.host)/mirror", "--output", "json"]).stdout)
        #expect(second["digest"] as? String == digest)
        #expect((second["blobs"] as? [String: Int]) == ["copied": 0, "existed": 0, "mounted": 2])
        #expect(
            try json(try slipway(["registry", "catalog", server.host, "--output", "json"]).stdout)["repositories"]
                as? [String] == ["mirror", "team/app"])

        #expect(
            try slipway(["registry", "delete", image]).stdout.contains("deleted \(server.host)/team/app@\(digest)\n"))
        #expect(try slipway(["registry", "digest", image], status: 1).stderr.contains("there is no such image"))
        let mirror = "\(server.host)/mirror@\(digest)"
        let deleted = try json(try slipway(["registry", "delete", mirror, "--output", "json"]).stdout)
        #expect(deleted["manifestDeleted"] as? Bool == true)
        try slipway(["registry", "manifest", mirror], status: 1)
    }

    @Test func wrongUseIsExplained() throws {
        for (arguments, status, words) in [
            (["registry", "tags", "\(server.host)/nowhere"], 1, "no such repository"),
            (["registry", "tags", "\(server.host)/app:v1"], 64, "leave out the tag"),
            (["registry", "delete", "\(server.host)/app"], 64, "neither a tag nor a digest"),
            (["registry", "delete", "\(server.host)/app:v1"], 1, "no such tag"),
            (["registry", "catalog", "not a host"], 64, "HOST:PORT"),
            (["registry", "copy", "oci:\(scratch.path)/none:v1", "\(server.host)/app"], 1, "no such image"),
            (["registry", "copy", "a", "b", "--concurrency", "0"], 64, "--concurrency"),
            (["image", "parse", "Nginx"], 1, "lower case"),
            (["image", "parse"], 64, "<image>"),
        ] as [([String], Int32, String)] {
            let output = try slipway(arguments, status: status)
            #expect(output.stderr.contains(words), "\(output.stderr)")
            #expect(output.stdout == "")
        }
    }

    @Test func namesAreTakenApart() throws {
        let digest = "sha256:" + String(repeating: "0123456789abcdef", count: 4)
        for (name, parts) in [
            ("nginx", ["docker.io", "library/nginx", nil, nil]),
            ("localhost:5000/a/b:v1@\(digest)", ["localhost:5000", "a/b", "v1", digest]),
        ] as [(String, [String?])] {
            let value = try json(try slipway(["image", "parse", name, "--output", "json"]).stdout)
            #expect(["registry", "repository", "tag", "digest"].map { value[$0] as? String } == parts)
            #expect(value.keys.count == 8, "absent parts are null")
        }
        let layout = try json(try slipway(["image", "parse", "oci:/srv/x:v1", "--output", "json"]).stdout)
        #expect(layout["path"] as? String == "/srv/x" && layout["tag"] as? String == "v1")
        #expect(
            try slipway(["image", "parse", "nginx:1"]).stdout
                == "reference: docker.io/library/nginx:1\nregistry: docker.io\nrepository: library/nginx\ntag: 1\n")
    }
}
