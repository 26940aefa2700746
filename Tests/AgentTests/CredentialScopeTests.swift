import Agent
import Builder
import Foundation
import Git
import OCI
import Registry
import Sandbox
import TestSupport
import Testing

/// Two repositories of one server that both need a password, `own.git` and `private.git`. The agent watches the first, and a
/// build of it tries to get the second.
@Suite(.tags(.integration), .thorough) struct CredentialScopeTests {
    private final class Bench: Sendable {
        let directory: TemporaryDirectory
        let server: GitHTTPServer
        /// The head of `private.git`.
        let secret: String
        private let report: IsolationReport
        private let fetcher: RemoteFetcher

        init() async throws {
            directory = try TemporaryDirectory("scope")
            let folder = directory.file("git")
            secret = try GitRepositoryFixture(in: folder, name: "private.git").commit(["key": "s3cret\n"])
            let own = try GitRepositoryFixture(in: folder, name: "own.git")
            try own.commit(["f": "own\n"])
            try Data("[submodule \"x\"]\n\tpath = x\n\turl = ../private.git\n".utf8)
                .write(to: URL(fileURLWithPath: own.workTree + "/.gitmodules"))
            try Shell.run(["mkdir", "-p", own.workTree + "/x"])
            try own.gitInWorkTree("update-index", "--add", "--cacheinfo", "160000,\(secret),x")
            try own.gitInWorkTree("add", ".gitmodules")
            try own.gitInWorkTree("commit", "-q", "-m", "with a submodule")
            try own.gitInWorkTree("push", "-q", "origin", "HEAD:refs/heads/nested")
            server = try await GitHTTPServer(directory: folder, user: "ci", password: "hunter2")
            report = await SandboxProbe.probe(stateDirectory: directory.file("probe"))
            fetcher = RemoteFetcher(
                stateDirectory: directory.file("state"), credentials: GitCredentials(), scope: .repository(""))
            try FileManager.default.createDirectory(
                atPath: directory.file("context"), withIntermediateDirectories: true)
        }

        var own: String { server.url + "/own.git" }
        var other: String { server.url + "/private.git" }

        /// A build of `own.git`, or of another repository, on one state directory.
        func build(
            _ text: String, as url: String? = nil, granted: [String] = [], user: String? = "ci",
            adjust: (inout BuildRequest) throws -> Void = { _ in }
        ) async throws {
            let credentials = GitCredentials(
                username: user, password: user.map { _ in "hunter2" }, usesSSHAgent: false)
            let scope = CredentialScope.repository(
                url ?? own, granting: granted.compactMap { RepositoryPlace(prefix: $0) })
            let builder = try Builder(
                stateDirectory: directory.file("state"), registry: RegistryAccess(), report: report,
                fetcher: fetcher.with(credentials: credentials, scope: scope))
            var request = BuildRequest(
                context: try DirectoryContext(path: directory.file("context")),
                dockerfile: .bytes(Array(text.utf8), name: "Dockerfile"), createdAt: 1_700_000_000)
            try adjust(&request)
            _ = try await builder.build(request) { _ in }
        }

        /// How often the server let somebody read the private repository.
        var thefts: Int {
            server.accessLog.count { $0.contains("private.git") && ($0.contains("\" 200 ") || $0.contains("\" 304 ")) }
        }
    }

    private func expectRefusal(_ bench: Bench, _ body: () async throws -> Void) async {
        let before = bench.thefts
        let error = await #expect(throws: BuildError.self) { try await body() }
        let text = "\(error?.summary ?? "") \(error?.cause ?? "") \(error?.hint ?? "")"
        #expect(!text.contains("hunter2"))
        #expect(error?.code == .missingSource || error?.code == .unsupported, "\(text)")
        #expect(bench.thefts == before, "\(text)")
    }

    @Test func `credentials are for the repository that is watched`() async throws {
        let bench = try await Bench()
        try await bench.build("FROM scratch\nADD \(bench.own) /own/\n")
        let places = [
            bench.other, "\(bench.other)#\(bench.secret)", "\(bench.own)/../private.git",
            "\(bench.own)/%2e%2e/private.git",
            "\(bench.server.url)//private.git", "\(bench.own)#nested",
        ]
        for place in places {
            await expectRefusal(bench) { try await bench.build("FROM scratch\nADD \(place) /stolen/\n") }
        }
        await expectRefusal(bench) {
            try await bench.build("FROM scratch\nCOPY --from=theirs / /stolen/\n") {
                $0.namedContexts["theirs"] = try NamedContext(bench.other)
            }
        }
        // The same host and path by TLS is another repository than the one by plain HTTP.
        await expectRefusal(bench) {
            try await bench.build(
                "FROM scratch\nADD \(bench.own) /own/\n",
                as: bench.own.replacingOccurrences(of: "http:", with: "https:"))
        }
    }

    @Test func `the configuration grants more`() async throws {
        let bench = try await Bench()
        try await bench.build("FROM scratch\nADD \(bench.other) /given/\n", granted: [bench.server.url + "/private"])
        try await bench.build("FROM scratch\nADD \(bench.own)#nested /given/\n", granted: [bench.server.url])
        #expect(bench.thefts > 0)
        for grant in [bench.server.url + "/priv", "https://127.0.0.1:\(bench.server.port)/private"] {
            await expectRefusal(bench) {
                try await bench.build("FROM scratch\nADD \(bench.other)#\(bench.secret) /x/\n", granted: [grant])
            }
        }
    }

    /// What one repository fetched lies in the state directory that all share.
    @Test func `a mirror is for those who may read it`() async throws {
        let bench = try await Bench()
        let text = "FROM scratch\nADD \(bench.other)#\(bench.secret) /x/\n"
        try await bench.build(text, granted: [bench.server.url])
        // A repository without the grant, without credentials, and the same commit by a short id and by its branch.
        for user in ["ci", nil] {
            await expectRefusal(bench) { try await bench.build(text, user: user) }
            await expectRefusal(bench) {
                try await bench.build(
                    "FROM scratch\nADD --checksum=\(bench.secret) \(bench.other)#main /x/\n", user: user)
            }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/git-sources"))
        #expect(names.contains { $0.hasSuffix("-anonymous") })
        #expect(names.contains { $0.hasPrefix("private.git-") && !$0.contains("-anonymous") })
        #expect(!names.contains { $0.contains("hunter2") || $0.contains("ci:") })
    }

    @Test func `SSH keys are for the repository that is watched`() async throws {
        let bench = try await Bench()
        let ssh = try await SSHGitServer(directory: bench.directory.file("git"))
        defer { ssh.stop() }
        let fetcher = RemoteFetcher(
            stateDirectory: bench.directory.file("ssh"),
            credentials: GitCredentials(
                sshKeyPath: ssh.keyPath, usesSSHAgent: false, knownHostsPaths: [ssh.knownHostsPath]),
            scope: .repository(ssh.url + "/own.git"))
        _ = try await fetcher.checkOut(GitTreeRequest(locator: try GitLocator(ssh.url + "/own.git")))
        let error = await #expect(throws: BuildError.self) {
            _ = try await fetcher.checkOut(GitTreeRequest(locator: try GitLocator(ssh.url + "/private.git")))
        }
        #expect(
            error?.cause?.contains("asks for a key, and none is configured") == true, "\(String(describing: error))")
    }

    /// The file and its checksum are known, and the server gives it to those who have the token.
    @Test func `a download is for those who may read it`() async throws {
        let bench = try await Bench()
        let web = try StubServer { request in
            guard request.headers["authorization"] == "Bearer t0ken" else { return .text(401, "who are you?") }
            return .text(200, "s3cret", headers: [("ETag", "\"one\"")])
        }
        let digest = Digest.sha256(of: Array("s3cret".utf8))
        for flag in ["", "--checksum=\(digest) "] {
            let text = "FROM scratch\nADD \(flag)\(web.url)/f /f\n"
            try await bench.build(text) { $0.secrets = ["HTTP_AUTH_TOKEN_127.0.0.1": Array("t0ken".utf8)] }
            for secrets in [[:], ["HTTP_AUTH_TOKEN_127.0.0.1": Array("wrong".utf8)]] as [[String: [UInt8]]] {
                let error = await #expect(throws: BuildError.self) {
                    try await bench.build(text) { $0.secrets = secrets }
                }
                #expect(error?.cause?.contains("401") == true, "\(String(describing: error))")
            }
        }
    }
}
