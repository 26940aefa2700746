import Foundation
import Synchronization
import TestSupport
import Testing

/// The names of images through the built binary: processes that die between two of them, and two agents on one repository.
@Suite(.tags(.endToEnd)) struct ImageNameTests {
    private static let fields = "v{build.number}\", \"{branch}-{commit.short}"

    private let scratch: TemporaryDirectory
    private let registry: RegistryServer
    private let repository: GitRepositoryFixture

    init() async throws {
        scratch = try TemporaryDirectory("names")
        registry = try await RegistryServer(directory: scratch.file("registry"))
        repository = try GitRepositoryFixture(in: scratch.path, name: "app.git")
    }

    /// - Parameter destinations: as `.slipway.yaml` lists them.
    private func begin(_ destinations: String) throws {
        try repository.commit([
            ".slipway.yaml": """
            builds:
              - name: app
                context: app
                destinations: [\(destinations)]
                tags: ["\(Self.fields)"]

            """,
            "app/Dockerfile": "FROM scratch\nCOPY number /number\n", "app/number": "0\n",
        ])
    }

    /// Writes an agent's configuration.
    ///
    /// - Returns: its file.
    private func agent(_ name: String, registry host: String) throws -> String {
        let file = scratch.file("\(name).yaml")
        try """
        stateDirectory: \(scratch.file("state-\(name)"))
        registries:
          - {host: docker.io, map: ["\(host)"]}
          - {host: "\(host)", insecure: true}
        repositories:
          - {name: app, url: "\(repository.path)", branch: main}

        """.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    private var environment: [String: String] {
        ["HOME": scratch.file("home"), "DOCKER_CONFIG": scratch.file("home/.docker"), "GIT_TERMINAL_PROMPT": "0"]
    }

    private func sync(_ configuration: String, failpoint: String? = nil) throws -> Shell.Output {
        var environment = environment
        environment["SLIPWAY_FAILPOINT"] = failpoint
        return try Shell.run(
            [try Loop.binary, "sync", "--config", configuration, "--output", "json"], environment: environment,
            allowFailure: failpoint != nil)
    }

    private func tags(_ name: String) throws -> [String] {
        let list = try Shell.run(["curl", "-s", "http://\(registry.host)/v2/\(name)/tags/list"]).stdout
        let answer = try JSONSerialization.jsonObject(with: Data(list.utf8)) as? [String: Any]
        return (answer?["tags"] as? [String] ?? []).sorted()
    }

    /// The registry keeps what a tag has ever led to.
    private func digests(_ name: String, _ tag: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(
            atPath:
                "\(registry.directory)/data/docker/registry/v2/repositories/\(name)/_manifests/tags/\(tag)/index/sha256"
        )
    }

    @Test(arguments: 1...4)
    func `killed behind a name, the next process gives the others`(count: Int) throws {
        try begin("acme/one, acme/two")
        let first = try agent("first", registry: registry.host)
        let killed = try sync(first, failpoint: "named:\(count)")
        #expect(killed.status == 128 + 9)
        // A new machine: what there is, is in the registry.
        let second = try agent("second", registry: registry.host)
        let report = try [Loop.report(sync(second))]
        #expect(report.flatMap { $0["failures"] as? [Any] ?? [] }.isEmpty)
        let built = report.flatMap { $0["images"] as? [[String: Any]] ?? [] }.count { $0["built"] as? Bool == true }
        #expect(built == 0)
        let head = try repository.head("main").prefix(7)
        var all: Set<String> = []
        for name in ["acme/one", "acme/two"] {
            #expect(try tags(name) == ["main-\(head)", "v1"])
            for tag in try tags(name) { all.formUnion(try digests(name, tag)) }
        }
        #expect(all.count == 1, "one image under four names")
        #expect(try sync(second).stdout.contains("was made from the same content"))
    }

    @Test func `two agents on one repository give each content one version`() async throws {
        try begin("acme/app")
        let log = RequestLog()
        let proxies = try ["one", "two"].map { name in
            let proxy = try FaultProxy(before: registry.port)
            proxy.fail(0) { request in
                log.add(name, request)
                return nil
            }
            return proxy
        }
        let agents = try zip(["one", "two"], proxies).map { try agent($0, registry: $1.host) }
        let count = 33
        for number in 1...count {
            try repository.commit(
                ["app/number": "\(number)\n"], message: "number \(number)", date: 1_700_000_000 + number)
            let output = try Shell.run(
                [
                    "sh", "-c",
                    #""$0" sync --config "$1" >"$1.log" 2>&1 & one=$!; "$0" sync --config "$2" >"$2.log" 2>&1; two=$?; "#
                        + #"wait $one && [ $two = 0 ] || cat "$1.log" "$2.log""#,
                    try Loop.binary, agents[0], agents[1],
                ], environment: environment)
            #expect(output.stdout.isEmpty, "\(number): \(output.stdout)")
        }
        for agent in agents { #expect(try sync(agent).stdout.contains("was made from the same content")) }

        let versions = try tags("acme/app").filter { $0.hasPrefix("v") }
        #expect(Set(versions) == Set((1...count).map { "v\($0)" }))
        var keys: Set<String> = []
        for version in versions {
            let raw = try Shell.run(
                ["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(registry.host)/acme/app:\(version)"])
            let manifest = try JSONSerialization.jsonObject(with: Data(raw.stdout.utf8)) as? [String: Any]
            keys.insert((manifest?["annotations"] as? [String: String])?["dev.slipway.content-key"] ?? "")
        }
        #expect(keys.count == count)
        // No registry compares before it writes: a version leads to two images only where each agent asked for it before
        // it could know of the other's write, and both were made from the same content.
        var changed: [String] = []
        for version in versions where try digests("acme/app", version).count > 1 {
            changed.append(version)
            #expect(log.isRace("/v2/acme/app/manifests/\(version)"), "\(version)")
        }
        print("\(count) commits, two agents: \(changed.count) versions written by both in one moment")
    }
}

/// The requests of several agents in the order in which they came.
private final class RequestLog: Sendable {
    private let entries = Mutex<[(agent: String, method: String, target: String)]>([])

    func add(_ agent: String, _ request: StubRequest) {
        entries.withLock { $0.append((agent, request.method, request.target)) }
    }

    /// Whether two agents wrote a manifest, each having asked for it before the other had the answer to its own write.
    func isRace(_ target: String) -> Bool {
        let all = entries.withLock { $0 }.filter { $0.target == target }
        let writes = all.indices.filter { all[$0].method == "PUT" }
        guard let first = writes.first, let second = writes.first(where: { all[$0].agent != all[first].agent }) else {
            return false
        }
        let asked = all[..<second].lastIndex { $0.agent == all[second].agent && $0.method == "HEAD" } ?? second
        let confirmed =
            all[(first + 1)...].firstIndex { $0.agent == all[first].agent && $0.method == "HEAD" } ?? all.endIndex
        return asked < confirmed
    }
}
