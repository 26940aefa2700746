import Foundation
import TestSupport
import Testing

@testable import Git

/// An agent runs for months: what a mirror holds open, and how many files it is made of, does not grow with the commits.
@Suite(.tags(.integration), .thorough)
struct MirrorFilesTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let mirror: Git.Mirror
    private let commits: [String]

    /// The remote has many commits, and the branch may be put at any of them.
    init() async throws {
        directory = try TemporaryDirectory("git-mirror-files")
        remote = try GitRepositoryFixture(in: directory.path)
        let count = 600
        var stream = ""
        for number in 1...count {
            stream += "commit refs/heads/all\ncommitter a <a@example.com> \(1_700_000_000 + number) +0000\ndata 1\nc\n"
            stream += "M 100644 inline deploy/f\(number % 20)\ndata \(String(number).utf8.count)\n\(number)\n"
        }
        try stream.write(toFile: directory.file("stream"), atomically: true, encoding: .utf8)
        try Shell.run(["sh", "-c", "git -C \(remote.path) fast-import --quiet < \(directory.file("stream"))"])
        commits = try remote.git("rev-list", "--reverse", "all").split(separator: "\n").map(String.init)
        mirror = try Mirror(path: directory.file("mirror"), url: remote.path)
    }

    private func put(_ commit: String) throws {
        try Data("\(commit)\n".utf8).write(to: URL(fileURLWithPath: remote.path + "/refs/heads/main"))
    }

    private var openFiles: Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.filter { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
            return target?.hasPrefix(mirror.path + "/") == true
        }.count
    }

    private var files: Int { FileManager.default.subpaths(atPath: mirror.path)?.count ?? 0 }

    @Test func `hundreds of fetches keep few files, open or not`() async throws {
        try put(commits[0])
        let first = try await mirror.fetch(branch: "main")
        let entry = try #require(try await mirror.objectID(at: "deploy/f1", in: first.id))
        // A build reads the first commit all the time.
        var reader: ObjectReader? = try mirror.reader()
        var (mostOpen, most) = (0, 0)
        for (number, commit) in commits.enumerated() {
            try put(commit)
            let head = try await mirror.fetch(branch: "main")
            #expect(head.id.description == commit)
            // The agent reads what is new.
            _ = try await mirror.entries(of: head.id)
            if number % 10 == 0 { #expect(try reader?.blob(entry.id, limit: 10) == Array("1".utf8)) }
            (mostOpen, most) = (max(mostOpen, openFiles), max(most, files))
        }
        // Two for each pack, and there are never more than are joined, and what comes until the next look.
        #expect(mostOpen <= 64)
        #expect(most <= 160)
        reader = nil
        _ = try await mirror.fetch(branch: "main")
        #expect(openFiles == 0, "nothing is new, and nothing is held open")
        #expect(try await mirror.log(from: ObjectID(hex: commits[599]), limit: 1_000).count == 600)
        try Shell.run(["git", "-C", mirror.path, "fsck", "--full", "--strict"])
    }

    @Test func `hundreds of commits keep few files`() async throws {
        try put(commits[19])
        var head = try await mirror.fetch(branch: "main").id
        let writer = Signature(name: "Slipway", email: "slipway@example.com", time: 1_700_000_000)
        var most = 0
        for number in 1...120 {
            let edits = Dictionary(uniqueKeysWithValues: (0..<20).map { ("deploy/f\($0)", Array("v\(number)".utf8)) })
            let new = try await mirror.createCommit(
                parent: head, edits: edits, message: "bump", author: writer, committer: writer)
            #expect(try await mirror.push(new, to: "main", expecting: head) == .pushed)
            #expect(try await mirror.fetch(branch: "main").id == new)
            head = new
            most = max(most, files)
        }
        // Without joining, each commit leaves 22.
        #expect(most <= 1_000)
        #expect(try await mirror.log(from: head, limit: 1_000).count == 140)
        try Shell.run(["git", "-C", mirror.path, "fsck", "--full", "--strict"])
    }

    @Test(
        arguments: [
            ([10, 10, 10, 10], 4), ([10, 30, 90], 0), ([10, 10, 90], 2), ([10, 10, 30, 200], 3), ([10], 0),
            ([10, 10, ObjectFiles.sizeLimit + 1], 2),
        ] as [([Int64], Int)])
    func `small packs are joined, and those that are not much larger`(_ sizes: [Int64], _ count: Int) throws {
        let pack = directory.file("objects/pack")
        try Shell.run(["mkdir", "-p", pack])
        for (number, size) in sizes.enumerated() {
            try Shell.run(["truncate", "-s", "\(size)", "\(pack)/pack-\(number).pack", "\(pack)/pack-\(number).idx"])
        }
        #expect(ObjectFiles(in: directory.file("objects")).toJoin.count == count)
    }
}
