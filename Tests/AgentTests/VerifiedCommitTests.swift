import Foundation
import Git
import Synchronization
import TestSupport
import Testing

@testable import Agent
@testable import Forge

/// Commits that GitHub makes and signs.
@Suite(.tags(.integration)) struct VerifiedCommitTests {
    /// GitHub's API for git's objects, over a repository on disk.
    private final class Objects: Sendable {
        struct Mode {
            var isVerified = true
            /// Another tree than the one that is asked for.
            var isWrong = false
        }

        private let repository: String
        private let state = Mutex<(mode: Mode, requests: [String])>((Mode(), []))

        init(_ repository: String) { self.repository = repository }

        var requests: [String] { state.withLock(\.requests) }

        func set(_ mode: Mode) { state.withLock { $0.mode = mode } }

        func answer(_ request: StubRequest) -> StubReply {
            let mode = state.withLock { state in
                state.requests.append("\(request.method) \(request.path)")
                return state.mode
            }
            do {
                let body = try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any] ?? [:]
                switch request.path {
                case "/repos/acme/repo/git/blobs":
                    let bytes = Data(base64Encoded: body["content"] as? String ?? "") ?? Data()
                    return try reply(["sha": git(["hash-object", "-w", "--stdin"], [UInt8](bytes))])
                case "/repos/acme/repo/git/trees": return try reply(["sha": tree(body, isWrong: mode.isWrong)])
                case "/repos/acme/repo/git/commits": return try commit(body, isVerified: mode.isVerified)
                default: return .text(404, "{}")
                }
            } catch {
                return .text(500, #"{"message":"\#(error)"}"#)
            }
        }

        private func git(_ arguments: [String], _ input: [UInt8] = []) throws -> String {
            try Shell.run(["git", "--git-dir", repository] + arguments, input: input).stdout
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }

        private func tree(_ body: [String: Any], isWrong: Bool) throws -> String {
            let base = body["base_tree"] as? String ?? ""
            guard !isWrong else { return base }
            let entries = body["tree"] as? [[String: String]] ?? []
            let lines = try git(["ls-tree", "-r", base]).split(separator: "\n").filter { line in
                !entries.contains { line.hasSuffix("\t" + ($0["path"] ?? "")) }
            }
            let index = repository + "/fake-index"
            let all =
                lines.map(String.init)
                + entries.map { "\($0["mode"] ?? "") blob \($0["sha"] ?? "")\t\($0["path"] ?? "")" }
            try? FileManager.default.removeItem(atPath: index)
            try Shell.run(
                ["env", "GIT_INDEX_FILE=\(index)", "git", "--git-dir", repository, "update-index", "--index-info"],
                input: Array((all.joined(separator: "\n") + "\n").utf8))
            return try Shell.run(["env", "GIT_INDEX_FILE=\(index)", "git", "--git-dir", repository, "write-tree"])
                .stdout
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }

        private func commit(_ body: [String: Any], isVerified: Bool) throws -> StubReply {
            guard body["author"] == nil, body["committer"] == nil else { return .text(422, "{}") }
            let tree = body["tree"] as? String ?? ""
            let parents = body["parents"] as? [String] ?? []
            let head =
                "tree \(tree)\n" + parents.map { "parent \($0)\n" }.joined()
                + "author app[bot] <7+app[bot]@users.noreply.github.com> 1790000000 +0000\n"
                + "committer GitHub <noreply@github.com> 1790000000 +0000\n"
            let text = "\n" + (body["message"] as? String ?? "")
            let signature = "-----BEGIN PGP SIGNATURE-----\n\nwsFcBAABCAAQ\n=abcd\n-----END PGP SIGNATURE-----\n"
            let lines = signature.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            let header = "gpgsig " + lines.joined(separator: "\n ") + "\n"
            let id = try git(["hash-object", "-t", "commit", "-w", "--stdin"], Array((head + header + text).utf8))
            return try reply([
                "sha": id, "tree": ["sha": tree],
                "verification": [
                    "verified": isVerified, "reason": isVerified ? "valid" : "unsigned",
                    "signature": isVerified ? signature as Any : NSNull(),
                    "payload": isVerified ? head + text as Any : NSNull(),
                ] as [String: Any],
            ])
        }

        private func reply(_ value: [String: Any]) throws -> StubReply {
            .answer(201, body: [UInt8](try JSONSerialization.data(withJSONObject: value)))
        }
    }

    private struct World {
        let directory: TemporaryDirectory
        let fixture: GitRepositoryFixture
        let app: FakeGitHubApp
        let objects: Objects
        let server: GitHTTPServer
        let git: AgentConfiguration.GitConfiguration
        let repository: AgentConfiguration.RepositoryConfiguration

        init() async throws {
            directory = try TemporaryDirectory("verified-commits")
            try FileManager.default.createDirectory(
                atPath: directory.file("acme"), withIntermediateDirectories: true)
            fixture = try GitRepositoryFixture(in: directory.file("acme"))
            try fixture.commit(["deploy/web.yaml": "image: acme/web:1.0.0\n", "README": "1\n"])
            try Shell.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", "key.pem"], in: directory.path)
            let objects = Objects(directory.file("acme/repo.git"))
            self.objects = objects
            app = try FakeGitHubApp(repository: "acme/repo", hasLongTokens: false) { objects.answer($0) }
            app.advance(by: Int64(Date().timeIntervalSince1970) - app.now)
            var git = AgentConfiguration.GitConfiguration()
            git.github = AgentConfiguration.GitHubAppConfiguration(
                appID: "7", privateKeyFile: directory.file("key.pem"), api: app.api, isInsecure: true,
                makesCommits: true)
            let token = try #require(try await GitAccess.current(git, of: "http://127.0.0.1:1/acme/repo.git").token)
            server = try await GitHTTPServer(directory: directory.path, user: "x-access-token", password: token)
            repository = AgentConfiguration.RepositoryConfiguration(
                name: "shop", url: server.url + "/acme/repo.git", branch: "main")
            self.git = git
        }

        func services() async throws -> GitServices {
            try await MirrorShelf(stateDirectory: directory.file("state")).services(for: repository, git)
        }
    }

    private static func request(_ text: String) -> ChangeRequest {
        ChangeRequest { (_) throws(AgentError) in
            var changes = ChangeSet()
            changes.files["deploy/web.yaml"] = Array(text.utf8)
            changes.updates = [
                CycleReport.Update(
                    file: "deploy/web.yaml", line: 1, workload: "shop:deployment/web", container: "app",
                    old: "acme/web:1.0.0", new: "acme/web:1.1.0", reason: "")
            ]
            return changes
        }
    }

    private static func publish(_ world: World, dryRun: Bool = false) async throws -> CycleReport {
        let services = try await world.services()
        var report = CycleReport(repository: "shop", url: world.repository.url, branch: "main")
        report.dryRun = dryRun
        let cycle = CycleRecorder(report, say: { _ in })
        let publisher = Publisher(repository: world.repository, git: services)
        let head = try await publisher.heads.fetch().head
        try await publisher.publish([request("image: acme/web:1.1.0\n")], from: head, in: cycle)
        return cycle.report
    }

    @Test func `what GitHub signed is pushed, and counts as the agent's own`() async throws {
        let world = try await World()
        defer { world.server.stop() }
        let before = try world.fixture.head()
        let report = try await Self.publish(world)
        #expect(report.failures.isEmpty)
        let text = try world.fixture.git("cat-file", "-p", "main")
        #expect(text.contains("parent \(before)"))
        #expect(text.contains("committer GitHub <noreply@github.com>"))
        #expect(text.contains("gpgsig -----BEGIN PGP SIGNATURE-----"))
        #expect(try world.fixture.git("show", "main:deploy/web.yaml") == "image: acme/web:1.1.0")
        #expect(try world.fixture.git("show", "main:README") == "1")
        let services = try await world.services()
        let head = try await services.remote.fetch(branch: "main").commit
        let authorship = CommitAuthorship(remote: services.remote, settings: world.git)
        #expect(try await authorship.isOwn(head))
    }

    @Test func `a plan makes nothing at GitHub`() async throws {
        let world = try await World()
        defer { world.server.stop() }
        let before = try world.fixture.head()
        _ = try await Self.publish(world, dryRun: true)
        #expect(world.objects.requests == [])
        #expect(try world.fixture.head() == before)
    }

    @Test(arguments: [true, false])
    func `what is unsigned, or of another tree, is not pushed`(_ isUnsigned: Bool) async throws {
        let world = try await World()
        defer { world.server.stop() }
        let before = try world.fixture.head()
        world.objects.set(Objects.Mode(isVerified: !isUnsigned, isWrong: !isUnsigned))
        let error = await #expect(throws: ReconcileError.self) { try await Self.publish(world) }
        let words = error.map { "\($0)" } ?? ""
        #expect(words.contains(isUnsigned ? "did not sign" : "another tree"), "\(words)")
        #expect(try world.fixture.head() == before)
    }
}
