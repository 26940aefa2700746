import Foundation
import TestSupport
import Testing

@testable import Git

/// Repositories and servers that mean harm, or are broken.
@Suite(.tags(.integration), .thorough)
struct HostileTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("git-hostile")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["README": "one\n"])
    }

    /// A commit on `main` whose tree has these entries, written as git would not.
    private func commit(tree entries: [(mode: String, name: [UInt8], id: String)]) throws -> ObjectID {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes += Array("\(entry.mode) ".utf8) + entry.name + [0]
            bytes += stride(from: 0, to: 40, by: 2).compactMap { index in
                let start = entry.id.index(entry.id.startIndex, offsetBy: index)
                return UInt8(entry.id[start..<entry.id.index(start, offsetBy: 2)], radix: 16)
            }
        }
        let tree = try write("tree", bytes)
        let text = "tree \(tree)\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nodd\n"
        let commit = try write("commit", Array(text.utf8))
        try remote.git("update-ref", "refs/heads/main", commit)
        return try ObjectID(hex: commit)
    }

    private func write(_ type: String, _ bytes: [UInt8]) throws -> String {
        try Shell.run(
            ["git", "-C", remote.path, "hash-object", "-t", type, "-w", "--stdin", "--literally"], input: bytes
        ).stdout.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test(arguments: [
        ("..", "named '..'"), (".", "named '.'"), (".git", "named '.git'"), (".GIT", "named '.git'"),
        ("a/../../b", "with a '/' in its name"), ("", "without a name"),
    ]) func `names that lead astray are refused`(_ name: String, _ words: String) async throws {
        let blob = try write("blob", Array("x".utf8))
        let head = try commit(tree: [("100644", Array(name.utf8), blob)])
        let mirror = try Mirror(path: directory.file("mirror"), url: remote.path)
        // Some of them libgit2 does not even take as a tree.
        let error = await #expect(throws: GitError.self) {
            _ = try await mirror.fetch(branch: "main")
            _ = try await mirror.entries(of: head)
        }
        #expect(
            error?.summary.contains(words) == true || error?.code == .corrupt
                || error?.summary == "the remote repository is damaged", "\(error.map { "\($0)" } ?? "")")
    }

    @Test func `one name twice is refused; odd but lawful names are kept`() async throws {
        let blob = try write("blob", Array("x".utf8))
        let head = try commit(tree: [("100644", [0x61], blob), ("100755", [0x61], blob)])
        let mirror = try Mirror(path: directory.file("mirror"), url: remote.path)
        _ = try await mirror.fetch(branch: "main")
        let error = await #expect(throws: GitError.self) { try await mirror.entries(of: head) }
        #expect(error?.summary.contains("names one entry twice") == true)

        let names: [[UInt8]] = [
            Array("a\\b".utf8), Array("caf".utf8) + [0xe9], Array("line\nend".utf8), Array("~odd".utf8), [0xff, 0xfe],
        ].sorted { $0.lexicographicallyPrecedes($1) }
        let lawful = try commit(tree: names.map { ("100644", $0, blob) })
        _ = try await mirror.fetch(branch: "main")
        #expect(try await mirror.entries(of: lawful).map(\.pathBytes) == names)
        // An edit beside them leaves them as they are.
        let writer = Signature(name: "a", email: "b@c", time: 1)
        let edited = try await mirror.createCommit(
            parent: lawful, edits: ["new.yaml": [1]], message: "x", author: writer, committer: writer)
        let after = try await mirror.entries(of: edited)
        #expect(after.filter { $0.path != "new.yaml" }.map(\.pathBytes) == names)
    }

    @Test func `cyclic links, huge blobs, deep trees`() async throws {
        let big = 16 << 20
        let blob = try write("blob", [UInt8](repeating: 0x20, count: big))
        let link = try write("blob", Array("loop".utf8))
        let head = try commit(tree: [("100644", Array("big.yaml".utf8), blob), ("120000", Array("loop".utf8), link)])
        let mirror = try Mirror(path: directory.file("mirror"), url: remote.path)
        _ = try await mirror.fetch(branch: "main")
        let entries = try await mirror.entries(of: head)
        #expect(entries.map(\.mode) == [.file, .symlink])
        #expect(try await mirror.size(of: entries[0].id) == big)
        let error = await #expect(throws: GitError.self) { try await mirror.blob(entries[0].id, limit: 8 << 20) }
        #expect(error?.code == .tooLarge)
        let writer = Signature(name: "a", email: "b@c", time: 1)
        for file in ["loop", "loop/x"] {
            let refused = await #expect(throws: GitError.self) {
                try await mirror.createCommit(
                    parent: head, edits: [file: [1]], message: "x", author: writer, committer: writer)
            }
            #expect(refused?.code == .invalid)
        }
        let path = Array(repeating: "d", count: 1100).joined(separator: "/")
        let stream =
            "commit refs/heads/deep\ncommitter A <a@b> 1 +0000\ndata 1\nn\nM 100644 inline \(path)\ndata 1\nx\n"
        try Shell.run(["git", "-C", remote.path, "fast-import", "--quiet"], input: Array(stream.utf8))
        let deep = try ObjectID(hex: remote.head("deep"))
        try remote.git("update-ref", "refs/heads/main", deep.description)
        _ = try await mirror.fetch(branch: "main")
        let nested = await #expect(throws: GitError.self) { try await mirror.entries(of: deep) }
        #expect(nested?.code == .tooLarge)
    }

    @Test func `references with odd names do no harm`() async throws {
        let head = try remote.head()
        for name in [
            "refs/heads/ümlaut", "refs/heads/with-quote'\"", "refs/heads/a/b/c/d/e/f", "refs/odd/$(id)",
            "refs/heads/-x",
        ] {
            try remote.git("update-ref", name, head)
        }
        try "\(head)\n".write(toFile: remote.path + "/refs/heads/white space", atomically: true, encoding: .utf8)
        let server = try await GitHTTPServer(directory: directory.path)
        let mirror = try Mirror(path: directory.file("mirror"), url: server.url + "/repo.git")
        #expect(try await mirror.fetch(branch: "main").id.description == head)
        #expect(try await mirror.remoteBranches()["ümlaut"]?.description == head)
        #expect(try await mirror.fetch(branch: "a/b/c/d/e/f").id.description == head)
    }

    // MARK: Servers

    private static let id = String(repeating: "1", count: 40)

    private static func line(_ text: String) -> [UInt8] {
        let length = String(text.utf8.count + 4, radix: 16)
        return Array((String(repeating: "0", count: 4 - length.count) + length + text).utf8)
    }

    /// A packet of the pack's side band.
    private static func band(_ bytes: [UInt8]) -> [UInt8] {
        let length = String(bytes.count + 5, radix: 16)
        let digits = String(repeating: "0", count: 4 - length.count) + length
        return Array(digits.utf8) + [1] + bytes
    }

    private static let head = Array(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nConnection: close\r\n\r\n".utf8
    )
    private static let service = line("# service=git-upload-pack\n") + Array("0000".utf8)
    private static let advertisement =
        service + line("\(id) refs/heads/main\0side-band-64k ofs-delta no-progress agent=evil\n") + Array("0000".utf8)

    @Test func `references without end are given up`() async throws {
        let piece = (0..<1000).flatMap { Self.line("\(Self.id) refs/heads/x\($0)\n") }
        let server = try StubServer { _ in .endless(head: Self.head + Self.service, piece: piece) }
        defer { server.stop() }
        var credentials = GitCredentials()
        credentials.advertisementLimit = 4 << 20
        let mirror = try Mirror(
            path: directory.file("mirror"), url: server.url + "/repo.git", credentials: credentials)
        let error = await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }
        #expect(error?.code == .tooLarge, "\(error.map { "\($0)" } ?? "")")
    }

    @Test func `a pack without end is given up`() async throws {
        let result = Array(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nConnection: close\r\n\r\n".utf8)
        // A pack of some objects, of which the first never ends: an uncompressed deflate stream of zeros.
        var start: [UInt8] = Array("PACK".utf8)
        start += [0, 0, 0, 2, 0, 0, 0, 9]
        start += [0xbf, 0xff, 0xff, 0xff, 0x7f, 0x78, 0x01]
        let opening = result + Self.line("NAK\n") + Self.band(start)
        let block: [UInt8] = [0, 0x00, 0x80, 0xff, 0x7f] + [UInt8](repeating: 0, count: 0x8000)
        let packet = Self.band(block)
        let head = Self.head + Self.advertisement
        let server = try StubServer { request in
            request.method == "GET"
                ? .raw(head) : .endless(head: opening, piece: packet)
        }
        defer { server.stop() }
        var credentials = GitCredentials()
        credentials.fetchLimit = 20 << 20
        let path = directory.file("mirror")
        do {
            let mirror = try Mirror(path: path, url: server.url + "/repo.git", credentials: credentials)
            let error = await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }
            #expect(error != nil)
            #expect(
                error?.code == .tooLarge || error?.code == .corrupt || error?.code == .network,
                "\(error.map { "\($0)" } ?? "")")
        }
        // The next start finds nothing of it.
        _ = try Mirror(path: path, url: server.url + "/repo.git", credentials: credentials)
        #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/objects/pack").isEmpty)
    }

    private static let noAdvertisements: [(String, [UInt8])] = {
        var all: [(String, [UInt8])] = []
        all.append(("garbage", Array("this is no git server\n".utf8)))
        all.append(("short", Array("00".utf8)))
        all.append(("long", Array("fffe# x".utf8)))
        all.append(("no references", service))
        all.append(("bad id", service + line("zzzz refs/heads/main\n") + Array("0000".utf8)))
        all.append(("error", service + line("ERR access denied\n")))
        all.append(("nothing", []))
        return all
    }()

    @Test(arguments: noAdvertisements)
    func `answers that are no advertisement end in an error`(_ what: String, _ body: [UInt8]) async throws {
        let server = try StubServer { _ in .raw(Self.head + body) }
        defer { server.stop() }
        let mirror = try Mirror(path: directory.file("mirror"), url: server.url + "/repo.git")
        await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }
    }

    @Test(arguments: ["other", "none", "garbage"])
    func `a pack that has not what was promised is refused`(_ what: String) async throws {
        let commit = try remote.head()
        let pack: [UInt8]
        switch what {
        case "other":
            let output = directory.file("wrong")
            try Shell.run(["git", "-C", remote.path, "pack-objects", "-q", output], input: Array("\(commit)\n".utf8))
            let name = try FileManager.default.contentsOfDirectory(atPath: directory.path).first {
                $0.hasSuffix(".pack")
            }
            pack = [UInt8](try Data(contentsOf: URL(fileURLWithPath: directory.file(try #require(name)))))
        case "none": pack = []
        default: pack = Array("PACK".utf8) + [0, 0, 0, 2, 0, 0, 0, 1] + [UInt8](repeating: 0x5a, count: 200)
        }
        let result = Array(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nConnection: close\r\n\r\n".utf8)
        let banded = pack.isEmpty ? [] : Self.band(pack)
        let head = Self.head + Self.advertisement
        let server = try StubServer { request in
            request.method == "GET" ? .raw(head) : .raw(result + Self.line("NAK\n") + banded + Array("0000".utf8))
        }
        defer { server.stop() }
        let mirror = try Mirror(path: directory.file("mirror"), url: server.url + "/repo.git")
        let error = await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }
        #expect(error != nil)
        // The mirror is as good as before.
        #expect(await mirror.lastFetch == nil)
    }

    @Test func `what a killed process left behind does not block the next`() async throws {
        let path = directory.file("mirror")
        do { _ = try await Mirror(path: path, url: remote.path).fetch(branch: "main") }
        for file in [
            "HEAD.lock", "refs/heads/main.lock", "objects/tmp_object_git2_abc", "objects/pack/pack_git2_x",
            "packed-refs.lock",
        ] {
            try "".write(toFile: path + "/" + file, atomically: true, encoding: .utf8)
        }
        let next = try remote.commit(["README": "two\n"])
        let mirror = try Mirror(path: path, url: remote.path)
        #expect(try await mirror.fetch(branch: "main").id.description == next)
        #expect(try Shell.run(["git", "-C", path, "rev-parse", "main"]).stdout.hasPrefix(next))
    }
}
