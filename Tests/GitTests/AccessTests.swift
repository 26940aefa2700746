import Foundation
import TestSupport
import Testing

@testable import Git

/// Proxies, agents and the odder lines of known_hosts, against real peers.
@Suite(.tags(.integration), .thorough)
struct AccessTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("git-access")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["deploy/app.yaml": "image: a:1\n"])
    }

    private func fetch(_ url: String, _ credentials: GitCredentials) async throws -> Commit {
        try await Mirror(path: directory.file("mirror"), url: url, credentials: credentials).fetch(branch: "main")
    }

    @Test func `through a proxy, with its password, to a server with TLS and one`() async throws {
        let server = try await GitHTTPServer(directory: directory.path, user: "ci", password: "s3cret", tls: true)
        let proxy = try await ConnectProxy(directory: directory.path, credentials: "us er:p@ss:w0rd/ü")
        var credentials = GitCredentials(username: "ci", password: "s3cret", caFile: server.caFile)
        credentials.proxy = GitProxy(url: proxy.url, username: "us er", password: "p@ss:w0rd/ü")
        #expect(try await fetch(server.url + "/repo.git", credentials).subject == "change")
        #expect(proxy.log.contains("CONNECT localhost:\(server.port) authorized"))
        #expect(!"\(credentials) \(String(reflecting: credentials.proxy as Any))".contains("p@ss"))
        let mirror = try Mirror(path: directory.file("push"), url: server.url + "/repo.git", credentials: credentials)
        let head = try await mirror.fetch(branch: "main")
        let writer = Signature(name: "a", email: "b@c", time: 1)
        let mine = try await mirror.createCommit(
            parent: head.id, edits: ["x": [1]], message: "x", author: writer, committer: writer)
        #expect(try await mirror.push(mine, to: "main", expecting: head.id) == .pushed)

        credentials.proxy?.password = "wr0ng"
        let wrong = await #expect(throws: GitError.self) { try await fetch(server.url + "/repo.git", credentials) }
        #expect(wrong.map { "\($0)" }?.contains("wr0ng") == false)
        #expect(wrong?.summary.contains("proxy") == true, "\(wrong.map { "\($0)" } ?? "")")
        credentials.proxy = GitProxy(url: "http://127.0.0.1:\(try Server.freePort())")
        let away = await #expect(throws: GitError.self) { try await fetch(server.url + "/repo.git", credentials) }
        #expect(away?.code == .network, "\(away.map { "\($0)" } ?? "")")
    }

    @Test(arguments: [true, false]) func `the keys of an agent`(_ hasProgram: Bool) async throws {
        let server = try await SSHGitServer(directory: directory.path)
        let agent = try SSHAgent(directory: directory.path)
        setenv("SSH_AUTH_SOCK", agent.socket, 1)
        defer { unsetenv("SSH_AUTH_SOCK") }
        func fetch(_ credentials: GitCredentials) async throws -> Commit {
            try await Mirror(
                path: directory.file("mirror"), url: server.url + "/repo.git", credentials: credentials,
                searchPath: hasProgram ? nil : directory.path
            ).fetch(branch: "main")
        }
        let credentials = GitCredentials(knownHostsPaths: [server.knownHostsPath])
        let empty = await #expect(throws: GitError.self) { try await fetch(credentials) }
        #expect(empty?.code == .authentication)
        #expect(empty?.summary.contains(hasProgram ? "holds no key" : "agent") == true, "\(empty?.summary ?? "")")
        try agent.add(server.keyPath)
        #expect(try await fetch(credentials).subject == "change")
        var without = credentials
        without.usesSSHAgent = false
        let off = await #expect(throws: GitError.self) { try await fetch(without) }
        #expect(off?.summary.contains("none is configured") == true)
        setenv("SSH_AUTH_SOCK", directory.file("nobody"), 1)
        let dead = await #expect(throws: GitError.self) { try await fetch(credentials) }
        #expect(dead?.code == .authentication)
        #expect(dead?.summary.contains("nobody answers at SSH_AUTH_SOCK") == true, "\(dead.map { "\($0)" } ?? "")")
    }

    @Test(arguments: ["@revoked", "@cert-authority", "!", "*"])
    func `marks and patterns of known_hosts`(_ what: String) async throws {
        let server = try await SSHGitServer(directory: directory.path)
        let good = try String(contentsOfFile: server.knownHostsPath, encoding: .utf8)
        let lines = good.split(separator: "\n")
        let hosts = directory.file("hosts")
        let text: String
        let code: GitError.Code?
        switch what {
        case "@revoked": (text, code) = (good + lines.map { "@revoked \($0)\n" }.joined(), .hostKeyMismatch)
        case "@cert-authority": (text, code) = (lines.map { "@cert-authority \($0)\n" }.joined(), .hostKeyUnknown)
        case "!":
            (text, code) = (
                lines.map { $0.replacingOccurrences(of: "[127", with: "*,!127.0.0.1,![127") + "\n" }.joined(),
                .hostKeyUnknown
            )
        default:
            (text, code) = (
                lines.map { $0.replacingOccurrences(of: "[127.0.0.1]:\(server.port)", with: "[127.0.?.*]:*") + "\n" }
                    .joined(), nil
            )
        }
        try text.write(toFile: hosts, atomically: true, encoding: .utf8)
        let credentials = GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [hosts])
        guard let code else {
            #expect(try await fetch(server.url + "/repo.git", credentials).subject == "change")
            return
        }
        let error = await #expect(throws: GitError.self) { try await fetch(server.url + "/repo.git", credentials) }
        #expect(error?.code == code, "\(error.map { "\($0)" } ?? "")")
        #expect(error?.cause?.contains("SHA256:") == true)
    }

    /// The known_hosts file is never written to, and nothing of a refused host is.
    @Test func `nothing is trusted on first use`() async throws {
        let server = try await SSHGitServer(directory: directory.path)
        let hosts = directory.file("hosts")
        try "".write(toFile: hosts, atomically: true, encoding: .utf8)
        for _ in 1...2 {
            let error = await #expect(throws: GitError.self) {
                try await fetch(
                    server.url + "/repo.git", GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [hosts]))
            }
            #expect(error?.code == .hostKeyUnknown)
        }
        #expect(try String(contentsOfFile: hosts, encoding: .utf8) == "")
        #expect(!server.log.contains("Accepted publickey"))
    }

    @Test func `git daemon`() async throws {
        let port = try Server.freePort()
        let daemon = try Server(
            [
                "--default-signal", "git", "daemon", "--listen=127.0.0.1", "--port=\(port)", "--export-all",
                "--enable=receive-pack", "--base-path=\(directory.path)", "--reuseaddr",
            ], log: directory.file("daemon.log"))
        defer { daemon.stop() }
        try await waitUntil("git daemon listens") { Server.accepts(port: port) }
        let mirror = try Mirror(path: directory.file("mirror"), url: "git://127.0.0.1:\(port)/repo.git")
        let head = try await mirror.fetch(branch: "main")
        let writer = Signature(name: "a", email: "b@c", time: 1)
        let mine = try await mirror.createCommit(
            parent: head.id, edits: ["x": [1]], message: "x", author: writer, committer: writer)
        let theirs = try ObjectID(hex: remote.commit(["README": "theirs\n"]))
        guard case .rejected(_, theirs) = try await mirror.push(mine, to: "main", expecting: head.id) else {
            Issue.record("the push overwrote another writer's commit")
            return
        }
        let next = try await mirror.fetch(branch: "main")
        let again = try await mirror.createCommit(
            parent: next.id, edits: ["x": [1]], message: "x", author: writer, committer: writer)
        #expect(try await mirror.push(again, to: "main", expecting: next.id) == .pushed)
        #expect(try remote.head() == again.description)
        try remote.checkIntegrity()
    }
}
