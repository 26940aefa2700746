import Foundation
import TestSupport
import Testing

/// SIGKILL at every boundary of the cycle, then a start with an empty state directory: the end is the same.
@Suite(.tags(.endToEnd)) struct CrashTests {
    static let boundaries = [
        "sync", "discover", "changed", "execute", "push", "scan", "select", "rewrite", "commit", "publish",
    ].flatMap { ["before:\($0)", "after:\($0)"] }

    @Test(arguments: boundaries)
    func `killed and started anew`(boundary: String) throws {
        let loop = try Loop("crash")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let start = try loop.repository.head("master")
        let killed = try loop.sync(
            images, state: "first", extra: ["--reproducible"], environment: ["SLIPWAY_FAILPOINT": boundary],
            allowFailure: true)
        #expect(killed.status == 128 + 9, "the process should have died at \(boundary): \(killed.stderr)")

        let output = try loop.sync(images, state: "second", extra: ["--reproducible", "--output", "json"])
        let report = try Loop.report(output)
        let built = (report["images"] as? [[String: Any]] ?? []).count { $0["built"] as? Bool == true }
        let isPushed = ["after:push", "scan", "select", "rewrite", "commit", "publish"].contains {
            boundary.hasSuffix($0)
        }
        #expect(built == (isPushed ? 0 : 1), "nothing is built twice once it is in the registry")

        // One bump commit, and the same one as without the crash.
        #expect(try loop.repository.git("rev-parse", "master^") == start)
        let diff = try Shell.run(["git", "-C", loop.repository.path, "diff", "master~1", "master"]).stdout
        #expect(try diff == String(contentsOfFile: Loop.expectedDiff, encoding: .utf8))
        try loop.repository.checkIntegrity()
        let tags = try Shell.run(
            ["skopeo", "list-tags", "oci:\(loop.scratch.file("images/exampleorg/site"))"], allowFailure: true)
        if tags.status == 0 { #expect(!tags.stdout.contains("v5")) }
        #expect(try Self.configuration(images) == Self.undisturbed.get())

        let again = try loop.sync(images, state: "third")
        #expect(again.stdout.contains("nothing to do"))
    }

    @Test(arguments: ["after:execute", "after:push", "after:commit", "after:publish"])
    func `the same with a registry and a git server`(boundary: String) async throws {
        let loop = try Loop("crash-registry")
        let registry = try await RegistryServer(directory: loop.scratch.file("registry"))
        let server = try await GitHTTPServer(directory: loop.scratch.path)
        defer {
            registry.stop()
            server.stop()
        }
        let url = server.url + "/kaniko-site.git"
        let images = Loop.Images.registry(host: registry.host)
        let start = try loop.repository.head("master")
        let killed = try loop.sync(
            images, url: url, state: "first", extra: ["--reproducible"], environment: ["SLIPWAY_FAILPOINT": boundary],
            allowFailure: true)
        #expect(killed.status == 128 + 9)
        let report = try Loop.report(
            loop.sync(images, url: url, state: "second", extra: ["--reproducible", "--output", "json"]))
        let built = (report["images"] as? [[String: Any]] ?? []).count { $0["built"] as? Bool == true }
        #expect(built == (boundary == "after:execute" ? 1 : 0))
        #expect(try loop.repository.git("rev-parse", "master^") == start)
        #expect(try Self.configuration(images) == Self.undisturbed.get())
        let tags = try Shell.run([
            "skopeo", "list-tags", "--tls-verify=false", "docker://\(registry.host)/exampleorg/site",
        ])
        #expect(tags.stdout.contains("\"v4\"") && !tags.stdout.contains("\"v5\""))
        try loop.repository.checkIntegrity()
    }

    /// The digest of the configuration that the image has when nobody disturbs the cycle. It covers the layers and the
    /// history; the manifest's names the repository, which is another one in each test.
    static let undisturbed = Result<String, any Error> {
        let loop = try Loop("undisturbed")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        try loop.sync(images, extra: ["--reproducible"])
        return try configuration(images)
    }

    static func configuration(_ images: Loop.Images) throws -> String {
        let (reference, flags) = images.skopeo("exampleorg/site:v4")
        let text = try Shell.run(["skopeo", "inspect", "--raw"] + flags + [reference]).stdout
        let manifest = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        let configuration = manifest?["config"] as? [String: Any]
        guard let digest = configuration?["digest"] as? String else { throw TestSupportError("no digest in \(text)") }
        return digest
    }
}
