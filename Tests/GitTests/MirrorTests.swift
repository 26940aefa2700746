import Foundation
import TestSupport
import Testing

@testable import Git

@Suite(.tags(.integration), .thorough)
struct MirrorTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("git-mirror")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["README": "one\n"])
    }

    @Test func `a rewritten branch is followed and reported`() async throws {
        let mirror = try Mirror(path: directory.file("mirror"), url: remote.path)
        let old = try await mirror.fetch(branch: "main")
        try remote.gitInWorkTree("commit", "-q", "--amend", "-m", "rewritten")
        try remote.gitInWorkTree("push", "-q", "--force", "origin", "main")
        let new = try await mirror.fetch(branch: "main")
        #expect(new.subject == "rewritten" && new.id != old.id)
        #expect(await mirror.lastFetch?.isRewritten == true)
        // And back again, to a commit that is still here.
        try remote.git("update-ref", "refs/heads/main", old.id.description)
        #expect(try await mirror.fetch(branch: "main").id == old.id)
        #expect(await mirror.lastFetch?.downloaded == false)
    }

    @Test(arguments: ["HEAD", "objects", "pack", "mark", "everything", "config"])
    func `a damaged mirror is made anew`(_ damage: String) async throws {
        let path = directory.file("mirror")
        do {
            let mirror = try Mirror(path: path, url: remote.path)
            _ = try await mirror.fetch(branch: "main")
        }
        switch damage {
        case "HEAD": try "garbage".write(toFile: path + "/HEAD", atomically: true, encoding: .utf8)
        case "objects": try Shell.run(["sh", "-c", "rm -rf \(path)/objects/*"])
        case "pack":
            try Shell.run([
                "sh", "-c", "for f in \(path)/objects/pack/*.pack; do chmod u+w $f; truncate -s 40 $f; done",
            ])
        case "mark": try Shell.run(["rm", path + "/slipway-origin"])
        case "config": try "[core\n".write(toFile: path + "/config", atomically: true, encoding: .utf8)
        default: try Shell.run(["rm", "-rf", path])
        }
        let mirror = try Mirror(path: path, url: remote.path)
        let head = try await mirror.fetch(branch: "main")
        #expect(try head.id.description == remote.head())
        let entry = try #require(try await mirror.objectID(at: "README", in: head.id))
        #expect(try await mirror.blob(entry.id, limit: 10) == Array("one\n".utf8))
    }

    /// The head is readable, a blob is not: only the read finds out.
    @Test func `damage found by a read heals with the next fetch`() async throws {
        let path = directory.file("mirror")
        let mirror = try Mirror(path: path, url: remote.path)
        let head = try await mirror.fetch(branch: "main")
        let entry = try #require(try await mirror.objectID(at: "README", in: head.id))
        try Shell.run([
            "sh", "-c",
            "cd \(path) && mkdir ../loose && mv objects/pack/* ../loose && for p in ../loose/*.pack; do git unpack-objects -q < $p; done",
        ])
        let blob = entry.id.description
        try Shell.run(["rm", "-f", "\(path)/objects/\(blob.prefix(2))/\(blob.dropFirst(2))"])
        let fresh = try ObjectReader(path: path)
        let seen = #expect(throws: GitError.self) { try fresh.blob(entry.id, limit: 10) }
        #expect(seen?.code == .corrupt)
        _ = try await mirror.fetch(branch: "main")
        // There was nothing new, so the mirror keeps no files open; this read marks it.
        let found = await #expect(throws: GitError.self) { try await mirror.blob(entry.id, limit: 10) }
        #expect(found?.code == .corrupt)
        _ = try await mirror.fetch(branch: "main")
        #expect(try await mirror.blob(entry.id, limit: 10) == Array("one\n".utf8))
    }

    @Test func `another remote's mirror is not reused`() async throws {
        let other = try GitRepositoryFixture(in: directory.path, name: "other.git")
        let head = try other.commit(["x": "x"])
        _ = try await Mirror(path: directory.file("mirror"), url: remote.path).fetch(branch: "main")
        let mirror = try Mirror(path: directory.file("mirror"), url: other.path)
        #expect(try await mirror.fetch(branch: "main").id.description == head)
        #expect(await mirror.lastFetch?.previous == nil)
    }

    @Test func `a mirror has one user at a time`() async throws {
        let mirror = try Mirror(path: directory.file("mirror"), url: remote.path)
        let error = #expect(throws: GitError.self) { try Mirror(path: directory.file("mirror"), url: remote.path) }
        #expect(error?.code == .locked)
        _ = try await mirror.fetch(branch: "main")
    }

    @Test func `a checked-out branch is not pushed to`() async throws {
        try remote.checkOut()
        let mirror = try Mirror(path: directory.file("mirror"), url: remote.workTree)
        let head = try await mirror.fetch(branch: "main")
        let writer = Signature(name: "a", email: "b", time: 1)
        let mine = try await mirror.createCommit(
            parent: head.id, edits: ["a": [1]], message: "m", author: writer, committer: writer)
        let error = await #expect(throws: GitError.self) { try await mirror.push(mine, to: "main", expecting: head.id) }
        #expect(error?.code == .refused)
        #expect(try await mirror.push(mine, to: "other", expecting: nil) == .pushed)
    }

    @Test func `names that are not UTF-8 keep their bytes`() async throws {
        try Shell.run(["sh", "-c", "printf x > \"$(printf 'caf\\351')\""], in: remote.workTree)
        try remote.commitWorkTree()
        let mirror = try Mirror(path: directory.file("mirror"), url: remote.path)
        let head = try await mirror.fetch(branch: "main")
        let entry = try #require(try await mirror.entries(of: head.id).first { !$0.isUTF8 })
        #expect(entry.pathBytes == Array("caf".utf8) + [0xE9])
    }
}
