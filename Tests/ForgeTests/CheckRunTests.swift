import Foundation
import HTTP
import Synchronization
import TestSupport
import Testing

@testable import Forge

/// Check runs of GitHub's.
@Suite(.tags(.integration)) struct CheckRunTests {
    private static let commit = String(repeating: "1", count: 40)
    private static let fields: Set<String> = [
        "name", "head_sha", "status", "conclusion", "details_url", "external_id", "output",
    ]

    /// Keeps runs as GitHub does, and takes what its OpenAPI description has.
    private final class Runs: Sendable {
        struct Run {
            var values: [String: String]
            var annotations: [[String: String]] = []
            var summary = ""
            var title = ""
        }

        private let state = Mutex<(runs: [Run], mistakes: [String])>(([], []))
        var all: [Run] { state.withLock(\.runs) }
        var mistakes: [String] { state.withLock(\.mistakes) }

        func answer(_ request: StubRequest) -> StubReply {
            let root = "/repos/acme/shop/"
            if request.path == root + "statuses/\(CheckRunTests.commit)" { return .text(201, "{}") }
            if request.method == "GET", request.path == root + "commits/\(CheckRunTests.commit)/check-runs" {
                let runs = all.enumerated().map { index, run in
                    [
                        "id": index + 1, "status": run.values["status"] ?? "",
                        "external_id": run.values["external_id"] ?? "",
                    ]
                        as [String: Any]
                }
                let data = try? JSONSerialization.data(
                    withJSONObject: ["total_count": runs.count, "check_runs": runs] as [String: Any])
                return .answer(200, body: [UInt8](data ?? Data()))
            }
            guard let body = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any] else {
                return .text(404, "{}")
            }
            return state.withLock { state in
                let index: Int
                if request.method == "POST", request.path == root + "check-runs" {
                    if body["head_sha"] == nil { state.mistakes.append("no head_sha") }
                    state.runs.append(Run(values: [:]))
                    index = state.runs.count - 1
                } else if request.method == "PATCH",
                    let id = request.path.split(separator: "/").last.flatMap({ Int($0) }),
                    state.runs.indices.contains(id - 1)
                {
                    if body["head_sha"] != nil { state.mistakes.append("head_sha with PATCH") }
                    index = id - 1
                } else {
                    return .text(404, #"{"message":"Not Found"}"#)
                }
                state.mistakes += Set(body.keys).subtracting(CheckRunTests.fields).sorted()
                for (name, value) in body { if let text = value as? String { state.runs[index].values[name] = text } }
                let output = body["output"] as? [String: Any] ?? [:]
                state.runs[index].title = output["title"] as? String ?? ""
                state.runs[index].summary = output["summary"] as? String ?? ""
                for annotation in output["annotations"] as? [[String: Any]] ?? [] {
                    state.runs[index].annotations.append(annotation.mapValues { "\($0)" })
                }
                if (body["status"] as? String == "completed") != (body["conclusion"] != nil) {
                    state.mistakes.append("a conclusion without an end, or the other way round")
                }
                return .text(200, #"{"id":\#(index + 1)}"#)
            }
        }
    }

    private static func host(_ fake: FakeGitHubApp) throws -> any CommitStatusHost {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(["127.0.0.1"])
        let http = HTTPClient(configuration)
        let scratch = try TemporaryDirectory("check-key")
        try Shell.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", "key"], in: scratch.path)
        let pem = try Shell.run(["cat", scratch.file("key")]).stdout
        let settings = try GitHubAppSettings(
            issuer: "1", installation: nil, api: fake.api, repositoryURL: "https://github.com/acme/shop")
        let app = GitHubApp(
            settings, http: http, pauses: ForgePauses(), now: { [weak fake] in fake?.now ?? 0 }, readKey: { pem })
        return try StatusProject(
            kind: .github, api: fake.api, path: "acme/shop", repositoryURL: "https://x.example/y/z"
        )
        .host(app: app, hasChecks: true, http: http, pauses: ForgePauses())
    }

    private static func status(_ state: CommitStatus.State, _ details: StatusDetails? = nil) -> CommitStatus {
        CommitStatus(
            state: state, name: "slipway/web", description: "words", link: "https://ci.example/builds/1",
            details: details)
    }

    @Test func `one run from its turn to its end, with a status beside it, also after a restart`() async throws {
        let runs = Runs()
        let fake = try FakeGitHubApp { runs.answer($0) }
        let host = try Self.host(fake)
        for state in [CommitStatus.State.pending, .running] {
            try await host.set(Self.status(state), of: Self.commit, on: "main")
        }
        #expect(runs.all.map { $0.values["status"] } == ["in_progress"])
        let details = StatusDetails(
            summary: String(repeating: "ä", count: 70_000),
            annotations: [.init(path: "web/Dockerfile", line: 7, message: "exit code 1")])
        try await Self.host(fake).set(Self.status(.failure, details), of: Self.commit, on: "main")
        #expect(runs.all.count == 1)
        let run = try #require(runs.all.first)
        #expect(run.values["status"] == "completed")
        #expect(run.values["conclusion"] == "failure")
        #expect(run.values["details_url"] == "https://ci.example/builds/1")
        #expect(run.values["head_sha"] == Self.commit)
        #expect(run.title == "words")
        #expect(run.summary.utf8.count <= 65_535)
        #expect(
            run.annotations == [
                [
                    "path": "web/Dockerfile", "start_line": "7", "end_line": "7", "annotation_level": "failure",
                    "message": "exit code 1",
                ]
            ])
        // It is built again.
        try await Self.host(fake).set(Self.status(.running), of: Self.commit, on: "main")
        #expect(runs.all.map { $0.values["status"] } == ["completed", "in_progress"])
        #expect(runs.mistakes == [])
        #expect(fake.requests.filter { $0.path.contains("/statuses/") }.count == 4)
    }

    @Test(
        arguments: [
            (CommitStatus.State.pending, "queued", nil), (.running, "in_progress", nil),
            (.success, "completed", "success"), (.failure, "completed", "failure"), (.error, "completed", "failure"),
            (.cancelled, "completed", "cancelled"),
        ] as [(CommitStatus.State, String, String?)])
    func `states in GitHub's words`(_ state: CommitStatus.State, _ word: String, _ conclusion: String?) async throws {
        let runs = Runs()
        let fake = try FakeGitHubApp { runs.answer($0) }
        try await Self.host(fake).set(Self.status(state), of: Self.commit, on: "main")
        #expect(runs.all.first?.values["status"] == word)
        #expect(runs.all.first?.values["conclusion"] == conclusion)
    }

    @Test func `an App that may make no checks is told what to grant, and the status is there`() async throws {
        let fake = try FakeGitHubApp { request in
            request.path.contains("check-runs")
                ? .text(403, #"{"message":"Resource not accessible by integration"}"#) : .text(201, "{}")
        }
        let error = await #expect(throws: ForgeError.self) {
            try await Self.host(fake).set(Self.status(.success), of: Self.commit, on: "main")
        }
        #expect(error?.hint?.contains("'Checks: write'") == true)
        #expect(fake.requests.contains { $0.path.contains("/statuses/") })
    }
}
