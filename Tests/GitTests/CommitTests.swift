import Foundation
import TestSupport
import Testing

@testable import Git

@Suite(.tags(.integration), .thorough)
struct CommitTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let mirror: Git.Mirror
    let base: ObjectID
    let writer = Signature(name: "Slipway", email: "slipway@example.com", time: 1_700_000_100, offsetMinutes: 90)

    /// A tree with every mode that git has, nested, with names that sort differently as files and as directories.
    init() async throws {
        directory = try TemporaryDirectory("git-commit")
        remote = try GitRepositoryFixture(in: directory.path)
        let work = remote.workTree
        try remote.commit([
            "a.txt": "a\n", "a/b/c.txt": "c\n", "a/b/d/e.txt": "e\n", "a-b/x": "x\n", "deploy/app.yaml": "image: a:1\n",
            "deploy/other.yaml": "image: b:1\n", "run.sh": "#!/bin/sh\n",
        ])
        try Shell.run(["chmod", "755", "run.sh"], in: work)
        try Shell.run(["ln", "-s", "deploy/app.yaml", "link"], in: work)
        try Shell.run(["ln", "-s", "deploy", "linked"], in: work)
        try remote.gitInWorkTree("update-index", "--add", "--cacheinfo", "160000,\(remote.head()),module")
        try Shell.run(["mkdir", "module"], in: work)
        base = try ObjectID(hex: remote.commitWorkTree(message: "modes"))
        mirror = try Mirror(path: directory.file("mirror"), url: remote.path)
        _ = try await mirror.fetch(branch: "main")
    }

    private func commit(_ edits: [String: String], deletions: Set<String> = []) async throws -> ObjectID {
        try await mirror.createCommit(
            parent: base, edits: edits.mapValues { Array($0.utf8) }, deletions: deletions, message: "edit",
            author: writer,
            committer: writer)
    }

    @Test func `the listing is git's own`() async throws {
        let entries = try await mirror.entries(of: base)
        let modes: [TreeEntry.Mode: String] = [
            .file: "100644 blob", .executable: "100755 blob", .symlink: "120000 blob", .submodule: "160000 commit",
        ]
        let listing = entries.map { "\(modes[$0.mode] ?? "?") \($0.id)\t\($0.path)" }.joined(separator: "\n")
        #expect(try listing == remote.git("ls-tree", "-r", base.description))
        let top = try await mirror.entries(of: base, recursive: false).map(\.path).joined(separator: "\n")
        #expect(try top == remote.git("ls-tree", "--name-only", base.description))
        let all = try await mirror.entries(of: base, includingDirectories: true).map(\.path).joined(separator: "\n")
        #expect(try all == remote.git("ls-tree", "-r", "-t", "--name-only", base.description))
        #expect(try await mirror.entries(of: base, under: "a").map(\.path) == ["a/b/c.txt", "a/b/d/e.txt"])
        await #expect(throws: GitError.self) { try await mirror.entries(of: base, under: "a.txt") }
        await #expect(throws: GitError.self) { try await mirror.entries(of: base, limit: 3) }
    }

    /// Few edits are stored as a file an object, many as one pack.
    @Test(arguments: [0, 40])
    func `edits give the tree that git gives`(_ more: Int) async throws {
        var edits = [
            "a/b/d/e.txt": "changed\n", "run.sh": "#!/bin/sh\necho\n", "deploy/app.yaml": "image: a:2\r\n",
            "new/deep/er/file": "new\n", "a0": "sorts after a/\n",
        ]
        for number in 0..<more { edits["many/\(number % 3)/\(number)"] = "\(number)\n" }
        let id = try await commit(edits, deletions: ["a.txt", "a-b/x", "not/there"])
        #expect(try await mirror.changedPaths(from: base, to: id).count == edits.count + 2)
        let folders = try FileManager.default.contentsOfDirectory(atPath: mirror.path + "/objects")
        #expect(folders.contains { $0.utf8.count == 2 } == (more == 0))
        try Shell.run(["git", "-C", mirror.path, "fsck", "--strict", "--full", "--no-dangling", "--connectivity-only"])
        #expect(try await mirror.push(id, to: "main", expecting: base) == .pushed)
        try remote.checkIntegrity()

        // The same with git: no end-of-line conversion, modes as they are.
        try Shell.run(["git", "-C", remote.workTree, "reset", "-q", "--hard", base.description])
        for (file, text) in edits {
            let path = remote.workTree + "/" + file
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Shell.run(["dd", "of=" + path, "status=none"], input: Array(text.utf8))
        }
        try Shell.run(["rm", "a.txt", "a-b/x"], in: remote.workTree)
        try remote.gitInWorkTree("add", "-A")
        #expect(try remote.gitInWorkTree("write-tree") == remote.git("rev-parse", "main^{tree}"))
        #expect(
            try remote.git("log", "-1", "--format=%an <%ae> %ad|%cn|%B", "--date=raw", "main").hasPrefix(
                "Slipway <slipway@example.com> 1700000100 +0130|Slipway|edit"))
    }

    @Test(arguments: [
        "link", "linked/app.yaml", "module", "module/file", "a", "a.txt/b", "", "/a", "a//b", "../a", "a/./b",
        ".git/config",
        "a/.GIT/hooks/x", "a\u{0}b",
    ])
    func `what is not a plain file is never edited`(_ path: String) async throws {
        let error = await #expect(throws: GitError.self) { try await commit([path: "x"]) }
        #expect(error?.code == .invalid)
    }

    @Test func `nothing to change is said`() async throws {
        for edits in [[:], ["a.txt": "a\n"]] {
            let error = await #expect(throws: GitError.self) { try await commit(edits) }
            #expect(error?.code == .unchanged)
        }
        let bad = Signature(name: "<>", email: "", time: 0)
        await #expect(throws: GitError.self) {
            try await mirror.createCommit(
                parent: base, edits: ["a.txt": [1]], message: "m", author: bad, committer: writer)
        }
    }

    @Test func `the difference is what git diff prints`() async throws {
        var lines = (1...60).map { "line \($0)" }
        try remote.commit([
            "long.txt": lines.joined(separator: "\n") + "\n", "gone.txt": "gone\n", "no-newline": "end",
            "with space": "s\n", "übung": "u\n",
            "code.c": "int f(void)\n{\n\treturn 1;\n}\n\nint g(void)\n{\n\treturn 1;\n}\n",
        ])
        let old = try ObjectID(hex: remote.head())
        lines[10] = "changed"
        lines.insert("inserted", at: 40)
        try Shell.run(["git", "mv", "long.txt", "renamed.txt"], in: remote.workTree)
        try Shell.run(["chmod", "644", "run.sh"], in: remote.workTree)
        let new = try ObjectID(
            hex: remote.commit([
                "renamed.txt": lines.joined(separator: "\n") + "\n", "gone.txt": nil, "no-newline": "other end",
                "with space": "t\n", "übung": "v\n", "binary": "a\u{0}b", "empty": "",
                "code.c": "int f(void)\n{\n\treturn 1;\n}\n\nint g(void)\n{\n\treturn 2;\n}\n",
                "deploy/app.yaml": "image: a:2\n",
            ]))
        let head = try await mirror.fetch(branch: "main")
        #expect(head.id == new)
        let ours = try await mirror.diff(from: old, to: new).split(separator: "\n", omittingEmptySubsequences: false)
        let theirs = try Shell.run(["git", "-C", remote.path, "diff", "\(old)", "\(new)"]).stdout
            .split(separator: "\n", omittingEmptySubsequences: false)
        for (mine, other) in zip(ours, theirs) { try #require(mine == other) }
        #expect(ours.count == theirs.count)
        #expect(
            try await mirror.changedPaths(from: old, to: new)
                == Shell.run([
                    "git", "-C", remote.path, "diff", "-z", "--no-renames", "--name-only", "\(old)", "\(new)",
                ]).stdout
                .split(separator: "\0").map(String.init).sorted())
        await #expect(throws: GitError.self) { try await mirror.diff(from: old, to: new, limit: 100) }
    }

    @Test func `history, ancestry and tags`() async throws {
        try remote.git("tag", "light", base.description)
        try remote.git("tag", "-a", "-m", "heavy", "v1.0.0", base.description)
        let next = try ObjectID(hex: remote.commit(["a.txt": "b\n"], message: "next\n\nbody"))
        let head = try await mirror.fetch(branch: "main")
        #expect(head.id == next && head.subject == "next" && head.message == "next\n\nbody\n")
        #expect(try await mirror.log(from: next, limit: 2).map(\.id) == [next, base])
        #expect(try await mirror.log(from: next, limit: 10, notReachableFrom: base).map(\.id) == [next])
        #expect(try await mirror.isAncestor(base, of: next))
        #expect(try await !mirror.isAncestor(next, of: base))
        #expect(try await !mirror.isAncestor(ObjectID(hex: String(repeating: "1", count: 40)), of: next))
        #expect(try await mirror.tags(at: base) == ["light", "v1.0.0"])
        #expect(try await mirror.defaultBranch() == "main")
    }

    @Test func `blobs are bounded, and read from other threads too`() async throws {
        let entry = try #require(try await mirror.objectID(at: "deploy/app.yaml", in: base))
        let error = await #expect(throws: GitError.self) { try await mirror.blob(entry.id, limit: 5) }
        #expect(error?.code == .tooLarge)
        #expect(try await mirror.sizes(of: [entry.id]) == [11])
        let reader = try mirror.reader()
        var content: [UInt8] = []
        let isTaken = try reader.stream(entry.id) { bytes in
            content += bytes
            return true
        }
        #expect(isTaken && content == Array("image: a:1\n".utf8))
        #expect(try await mirror.objectID(at: "deploy/none", in: base) == nil)
        #expect(try await mirror.objectID(at: "", in: base)?.mode == .directory)
    }
}
