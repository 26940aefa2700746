import Foundation
import TestSupport
import Testing

/// `slipway build` with a shared cache, and contexts from object stores.
@Suite(.tags(.endToEnd)) struct BuildCacheTests {
    private let scratch: TemporaryDirectory
    private let base: String

    init() throws {
        scratch = try TemporaryDirectory("build-cache")
        base = String(try ImageFixtures.busybox(at: scratch.file("base")).dropFirst("oci:".count))
        try FileManager.default.createDirectory(atPath: scratch.file("context"), withIntermediateDirectories: true)
        try write("Dockerfile", "FROM busybox\nARG FLAVOUR=red\nCOPY f /data/f\nRUN cat /data/f; echo $FLAVOUR > /g\n")
        try write("f", "one")
    }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.file("context/\(name)")))
    }

    private func build(
        _ arguments: [String], state: String, environment: [String: String] = [:], allowFailure: Bool = false
    ) throws -> Shell.Output {
        try Shell.run(
            [
                try Loop.binary, "build", "--state-dir", scratch.file(state), "--build-context",
                "busybox=oci-layout://\(base)", "--output", "json",
            ] + arguments, environment: environment.merging(["HOME": scratch.path]) { own, _ in own },
            allowFailure: allowFailure)
    }

    private struct Report: Decodable {
        struct Step: Decodable {
            let source: String
            let reason: String?
        }
        let digest: String
        let steps: [Step]
    }

    private func report(_ output: Shell.Output) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(output.stdout.utf8))
    }

    @Test func aCacheInTheDestinationsRegistry() async throws {
        let registry = try await RegistryServer(directory: scratch.file("registry"))
        let common = [
            "--context", scratch.file("context"), "--destination", "\(registry.host)/team/app:1",
            "--insecure-registry", registry.host, "--explain-cache", "--build-arg", "SOURCE_DATE_EPOCH=1700000000",
        ]
        let cold = try report(try build(common + ["--cache=true"], state: "one"))
        #expect(cold.steps.map(\.source) == ["made", "made"])
        let tags = try Shell.run([
            "skopeo", "list-tags", "--tls-verify=false", "docker://\(registry.host)/team/app/cache",
        ]).stdout
        #expect(tags.contains("files-"))
        let remote = try report(try build(common + ["--cache"], state: "two"))
        #expect(remote.steps.map(\.source) == ["remote", "remote"])
        #expect(remote.digest == cold.digest)
        let flavour = try build(common + ["--cache=true", "--build-arg", "FLAVOUR=blue"], state: "three")
        #expect(try report(flavour).steps.map(\.reason) == [nil, "the variable FLAVOUR differs"])
        #expect(flavour.stderr.contains("not cached: the variable FLAVOUR differs"))
        try write("f", "two")
        let file = try report(try build(common + ["--cache=true", "--no-push-cache"], state: "four"))
        #expect(file.steps.first?.reason == "f: its content differs")
        let elsewhere = common + ["--cache", "--cache-repo", "oci:\(scratch.file("shared"))", "--no-push"]
        #expect(try report(try build(elsewhere, state: "five")).steps.map(\.source) == ["made", "made"])
        #expect(try report(try build(elsewhere, state: "six")).steps.map(\.source) == ["remote", "remote"])
        let old = try report(try build(elsewhere + ["--cache-ttl", "0s"], state: "seven"))
        #expect(old.steps.map(\.source) == ["made", "made"])
    }

    @Test func saysWhatItCannotDo() throws {
        let nowhere = try build(
            ["--context", scratch.file("context"), "--no-push", "--cache"], state: "one", allowFailure: true)
        #expect(nowhere.status != 0)
        #expect(nowhere.stderr.contains("--cache-repo"))
    }

    @Test func contextsFromObjectStores() async throws {
        let archive = scratch.file("context.tar.gz")
        try Shell.run(["tar", "-C", scratch.file("context"), "-czf", archive, "."])
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: archive)))
        let s3 = try await ObjectStore.s3(in: scratch.path)
        try s3.putToS3("acme-builds", "dir/x.tar.gz", file: archive)
        let google = try await ObjectStore.google(bucket: "acme-builds", in: scratch.path)
        try google.putToGoogle("acme-builds", "context.tar.gz", file: archive)
        let account = AzureBlobTestServer.Account()
        let azure = try AzureBlobTestServer(account, blobs: ["/box/x.tar.gz": bytes], cut: bytes.count / 2)
        let rows: [(context: String, environment: [String: String])] = [
            (
                "s3://acme-builds/dir/x.tar.gz",
                [
                    "S3_ENDPOINT": s3.url, "S3_FORCE_PATH_STYLE": "true", "AWS_ACCESS_KEY_ID": "a",
                    "AWS_SECRET_ACCESS_KEY": "b",
                ]
            ),
            ("gs://acme-builds", ["STORAGE_EMULATOR_HOST": "127.0.0.1:\(google.port)"]),
            (
                "https://acme.blob.core.windows.net/box/x.tar.gz",
                ["AZURE_STORAGE_SERVICE_ENDPOINT": azure.url, "AZURE_STORAGE_ACCESS_KEY": account.key]
            ),
        ]
        var digests: Set<String> = []
        for (number, row) in rows.enumerated() {
            let output = try build(
                ["--context", row.context, "--no-push", "--build-arg", "SOURCE_DATE_EPOCH=1700000000"],
                state: "state-\(number)", environment: row.environment)
            digests.insert(try report(output).digest)
        }
        #expect(digests.count == 1)
        let denied = try build(
            ["--context", rows[2].context + "?sv=1&sig=secretsignature", "--no-push"], state: "denied",
            environment: ["AZURE_STORAGE_SERVICE_ENDPOINT": azure.url], allowFailure: true)
        #expect(denied.status == 1)
        #expect(denied.stderr.contains("AuthenticationFailed"))
        #expect(!denied.stderr.contains("secretsignature"))
    }
}
