import Foundation
import TestSupport
import Testing

@testable import Git

/// Two agents on one repository, as fast as they can.
@Suite(.tags(.integration), .thorough)
struct RaceTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("git-race")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["counter": "0", "a": "0", "b": "0"])
    }

    private static func number(_ mirror: Git.Mirror, _ file: String, at commit: ObjectID) async throws -> Int {
        let entry = try #require(try await mirror.objectID(at: file, in: commit))
        return try #require(Int(String(decoding: try await mirror.blob(entry.id, limit: 100), as: UTF8.self)))
    }

    /// Adds one to the shared counter and to the agent's own, `rounds` times, and says how often it lost.
    private static func agent(_ name: String, rounds: Int, url: String, path: String) async throws -> Int {
        let mirror = try Mirror(path: path, url: url)
        let writer = Signature(name: name, email: "\(name)@example.com", time: 1_700_000_100)
        var lost = 0
        for _ in 0..<rounds {
            while true {
                let head = try await mirror.fetch(branch: "main")
                let shared = try await number(mirror, "counter", at: head.id)
                let own = try await number(mirror, name, at: head.id)
                let commit = try await mirror.createCommit(
                    parent: head.id,
                    edits: ["counter": Array("\(shared + 1)".utf8), name: Array("\(own + 1)".utf8)],
                    message: "\(name) \(own + 1)", author: writer, committer: writer)
                if try await mirror.push(commit, to: "main", expecting: head.id) == .pushed { break }
                lost += 1
            }
        }
        return lost
    }

    @Test(arguments: [true, false]) func `fifty races lose no update and repeat none`(_ isLocal: Bool) async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        let url = isLocal ? remote.path : server.url + "/repo.git"
        let rounds = 25
        let (first, second) = (directory.file("first"), directory.file("second"))
        async let a = Self.agent("a", rounds: rounds, url: url, path: first)
        async let b = Self.agent("b", rounds: rounds, url: url, path: second)
        let lost = try await (a, b)
        #expect(try remote.content(of: "counter") == "\(2 * rounds)", "lost races: \(lost)")
        let subjects = try remote.git("log", "--format=%s", "main").split(separator: "\n").map(String.init)
        #expect(subjects.count == 2 * rounds + 1)
        #expect(Set(subjects).count == subjects.count)
        try remote.checkIntegrity()
    }

    /// A branch of one's own that both replace: each replacement had the other's as its lease.
    @Test func `a branch that two agents replace is never replaced unseen`() async throws {
        let url = remote.path
        let (first, second) = (directory.file("first"), directory.file("second"))
        @Sendable func replace(_ name: String, _ path: String) async throws -> [(old: ObjectID?, new: ObjectID)] {
            let mirror = try Mirror(path: path, url: url)
            let writer = Signature(name: name, email: "a@b", time: 1)
            var done: [(old: ObjectID?, new: ObjectID)] = []
            for round in 0..<15 {
                while true {
                    let head = try await mirror.fetch(branch: "main")
                    let old = try await mirror.fetchIfPresent(branch: "bump")
                    let commit = try await mirror.createCommit(
                        parent: head.id, edits: ["x": Array("\(name) \(round)".utf8)], message: "\(name) \(round)",
                        author: writer, committer: writer)
                    if try await mirror.push(commit, to: "bump", expecting: old?.id, force: true) == .pushed {
                        done.append((old?.id, commit))
                        break
                    }
                }
            }
            return done
        }
        async let a = replace("a", first)
        async let b = replace("b", second)
        let all = try await a + b
        // Each state of the branch was replaced once: the replacements form one chain.
        #expect(Set(all.map { $0.old?.description ?? "-" }).count == all.count)
        #expect(all.contains { $0.new.description == (try? remote.head("bump")) })
    }
}

/// A repository of a hundred thousand files and ten thousand commits.
@Suite(.tags(.integration))
struct HugeRepositoryTests {
    @Test func `cost follows the change`() async throws {
        let directory = try TemporaryDirectory("git-huge")
        let remote = try GitRepositoryFixture(in: directory.path)
        var stream = "blob\nmark :1\ndata 2\nx\n\n"
        stream += "commit refs/heads/main\nmark :2\ncommitter A <a@b> 1700000000 +0000\ndata 5\nfirst\n"
        for index in 0..<100_000 {
            stream += "M 100644 :1 dir\(index / 1000)/sub\(index / 100 % 10)/file\(index).yaml\n"
        }
        for index in 0..<10_000 {
            stream += "commit refs/heads/main\ncommitter A <a@b> \(1_700_000_001 + index) +0000\ndata 1\nn\n"
            stream += "M 100644 inline touched\ndata \(String(index).utf8.count)\n\(index)\n"
        }
        try Shell.run(["git", "-C", remote.path, "fast-import", "--quiet"], input: Array(stream.utf8))
        stream = ""
        let server = try await GitHTTPServer(directory: directory.path)
        let mirror = try Mirror(path: directory.file("mirror"), url: server.url + "/repo.git")
        let head = try await mirror.fetch(branch: "main")
        #expect(try head.id.description == remote.head())
        #expect(try await mirror.entries(of: head.id).count == 100_001)
        #expect(try await mirror.log(from: head.id, limit: 5000).count == 5000)
        // Nothing new: one request. An edit: the blob, the trees above it and the commit, and no more.
        try await waitUntil("the log is written") { server.accessLog.contains { $0.hasPrefix("POST ") } }
        let before = server.accessLog.count
        _ = try await mirror.fetch(branch: "main")
        try await waitUntil("the log is written") { server.accessLog.count > before }
        #expect(server.accessLog.count == before + 1)
        let writer = Signature(name: "a", email: "b@c", time: 1)
        let mine = try await mirror.createCommit(
            parent: head.id, edits: ["dir7/sub3/file7300.yaml": Array("y\n".utf8)], message: "edit", author: writer,
            committer: writer)
        #expect(try await mirror.changedPaths(from: head.id, to: mine) == ["dir7/sub3/file7300.yaml"])
        #expect(try await mirror.push(mine, to: "main", expecting: head.id) == .pushed)
        let loose = try remote.git("count-objects")
        #expect(loose.hasPrefix("5 objects"), "\(loose)")
    }
}
