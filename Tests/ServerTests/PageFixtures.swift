import Agent
import Foundation
import HTTP
import Server
import TestSupport

/// What pages are made of in tests: an agent whose repositories, builds and logs a test says, on an address of its own.
struct PageBench {
    let agent = FakeAgent()
    let server: AgentServer
    let client: HTTPClient
    private let directory: TemporaryDirectory

    /// - Parameter change: who may do what; files with tokens go to the directory.
    init(_ change: (inout APISettings, String) throws -> Void = { _, _ in }) async throws {
        directory = try TemporaryDirectory("pages")
        var settings = APISettings()
        try change(&settings, directory.path)
        server = try await AgentServer.start(
            address: "127.0.0.1:0", control: agent, access: APIAccess(settings, address: "127.0.0.1:0"))
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(["127.0.0.1:\(server.port)"])
        client = HTTPClient(configuration)
    }

    var url: String { "http://127.0.0.1:\(server.port)" }

    /// As the script reads a page anew.
    func live(_ path: String) async throws -> String {
        let answer = try await client.send(
            HTTPRequest("GET", try HTTPURL(url + path), headers: ["Accept": "text/html", "Slipway-Live": "1"]),
            limit: 64 << 20)
        return String(decoding: answer.body, as: UTF8.self)
    }

    func get(_ path: String, accept: String = "text/html") async throws -> HTTPResponse {
        try await client.send(
            HTTPRequest("GET", try HTTPURL(url + path), headers: ["Accept": accept]), limit: 64 << 20)
    }

    func page(_ path: String) async throws -> String { String(decoding: try await get(path).body, as: UTF8.self) }

    func stop() async { await server.stop() }
}

enum PageFixtures {
    static func status(
        _ name: String, _ state: RepositoryStatus.State, _ change: (inout RepositoryStatus) -> Void = { _ in }
    ) -> RepositoryStatus {
        let configuration = AgentConfiguration.RepositoryConfiguration(
            name: name, url: "https://git.example.com/acme/\(name).git", branch: "main")
        var status = RepositoryStatus(configuration, since: 1_700_000_000)
        status.state = state
        status.head = "6421d82f00d1c0ffee00000000000000000000aa"
        status.nextAttempt = 1_700_000_100
        change(&status)
        return status
    }

    static func build(
        _ number: Int, _ state: BuildRecord.State, reason: String = "the content differs from that of v46",
        _ change: (inout BuildRecord) -> Void = { _ in }
    ) throws -> BuildRecord {
        let digits = String(repeating: "0", count: 5 - "\(number)".count) + "\(number)"
        guard let id = BuildID("20261130082800-\(digits)-7k3f9x") else { throw TestSupportError("no name of a build") }
        var build = BuildRecord(
            id: id,
            BuildRecord.Description(
                pipeline: PipelineKey(repository: "shop", pipeline: "web"),
                revision: "6421d82f00d1c0ffee00000000000000000000aa", reason: reason,
                names: ["registry.example.com/acme/shop:v47"]),
            queuedAt: 1_700_000_000, owner: nil)
        build.state = state
        build.startedAt = 1_700_000_001
        if state.isOver { build.endedAt = 1_700_000_073 }
        change(&build)
        return build
    }
}
