import Foundation
import TestSupport
import Testing

@testable import Git

/// What a person reads of remotes that cannot be used: what it is, and what to do.
@Suite(.tags(.integration), .thorough)
struct RemoteMessageTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("git-messages")
        remote = try GitRepositoryFixture(in: directory.path)
        for number in 1...3 { try remote.commit(["README": "\(number)\n"]) }
    }

    private func failure(_ url: String, _ credentials: GitCredentials = GitCredentials()) async throws -> GitError {
        let mirror = try Mirror(path: directory.file("mirror"), url: url, credentials: credentials)
        do {
            let head = try await mirror.fetch(branch: "main")
            throw TestSupportError("\(url) was fetched: \(head.id)")
        } catch let error as GitError {
            #expect(error.hint?.isEmpty == false, "\(error)")
            #expect(error.cause?.contains("\n") != true)
            return error
        }
    }

    enum Way: String, CaseIterable, Sendable { case path, http, ssh }

    private func serve(_ way: Way, _ name: String, _ body: (String, GitCredentials) async throws -> Void) async throws {
        switch way {
        case .path: try await body(directory.file(name), GitCredentials())
        case .http:
            let server = try await GitHTTPServer(directory: directory.path)
            defer { server.stop() }
            try await body(server.url + "/" + name, GitCredentials())
        case .ssh:
            let server = try await SSHGitServer(directory: directory.path)
            defer { server.stop() }
            let credentials = GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [server.knownHostsPath])
            try await body(server.url + "/" + name, credentials)
        }
    }

    @Test(arguments: Way.allCases) func `a repository of SHA-256 objects`(_ way: Way) async throws {
        let path = directory.file("sha256.git")
        try Shell.run(["git", "init", "-q", "--bare", "-b", "main", "--object-format=sha256", path])
        let tree = try Shell.run(["git", "-C", path, "mktree"], input: []).stdout.trimmingCharacters(in: .newlines)
        let commit = try Shell.run(["git", "-C", path, "commit-tree", "-m", "x", tree]).stdout
            .trimmingCharacters(in: .newlines)
        try Shell.run(["git", "-C", path, "update-ref", "refs/heads/main", commit])
        try await serve(way, "sha256.git") { url, credentials in
            let error = try await failure(url, credentials)
            #expect(error.code == .unsupported, "\(error)")
            #expect(error.summary.contains("SHA-256"), "\(error)")
        }
    }

    @Test(arguments: Way.allCases) func `a shallow clone as remote`(_ way: Way) async throws {
        try Shell.run([
            "git", "clone", "-q", "--bare", "--depth", "1", "file://" + remote.path, directory.file("shallow.git"),
        ])
        try await serve(way, "shallow.git") { url, credentials in
            let error = try await failure(url, credentials)
            #expect(error.code == .unsupported, "\(error)")
            #expect(error.summary.contains("shallow clone"), "\(error)")
            #expect(error.hint?.contains("git fetch --unshallow") == true, "\(error)")
        }
    }

    @Test func `HTTPS to a port without TLS`() async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        defer { server.stop() }
        let error = try await failure("https://127.0.0.1:\(server.port)/repo.git")
        #expect(error.code == .network, "\(error)")
        #expect(error.hint?.contains("http://") == true, "\(error)")
    }

    @Test(arguments: [429, 500, 502, 503]) func `a server that is in trouble`(_ status: Int) async throws {
        let server = try await GitHTTPServer(directory: directory.path, extra: "return \(status);")
        defer { server.stop() }
        let error = try await failure(server.url + "/repo.git")
        #expect(error.code == .network, "\(error)")
        #expect(error.cause?.contains("\(status)") == true, "\(error)")
        #expect(error.summary.contains(status == 429 ? "too many requests" : "is in trouble"), "\(error)")
    }

    /// Which of several files it was is the first thing that a person asks.
    @Test func `a refused token names its file`() async throws {
        let server = try await GitHTTPServer(directory: directory.path, user: "ci", password: "s3cret")
        defer { server.stop() }
        var credentials = GitCredentials(token: "0ld")
        credentials.secretFile = "/etc/slipway/git/token"
        let error = try await failure(server.url + "/repo.git", credentials)
        #expect(error.code == .authentication)
        #expect(error.summary.contains("/etc/slipway/git/token"), "\(error)")
        #expect(!"\(error)".contains("0ld"))
    }

    @Test func `redirections without end`() async throws {
        let server = try await GitHTTPServer(directory: directory.path, extra: "return 302 $request_uri;")
        defer { server.stop() }
        let error = try await failure(server.url + "/repo.git")
        #expect(error.code == .network, "\(error)")
        #expect(error.summary.contains("redirects"), "\(error)")
    }

    /// git's dumb protocol.
    @Test(arguments: ["application/octet-stream", "text/plain"])
    func `a repository that lies on a web server as files`(_ type: String) async throws {
        let server = try await GitHTTPServer(
            directory: directory.path, extra: "default_type \(type); return 200 'x';")
        defer { server.stop() }
        let error = try await failure(server.url + "/repo.git")
        #expect(error.summary == "the address gives files, but is not a git server")
        #expect(error.hint?.contains("git http-backend") == true, "\(error)")
    }

    @Test func `nobody there`() async throws {
        let port = try Server.freePort()
        for url in [
            "http://127.0.0.1:\(port)/x.git", "ssh://127.0.0.1:\(port)/x.git", "http://no-such-host.invalid/x.git",
            "ssh://no-such-host.invalid/x.git",
        ] {
            let error = try await failure(url, GitCredentials(knownHostsPaths: []))
            #expect(error.code == .network, "\(error)")
        }
    }
}
