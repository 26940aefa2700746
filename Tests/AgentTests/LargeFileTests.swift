import Builder
import ContentStore
import Foundation
import Git
import OCI
import TestSupport
import Testing

@testable import Agent

/// `lfs: true`: what Git LFS keeps in the place of pointers. The server of the objects is a fake; git-lfs itself says whether
/// we agree.
@Suite(.tags(.integration), .thorough) struct LargeFileTests {
    private static let fetched = FetchedContent(largeFiles: true)
    private static let large = Array("large\n".utf8) + [UInt8](repeating: 7, count: 200_000)
    private static let other = Array("other\n".utf8)

    /// A repository with two large files, beside its git server.
    private final class Bench: Sendable {
        let base: ForeignContentBench
        let fake: FakeLargeFileServer
        let server: GitHTTPServer
        let repository: GitRepositoryFixture

        init(
            _ files: [String: String] = [:], faults: FakeLargeFileServer.Faults = .init(), authorization: String? = nil,
            user: String? = nil, password: String? = nil
        ) async throws {
            base = try ForeignContentBench("large-files")
            fake = try FakeLargeFileServer(
                [LargeFileTests.large, LargeFileTests.other], authorization: authorization, faults: faults)
            repository = try base.repository("shop")
            let all = [
                "large.bin": try FakeLargeFileServer.pointer(to: LargeFileTests.large),
                "sub/other.bin": try FakeLargeFileServer.pointer(to: LargeFileTests.other), "plain": "plain\n",
                ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
            ].merging(files) { _, new in new }
            try repository.commit(all.mapValues { Optional($0) })
            server = try await GitHTTPServer(
                directory: base.folder, user: user, password: password, extra: fake.proxy)
        }

        var url: String { server.url + "/shop.git" }

        func context(credentials: GitCredentials? = nil, state: String = "state") async throws -> any BuildContext {
            try await base.context(url, LargeFileTests.fetched, credentials: credentials, state: state)
        }

        func failure(of path: String = "large.bin", credentials: GitCredentials? = nil) async throws -> BuildError? {
            let context = try await context(credentials: credentials)
            let entry = try #require(try await context.entry(path))
            return await #expect(throws: BuildError.self) { _ = try await context.bytes(of: entry) }
        }
    }

    @Test func `content comes in the place of pointers, as git-lfs has it`() async throws {
        let bench = try await Bench()
        let context = try await bench.context()
        let entries = try await context.entries(under: "")
        #expect(entries.first { $0.path == "large.bin" }?.size == Int64(Self.large.count))
        let builder = try await bench.base.builder()
        let key = try await builder.contentKey(ForeignContentBench.request(context))
        #expect(bench.fake.requests.isEmpty, "a key needs no content")

        let clone = bench.base.directory.file("clone")
        try Shell.run(
            [
                "git", "-c", "filter.lfs.process=git-lfs filter-process", "-c",
                "filter.lfs.smudge=git-lfs smudge -- %f",
                "-c", "filter.lfs.required=true", "clone", "-q", bench.url, clone,
            ], environment: ["HOME": bench.base.directory.path])
        let before = bench.fake.batches.count
        for path in ["large.bin", "sub/other.bin", "plain"] {
            let entry = try #require(entries.first { $0.path == path })
            let judge = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(clone)/\(path)")))
            #expect(try await context.bytes(of: entry) == judge, "\(path)")
        }
        #expect(bench.fake.batches.count == before + 1, "objects are asked about together")
        #expect(bench.fake.downloads.suffix(2).allSatisfy { $0.headers["x-ticket"]?.hasPrefix("for-") == true })

        // Kept by its digest, for whoever has a pointer to it.
        let count = bench.fake.requests.count
        let again = try await bench.context()
        #expect(try await again.contents()["large.bin"]?.utf8.count == Self.large.count)
        #expect(bench.fake.requests.count == count)
        // The pointer is the content: another key, another image.
        #expect(try await builder.contentKey(ForeignContentBench.request(again)) == key)
        try bench.repository.commit(["large.bin": try FakeLargeFileServer.pointer(to: Self.other)])
        #expect(try await builder.contentKey(ForeignContentBench.request(bench.context())) != key)
    }

    @Test func `only what a step takes is fetched`() async throws {
        let bench = try await Bench()
        let builder = try await bench.base.builder()
        let image = try await builder.build(
            ForeignContentBench.request(bench.context(), "FROM scratch\nCOPY sub /sub\n")
        ) { _ in }
        #expect(image.layers.count == 1)
        #expect(bench.fake.downloads.count == 1)
        var request = ForeignContentBench.request(try await bench.context(), "FROM scratch\nCOPY large.bin /\n")
        request.contextFileLimit = 1_000
        let asked = request
        let error = await #expect(throws: BuildError.self) { _ = try await builder.build(asked) { _ in } }
        #expect(error?.hint?.contains("contextFileLimit") == true, "\(String(describing: error))")
        #expect(bench.fake.downloads.count == 1, "a file that is too large is not begun")
    }

    @Test func `what nobody asked for is refused, with the key's name`() async throws {
        let bench = try await Bench()
        let context = try await bench.base.context(bench.url, .nothing)
        let entry = try #require(try await context.entry("large.bin"))
        let error = await #expect(throws: BuildError.self) { _ = try await context.bytes(of: entry) }
        #expect(error?.hint?.contains("'lfs: true'") == true && error?.place == "large.bin")
        #expect(error?.hint?.contains(".dockerignore") == true, "who does not need the file leaves it out")
        #expect(bench.fake.requests.isEmpty)
    }

    @Test(arguments: ["shorter", "longer", "other"]) func `other bytes than the pointer's are no content`(
        kind: String
    ) async throws {
        var wrong = Self.large
        switch kind {
        case "shorter": wrong.removeLast()
        case "longer": wrong.append(1)
        default: wrong[100] = 8
        }
        var faults = FakeLargeFileServer.Faults()
        faults.content[try FakeLargeFileServer.id(of: Self.large)] = wrong
        let bench = try await Bench(faults: faults)
        let error = try await bench.failure()
        #expect(error?.summary.contains("other content than the pointer names") == true, "\(String(describing: error))")
        #expect(error?.isTransient == true && error?.place == "large.bin")
        let builder = try await bench.base.builder()
        #expect(!builder.content.contains(try Digest("sha256:" + FakeLargeFileServer.id(of: Self.large))))
        // The server is put right, and so is the next attempt.
        bench.fake.change { $0.content = [:] }
        #expect(try await bench.context().contents()["large.bin"]?.utf8.count == Self.large.count)
    }

    @Test func `a server's refusals say what is missing`() async throws {
        var faults = FakeLargeFileServer.Faults()
        faults.missing = [try FakeLargeFileServer.id(of: Self.large)]
        let bench = try await Bench(faults: faults)
        let missing = try await bench.failure()
        #expect(missing?.hint?.contains("git lfs push") == true && missing?.isTransient == false)
        bench.fake.change { $0 = .init() }
        bench.fake.change { $0.statuses = [503] }
        let broken = try await bench.failure()
        #expect(broken?.cause?.contains("503") == true && broken?.isTransient == true, "\(String(describing: broken))")
        // Where the address that was told along with others is of use no more, a new one is asked for.
        let context = try await bench.context()
        #expect(try await context.bytes(of: #require(try await context.entry("large.bin"))).count == Self.large.count)
        bench.fake.change { $0.statuses = [403] }
        let count = bench.fake.batches.count
        #expect(try await context.bytes(of: #require(try await context.entry("sub/other.bin"))) == Self.other)
        #expect(bench.fake.batches.count == count + 1)
    }

    @Test func `the API sees the repository's credentials`() async throws {
        let basic = "Basic " + Data("ci:hunter2".utf8).base64EncodedString()
        let bench = try await Bench(authorization: basic, user: "ci", password: "hunter2")
        let credentials = GitCredentials(username: "ci", password: "hunter2", usesSSHAgent: false)
        let context = try await bench.context(credentials: credentials)
        #expect(try await context.contents()["sub/other.bin"] == "other\n")
    }

    /// `.lfsconfig` is a repository's word.
    @Test(arguments: [
        ("http://127.0.0.1:1/shop/info/lfs", "without encryption"), ("file:///srv/lfs", "path of this machine"),
        ("/srv/lfs", "path of this machine"), ("git://127.0.0.1/shop", "git protocol"),
    ])
    func `.lfsconfig leads to other servers only`(address: String, cause: String) async throws {
        let bench = try await Bench([".lfsconfig": "[lfs]\n\turl = \(address)\n"])
        let error = try await bench.failure()
        #expect(error?.cause?.contains(cause) == true, "\(String(describing: error))")
        #expect(error?.isTransient == false)
    }

    @Test func `another host's server sees no credentials`() async throws {
        let directory = try TemporaryDirectory("large-files-elsewhere")
        let secret = "Basic " + Data("ci:hunter2".utf8).base64EncodedString()
        let open = try FakeLargeFileServer([Self.large, Self.other])
        let elsewhere = try await GitHTTPServer(directory: directory.path, tls: true, extra: open.proxy)
        let bench = try await Bench(
            [".lfsconfig": "[lfs]\n\turl = \(elsewhere.url)/acme/info/lfs/\n"], user: "ci", password: "hunter2")
        let credentials = GitCredentials(
            username: "ci", password: "hunter2", usesSSHAgent: false, caFile: elsewhere.caFile)
        // The batch's answers lead from TLS to plain HTTP, which is not followed either.
        let downgraded = try await bench.failure(credentials: credentials)
        #expect(open.batches.count == 1 && open.downloads.isEmpty, "\(String(describing: downgraded))")
        open.change { $0.objects = elsewhere.url }
        let context = try await bench.context(credentials: credentials)
        #expect(try await context.contents()["sub/other.bin"] == "other\n")
        #expect(open.requests.count > 1)
        #expect(
            open.requests.allSatisfy { $0.headers["authorization"] != secret && $0.headers["authorization"] == nil })
    }

    @Test func `a path of this machine has no server`() async throws {
        let bench = try await Bench()
        let context = try await bench.base.context(bench.repository.path, Self.fetched)
        let entry = try #require(try await context.entry("large.bin"))
        let error = await #expect(throws: BuildError.self) { _ = try await context.bytes(of: entry) }
        #expect(error?.hint?.contains("lfs.url in .lfsconfig") == true, "\(String(describing: error))")
    }

    /// The server's git-lfs-authenticate, put where its shell finds it, leads to the fake.
    @Test(arguments: [true, false]) func `over SSH the server says where`(hasProgram: Bool) async throws {
        let bench = try await Bench(authorization: "RemoteAuth t0ken")
        let programs = bench.base.directory.file("bin")
        let asked = bench.base.directory.file("asked")
        let elsewhere = try await GitHTTPServer(directory: bench.base.folder, tls: true, extra: bench.fake.proxy)
        bench.fake.change { $0.objects = elsewhere.url }
        let answer = """
            {"href": "\(elsewhere.url)/shop.git/info/lfs", "header": {"Authorization": "RemoteAuth t0ken"}, "expires_in": 600}
            """
        let script = "#!/bin/sh\ntest \"$2\" = download && echo \"$1\" > \(asked) && cat <<'END'\n\(answer)\nEND\n"
        try Shell.run(["mkdir", "-p", programs])
        if hasProgram {
            let program = programs + "/git-lfs-authenticate"
            try Data(script.utf8).write(to: URL(fileURLWithPath: program))
            try Shell.run(["chmod", "+x", program])
        }
        let ssh = try await SSHGitServer(directory: bench.base.folder, path: "\(programs):/usr/bin:/bin")
        var credentials = GitCredentials(
            sshKeyPath: ssh.keyPath, usesSSHAgent: false, knownHostsPaths: [ssh.knownHostsPath],
            caFile: elsewhere.caFile)
        credentials.token = "not-for-this"
        let context = try await bench.base.context(
            ssh.url + "/shop.git", Self.fetched, credentials: credentials)
        let entry = try #require(try await context.entry("sub/other.bin"))
        if hasProgram {
            #expect(try await context.bytes(of: entry) == Self.other)
            #expect(try String(contentsOfFile: asked, encoding: .utf8) == bench.repository.path + "\n")
            #expect(bench.fake.batches.allSatisfy { $0.headers["authorization"] == "RemoteAuth t0ken" })
        } else {
            let error = await #expect(throws: BuildError.self) { _ = try await context.bytes(of: entry) }
            #expect(error?.hint?.contains("lfs.url in .lfsconfig") == true, "\(String(describing: error))")
            #expect(bench.fake.requests.isEmpty)
        }
    }
}

@Suite(.tags(.unit)) struct LargeFilePointerTests {
    private static let id = String(repeating: "ab", count: 32)

    @Test(arguments: [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:ID\nsize 12\n", 12 as Int64?),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:ID\nsize 12", 12),
        ("version https://git-lfs.github.com/spec/v1\next-0-foo sha256:ID\noid sha256:ID\nsize 12\n", nil),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:ID\nsize -1\n", nil),
        ("version https://git-lfs.github.com/spec/v1\noid sha512:ID\nsize 12\n", nil),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:../../x\nsize 12\n", nil),
        ("version https://git-lfs.github.com/spec/v1\nsize 12\n", nil), ("", nil), ("plain\n", nil),
    ])
    func `pointer files`(text: String, size: Int64?) {
        let bytes = Array(text.replacingOccurrences(of: "ID", with: Self.id).utf8)
        let pointer = LargeFilePointer(bytes)
        #expect(pointer?.size == size)
        if let pointer { #expect(LargeFilePointer(contentID: pointer.contentID, size: 12) == pointer) }
    }
}
