import Foundation
import TestSupport
import Testing

@testable import Git

/// Branches that are replaced and removed with a lease, and notes.
@Suite(.tags(.integration))
struct ReferenceTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let writer = Signature(name: "Slipway", email: "slipway@example.com", time: 1_700_000_100)

    init() throws {
        directory = try TemporaryDirectory("git-references")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["app.yaml": "image: a:1\n"])
    }

    private func commit(_ mirror: Git.Mirror, on parent: ObjectID, _ text: String) async throws -> ObjectID {
        try await mirror.createCommit(
            parent: parent, edits: ["app.yaml": Array(text.utf8)], message: text, author: writer, committer: writer)
    }

    @Test(arguments: [true, false]) func `a branch is replaced and removed, with a lease`(isLocal: Bool) async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        let mirror = try Mirror(
            path: directory.file("mirror"), url: isLocal ? remote.path : server.url + "/repo.git")
        let head = try await mirror.fetch(branch: "main")
        #expect(try await mirror.fetchIfPresent(branch: "bump") == nil)
        let one = try await commit(mirror, on: head.id, "one")
        #expect(try await mirror.push(one, to: "bump", expecting: nil) == .pushed)
        #expect(try await mirror.fetchIfPresent(branch: "bump")?.id == one)
        let two = try await commit(mirror, on: head.id, "two")
        guard case .rejected = try await mirror.push(two, to: "bump", expecting: head.id, force: true) else {
            Issue.record("the lease was not looked at")
            return
        }
        #expect(try await mirror.push(two, to: "bump", expecting: one, force: true) == .pushed)
        #expect(try remote.head("bump") == two.description)
        let theirs = try ObjectID(hex: remote.commit(["theirs": "x"], branch: "bump"))
        guard case .rejected(_, let now) = try await mirror.deleteBranch("bump", expecting: two) else {
            Issue.record("another's commit was removed")
            return
        }
        #expect(now == theirs)
        _ = try await mirror.fetch(branch: "main")
        #expect(try await mirror.fetchIfPresent(branch: "bump")?.id == theirs)
        #expect(try await mirror.deleteBranch("bump", expecting: theirs) == .pushed)
        #expect(try remote.git("for-each-ref", "--format=%(refname)") == "refs/heads/main")
        #expect(try await mirror.fetchIfPresent(branch: "bump") == nil)
        try remote.checkIntegrity()
    }

    @Test(arguments: [true, false]) func `notes of others are kept`(isLocal: Bool) async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        let mirror = try Mirror(
            path: directory.file("mirror"), url: isLocal ? remote.path : server.url + "/repo.git")
        let head = try await mirror.fetch(branch: "main")
        let one = try await commit(mirror, on: head.id, "one")
        #expect(try await mirror.push(one, to: "main", expecting: head.id) == .pushed)
        try remote.git("notes", "--ref=flux", "add", "-m", "theirs", head.id.description)
        try await mirror.pushNote(
            "{\"a\":1}", on: one, reference: "refs/notes/flux", author: writer, committer: writer)
        try remote.git("notes", "--ref=flux", "add", "-f", "-m", "theirs again", head.id.description)
        let two = try await commit(mirror, on: one, "two")
        #expect(try await mirror.push(two, to: "main", expecting: one) == .pushed)
        try await mirror.pushNote("second", on: two, reference: "refs/notes/flux", author: writer, committer: writer)
        #expect(try remote.git("notes", "--ref=flux", "show", one.description) == "{\"a\":1}")
        #expect(try remote.git("notes", "--ref=flux", "show", two.description) == "second")
        #expect(try remote.git("notes", "--ref=flux", "show", head.id.description) == "theirs again")
        await #expect(throws: GitError.self) {
            try await mirror.pushNote("x", on: two, reference: "refs/heads/x", author: writer, committer: writer)
        }
        try remote.checkIntegrity()
    }

    /// With nothing new, a fetch asks the server once.
    @Test func `nothing new costs one reference advertisement`() async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        let mirror = try Mirror(path: directory.file("mirror"), url: server.url + "/repo.git")
        _ = try await mirror.fetch(branch: "main")
        try await waitUntil("the log is written") { server.accessLog.count == 2 }
        for round in 1...3 {
            _ = try await mirror.fetch(branch: "main")
            _ = try await mirror.fetchIfPresent(branch: "slipway/none")
            #expect(await mirror.advertisedBranches.count == 1)
            try await waitUntil("the log is written") { server.accessLog.count >= 2 + round }
            #expect(server.accessLog.count == 2 + round)
        }
        #expect(
            server.accessLog.dropFirst(2).allSatisfy { $0.hasPrefix("GET /repo.git/info/refs?service=git-upload-pack") }
        )
    }
}
