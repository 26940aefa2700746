import Foundation
import TestSupport

/// The whole of a loop for a test: a repository as the fixture has it, a base image, a place for images, and the binary.
final class Loop: Sendable {
    let scratch: TemporaryDirectory
    let repository: GitRepositoryFixture
    /// The base image's layout.
    let base: String

    static let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Fixture"
    static let expectedDiff = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/expected.diff"
    static let date = 1_590_247_804

    init(_ name: String, branch: String = "master") throws {
        scratch = try TemporaryDirectory(name)
        repository = try GitRepositoryFixture(in: scratch.path, name: "kaniko-site.git")
        base = scratch.file("base")
        try ImageFixtures.busybox(at: base)
        try repository.checkOut(branch)
        try Shell.run(["cp", "-r", Self.fixture + "/.", repository.workTree])
        try repository.commitWorkTree(branch: branch, message: "Initial commit", date: Self.date)
        try repository.git("symbolic-ref", "HEAD", "refs/heads/\(branch)")
    }

    /// The built `slipway`: beside the test bundle, or where `SLIPWAY_BINARY` says.
    static var binary: String {
        get throws {
            if let path = ProcessInfo.processInfo.environment["SLIPWAY_BINARY"], !path.isEmpty { return path }
            for argument in [Bundle.main.bundlePath, CommandLine.arguments[0]] {
                let path = URL(fileURLWithPath: argument).deletingLastPathComponent().path + "/slipway"
                if FileManager.default.isExecutableFile(atPath: path) { return path }
                let beside = argument + "/slipway"
                if FileManager.default.isExecutableFile(atPath: beside) { return beside }
            }
            throw TestSupportError("the slipway binary is not beside \(Bundle.main.bundlePath); set SLIPWAY_BINARY")
        }
    }

    /// Runs slipway with an empty home directory.
    @discardableResult
    func slipway(
        _ arguments: [String], environment: [String: String] = [:], allowFailure: Bool = false
    ) throws -> Shell.Output {
        var all = [
            "HOME": scratch.file("home"), "DOCKER_CONFIG": scratch.file("home/.docker"), "GIT_TERMINAL_PROMPT": "0",
        ]
        all.merge(environment) { _, new in new }
        return try Shell.run([try Self.binary] + arguments, environment: all, allowFailure: allowFailure)
    }

    /// One `slipway sync` of the fixture.
    @discardableResult
    func sync(
        _ images: Images, url: String? = nil, branch: String = "master", state: String = "state",
        extra: [String] = [], environment: [String: String] = [:], allowFailure: Bool = false, verb: String = "sync"
    ) throws -> Shell.Output {
        try slipway(
            [
                verb, "--repo", url ?? repository.path, "--branch", branch, "--build-context",
                "site-base=oci-layout://\(base)", "--state-dir", scratch.file(state),
            ] + images.flags + extra, environment: environment, allowFailure: allowFailure)
    }

    /// Where the loop's images are.
    enum Images: Sendable {
        case registry(host: String)
        case layout(path: String)

        var flags: [String] {
            switch self {
            case .registry(let host): ["--registry-map", "docker.io=\(host)", "--insecure-registry", host]
            case .layout(let path): ["--registry-map", "docker.io=oci:\(path)"]
            }
        }

        /// As skopeo names it.
        func skopeo(_ image: String) -> (reference: String, flags: [String]) {
            switch self {
            case .registry(let host): ("docker://\(host)/\(image)", ["--tls-verify=false"])
            case .layout(let path): ("oci:\(path)/\(image)", [])
            }
        }

        func inspect(_ image: String) throws -> [String: Any] {
            let (reference, flags) = skopeo(image)
            let text = try Shell.run(["skopeo", "inspect"] + flags + [reference]).stdout
            return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
        }
    }

    /// The report that `--output json` prints.
    static func report(_ output: Shell.Output) throws -> [String: Any] {
        let reports = try JSONSerialization.jsonObject(with: Data(output.stdout.utf8)) as? [[String: Any]]
        guard let report = reports?.first else { throw TestSupportError("no report in \(output.stdout)") }
        return report
    }
}
