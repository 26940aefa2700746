import Foundation
import TestSupport
import Testing

@testable import Git

/// A disk that is full costs an error that says what, where and what to do. Nothing is half-written, and when there is
/// space again the same mirror goes on.
@Suite(.tags(.integration), .thorough)
struct FullDiskTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let writer = Signature(name: "a", email: "b", time: 1)

    init() throws {
        directory = try TemporaryDirectory("git-full")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["README": "one\n", "deploy/web.yaml": "image: a:1\n"])
    }

    /// Three megabytes that no compression makes smaller.
    private func commitLargeFile() throws {
        try Shell.run(["sh", "-c", "head -c 3145728 /dev/urandom > large"], in: remote.workTree)
        try remote.commitWorkTree()
    }

    private func expectFull(_ error: GitError?, at place: String) {
        #expect(error?.code == .storage, "\(error.map { "\($0)" } ?? "no error")")
        #expect(error?.cause?.contains("No space left on device") == true, "\(error.map { "\($0)" } ?? "")")
        #expect(error?.place?.hasPrefix(place) == true, "\(error?.place ?? "")")
        #expect(error?.hint?.isEmpty == false)
    }

    private func checkIntegrity(_ path: String) throws {
        try Shell.run(["git", "-C", path, "fsck", "--strict", "--full", "--no-dangling"])
    }

    /// Half-written packs, temporary objects and locks.
    private func remains(in path: String) throws -> [String] {
        let files = try Shell.run(["find", path, "-type", "f"]).stdout.split(separator: "\n").map(String.init)
        return files.filter { $0.hasSuffix(".lock") || $0.contains("pack_git2") || $0.contains("tmp_") }
            .filter { !$0.hasSuffix("/mirror.lock") }
    }

    @Test(arguments: ["file", "http"]) func `a fetch that does not fit`(_ transport: String) async throws {
        guard let disk = try SmallDisk(at: directory.file("disk"), megabytes: 4) else { return }
        let server = try await GitHTTPServer(directory: directory.path)
        defer { server.stop() }
        let path = disk.path + "/mirror"
        let mirror = try Mirror(
            path: path, url: transport == "file" ? remote.path : server.url + "/repo.git")
        let first = try await mirror.fetch(branch: "main")
        try commitLargeFile()
        expectFull(
            await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }, at: disk.path)
        #expect(try remains(in: path) == [])
        try checkIntegrity(path)
        // What was there is there still, and a commit of a few bytes goes.
        #expect(try await mirror.log(from: first.id, limit: 1).first?.id == first.id)
        try disk.grow(toMegabytes: 32)
        let second = try await mirror.fetch(branch: "main")
        #expect(try second.id.description == remote.head())
        #expect(try await mirror.entries(of: second.id).contains { $0.path == "large" })
        try checkIntegrity(path)
    }

    @Test func `the first fetch of all`() async throws {
        guard let disk = try SmallDisk(at: directory.file("disk"), megabytes: 4) else { return }
        try commitLargeFile()
        let path = disk.path + "/mirror"
        try disk.fill()
        let early = #expect(throws: GitError.self) { try Mirror(path: path, url: remote.path) }
        #expect(early?.code == .storage, "\(early.map { "\($0)" } ?? "")")
        try disk.free()
        let mirror = try Mirror(path: path, url: remote.path)
        expectFull(await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }, at: disk.path)
        try disk.grow(toMegabytes: 32)
        #expect(try await mirror.fetch(branch: "main").id.description == remote.head())
        try checkIntegrity(path)
    }

    /// Of few files (an object each) and of many (a pack).
    @Test(arguments: [1, 60]) func `a commit that does not fit`(_ count: Int) async throws {
        guard let disk = try SmallDisk(at: directory.file("disk"), megabytes: 8) else { return }
        let path = disk.path + "/mirror"
        let mirror = try Mirror(path: path, url: remote.path)
        let head = try await mirror.fetch(branch: "main")
        let edits = Dictionary(
            uniqueKeysWithValues: (0..<count).map { ("deploy/\($0).yaml", Array("image: a:\($0)\n".utf8)) })
        try disk.fill()
        expectFull(
            await #expect(throws: GitError.self) {
                try await mirror.createCommit(
                    parent: head.id, edits: edits, message: "m", author: writer, committer: writer)
            }, at: disk.path)
        #expect(try remains(in: path) == [])
        try checkIntegrity(path)
        try disk.free()
        let commit = try await mirror.createCommit(
            parent: head.id, edits: edits, message: "m", author: writer, committer: writer)
        #expect(try await mirror.push(commit, to: "main", expecting: head.id) == .pushed)
        #expect(try remote.head() == commit.description)
        try checkIntegrity(path)
        try remote.checkIntegrity()
    }

    /// The mirror's own note of the branch does not fit: the push has happened all the same, and is reported so.
    @Test func `a push is not forgotten`() async throws {
        guard let disk = try SmallDisk(at: directory.file("disk"), megabytes: 8) else { return }
        let path = disk.path + "/mirror"
        let mirror = try Mirror(path: path, url: remote.path)
        let head = try await mirror.fetch(branch: "main")
        let commit = try await mirror.createCommit(
            parent: head.id, edits: ["a": [1]], message: "m", author: writer, committer: writer)
        let hook = remote.path + "/hooks/post-receive"
        let filler = disk.path + "/filler"
        try "#!/bin/sh\ncat /dev/zero > '\(filler)' 2>&-\nexit 0\n".write(
            toFile: hook, atomically: true, encoding: .utf8)
        try Shell.run(["chmod", "755", hook])
        #expect(try await mirror.push(commit, to: "main", expecting: head.id) == .pushed)
        #expect(try remote.head() == commit.description)
        try Shell.run(["rm", filler])
        #expect(try await mirror.fetch(branch: "main").id == commit)
        #expect(await mirror.lastFetch?.isRewritten == false)
        try checkIntegrity(path)
    }

    /// A push needs some bytes of the mirror's disk: without them nothing is sent, and the same commit goes later.
    @Test func `a push from a disk that is full`() async throws {
        guard let disk = try SmallDisk(at: directory.file("disk"), megabytes: 8) else { return }
        let path = disk.path + "/mirror"
        let mirror = try Mirror(path: path, url: remote.path)
        let head = try await mirror.fetch(branch: "main")
        let commit = try await mirror.createCommit(
            parent: head.id, edits: ["a": [1]], message: "m", author: writer, committer: writer)
        try disk.fill()
        expectFull(
            await #expect(throws: GitError.self) {
                try await mirror.push(commit, to: "main", expecting: head.id)
            }, at: disk.path)
        #expect(try remote.head() == head.id.description)
        try disk.free()
        #expect(try await mirror.push(commit, to: "main", expecting: head.id) == .pushed)
        try checkIntegrity(path)
    }

    /// The remote's disk is full: the branch stays where it was, and the same commit goes later.
    @Test(arguments: ["file", "http"]) func `a remote that is full`(_ transport: String) async throws {
        guard let disk = try SmallDisk(at: directory.file("disk"), megabytes: 8) else { return }
        let full = try GitRepositoryFixture(in: disk.path)
        let old = try full.commit(["README": "one\n"])
        let server = try await GitHTTPServer(directory: disk.path)
        defer { server.stop() }
        let mirror = try Mirror(
            path: directory.file("mirror"), url: transport == "file" ? full.path : server.url + "/repo.git")
        let head = try await mirror.fetch(branch: "main")
        let noise = (0..<40_000).map { _ in UInt8.random(in: 0...255) }
        let commit = try await mirror.createCommit(
            parent: head.id, edits: ["a": noise], message: "m", author: writer, committer: writer)
        try disk.fill()
        let error = await #expect(throws: GitError.self) {
            try await mirror.push(commit, to: "main", expecting: head.id)
        }
        // In the server's words, which over HTTP may be a status only.
        #expect(
            error?.code == .storage || transport == "http" && error?.code == .network,
            "\(error.map { "\($0)" } ?? "")")
        #expect(transport == "http" || error?.cause?.contains("No space left on device") == true)
        #expect(try full.head() == old)
        try disk.free()
        try full.checkIntegrity()
        #expect(try await mirror.push(commit, to: "main", expecting: head.id) == .pushed)
        try full.checkIntegrity()
    }
}
