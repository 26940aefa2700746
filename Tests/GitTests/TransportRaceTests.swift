import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Git

/// Every way to a repository, with a second writer that is faster at each push: before it, or inside it. Nothing of either
/// is lost, the repository is sound after each push, and in the end all of libgit2's objects are released.
@Suite(.tags(.integration), .thorough, .serialized)
struct TransportRaceTests {
    enum Transport: String, CaseIterable { case file, https, ssh, daemon }

    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let writer = Signature(name: "Slipway", email: "slipway@example.com", time: 1_700_000_100)

    init() throws {
        directory = try TemporaryDirectory("git-transport-race")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["deploy/app.yaml": "image: a:0\n"])
    }

    /// A commit of the second writer's on top of the branch, which no reference names yet.
    private func prepared(_ round: Int) throws -> String {
        try remote.git(
            "-c", "user.name=t", "-c", "user.email=t@example.com", "commit-tree", "main^{tree}", "-p", "main", "-m",
            "theirs \(round)")
    }

    /// Moves the branch while a push is under way, once for each file `armed`.
    private func installHook() throws {
        let hook = remote.path + "/hooks/pre-receive"
        let script = """
            #!/bin/sh
            cd '\(remote.path)' && [ -f armed ] || exit 0
            theirs=$(cat armed); rm armed
            unset GIT_QUARANTINE_PATH
            git update-ref refs/heads/main "$theirs"

            """
        try script.write(toFile: hook, atomically: true, encoding: .utf8)
        try Shell.run(["chmod", "755", hook])
    }

    @Test(arguments: Transport.allCases)
    func `a second writer races on every push`(_ transport: Transport) async throws {
        let before = liveHandles.load(ordering: .relaxed)
        try installHook()
        switch transport {
        case .file: try await race(remote.path, GitCredentials(), inside: false)
        case .https:
            let server = try await GitHTTPServer(directory: directory.path, user: "bot", password: "s3cret", tls: true)
            defer { server.stop() }
            var credentials = GitCredentials(caFile: server.caFile)
            (credentials.username, credentials.password) = ("bot", "s3cret")
            try await race(server.url + "/repo.git", credentials, inside: true)
        case .ssh:
            let server = try await SSHGitServer(directory: directory.path)
            defer { server.stop() }
            let credentials = GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [server.knownHostsPath])
            try await race(server.url + "/repo.git", credentials, inside: true)
        case .daemon:
            let port = try Server.freePort()
            let daemon = try Server(
                [
                    "git", "daemon", "--listen=127.0.0.1", "--port=\(port)", "--export-all", "--enable=receive-pack",
                    "--base-path=\(directory.path)", "--reuseaddr",
                ], log: directory.file("daemon.log"))
            defer { daemon.stop() }
            try await waitUntil("git daemon listens") { Server.accepts(port: port) }
            try await race("git://127.0.0.1:\(port)/repo.git", GitCredentials(), inside: true)
        }
        try await waitUntil("libgit2's objects are released") { liveHandles.load(ordering: .relaxed) == before }
    }

    private func race(_ url: String, _ credentials: GitCredentials, inside: Bool) async throws {
        let mirror = try Mirror(path: directory.file("mirror"), url: url, credentials: credentials)
        let rounds = 4
        for round in 1...rounds {
            var lost = 0
            while true {
                let head = try await mirror.fetch(branch: "main")
                let mine = try await mirror.createCommit(
                    parent: head.id, edits: ["deploy/app.yaml": Array("image: a:\(round)\n".utf8)],
                    message: "ours \(round)", author: writer, committer: writer)
                if lost == 0 {
                    let theirs = try prepared(round)
                    if inside, round.isMultiple(of: 2) {
                        try theirs.write(toFile: remote.path + "/armed", atomically: true, encoding: .utf8)
                    } else {
                        try remote.git("update-ref", "refs/heads/main", theirs)
                    }
                }
                let outcome = try await mirror.push(mine, to: "main", expecting: head.id)
                try remote.checkIntegrity()
                if outcome == .pushed { break }
                lost += 1
                try #require(lost < 3)
            }
            #expect(lost == 1)
        }
        #expect(
            try remote.git("log", "--reverse", "--format=%s", "main").split(separator: "\n").dropFirst().map(
                String.init)
                == (1...rounds).flatMap { ["theirs \($0)", "ours \($0)"] })
        #expect(try remote.content(of: "deploy/app.yaml") == "image: a:\(rounds)\n")
    }
}
