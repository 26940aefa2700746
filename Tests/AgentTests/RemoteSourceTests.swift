import Agent
import Builder
import ContentStore
import Foundation
import Git
import OCI
import Registry
import Sandbox
import Synchronization
import TestSupport
import Testing

/// ADD and named contexts from other machines: a web server, and git over HTTP.
@Suite(.tags(.integration)) struct RemoteSourceTests {
    /// A builder with the real fetcher, an empty context and no base images.
    private final class Bench: Sendable {
        let directory: TemporaryDirectory
        private let builder: Builder
        let secrets: Mutex<[String: [UInt8]]> = Mutex([:])

        init() async throws {
            directory = try TemporaryDirectory("remote")
            let state = directory.file("state")
            builder = try Builder(
                stateDirectory: state, registry: RegistryAccess(),
                report: await SandboxProbe.probe(stateDirectory: directory.file("probe")),
                fetcher: RemoteFetcher(
                    stateDirectory: state, credentials: GitCredentials(usesSSHAgent: false),
                    scope: .repository("https://git.example.com/acme/shop.git")))
            try FileManager.default.createDirectory(
                atPath: directory.file("context"), withIntermediateDirectories: true)
        }

        func request(_ text: String) throws -> BuildRequest {
            var request = BuildRequest(
                context: try DirectoryContext(path: directory.file("context")),
                dockerfile: .bytes(Array(text.utf8), name: "Dockerfile"), createdAt: 1_700_000_000)
            request.secrets = secrets.withLock { $0 }
            return request
        }

        func key(_ text: String) async throws -> ContentKey { try await builder.contentKey(request(text)) }

        /// The files of all layers, as tar lists them: mode, owner, time, path.
        func build(_ text: String, adjust: (inout BuildRequest) throws -> Void = { _ in }) async throws -> [String:
            String]
        {
            var request = try request(text)
            try adjust(&request)
            let image = try await builder.build(request) { _ in }
            var found: [String: String] = [:]
            for layer in image.layers {
                let blob = builder.content.path(of: layer.descriptor.digest)
                let lines = try Shell.run(
                    ["tar", "--numeric-owner", "--full-time", "--utc", "-tvzf", blob], environment: ["LC_ALL": "C"])
                for line in lines.stdout.split(separator: "\n") {
                    let fields = line.split(separator: " ", maxSplits: 5).map(String.init)
                    found[fields[5]] = "\(fields[0]) \(fields[1]) \(fields[3])T\(fields[4])"
                }
                try Shell.run(
                    ["sh", "-c", "mkdir -p out && tar --no-same-owner -C out -xzf \(blob)"], in: directory.path)
            }
            return found
        }

        func text(_ path: String) throws -> String {
            try String(contentsOfFile: directory.file("out/" + path), encoding: .utf8)
        }
    }

    private static let modified = ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
    private static let checksum = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

    @Test func addsFilesOfTheWeb() async throws {
        let bench = try await Bench()
        let server = try StubServer { request in
            switch request.path {
            case "/dated/hello%20world.txt": .text(200, "hello\n", headers: [Self.modified])
            case "/moved": .text(302, "", headers: [("Location", "/dated/hello%20world.txt")])
            case "/": .text(200, "root\n")
            default: .text(404, "nothing here")
            }
        }
        let url = "\(server.url)/dated/hello%20world.txt"
        let files = try await bench.build(
            """
            FROM scratch
            ADD \(url)?token=1#x /into/
            ADD --chmod=0755 --chown=7:8 \(url) /named
            ADD --checksum=\(Self.checksum) \(server.url)/moved /into/
            ADD \(server.url)/ /root
            """)
        // The folder is made now; the files have the server's times.
        #expect(files["into/"]?.hasPrefix("drwxr-xr-x 0/0 ") == true)
        #expect(
            files.filter { $0.key != "into/" } == [
                "into/hello world.txt": "-rw------- 0/0 2015-10-21T07:28:00",
                "named": "-rwxr-xr-x 7/8 2015-10-21T07:28:00", "into/moved": "-rw------- 0/0 2015-10-21T07:28:00",
                "root": "-rw------- 0/0 1970-01-01T00:00:00",
            ])
        #expect(try bench.text("into/hello world.txt") == "hello\n")
        for (line, cause) in [
            ("ADD \(server.url)/nothing /x", "status 404"),
            ("ADD --checksum=sha256:\(String(repeating: "0", count: 64)) \(url) /x", Self.checksum),
            ("ADD \(server.url)/ /into/", "names no file"), ("ADD http://127.0.0.1:1/x /x", "127.0.0.1:1"),
            ("ADD http://user:hunter2@127.0.0.1:1/x /x", "user or a password"),
            ("ADD --checksum=sha512:00 \(url) /x", "not a checksum"),
            ("ADD --checksum=\(Self.checksum) \(url) \(url) /x/", "single source"),
        ] {
            let error = await #expect(throws: BuildError.self, "\(line)") {
                try await bench.build("FROM scratch\n\(line)\n")
            }
            let text = "\(error?.summary ?? "") \(error?.cause ?? "")"
            #expect(text.contains(cause), "\(line): \(String(describing: error))")
            #expect(!text.contains("hunter2"))
            #expect(error?.place?.hasPrefix("Dockerfile:2") == true, "\(line): \(String(describing: error))")
        }
    }

    @Test func asksAgainOnlyWhetherAFileChanged() async throws {
        let bench = try await Bench()
        let content = Mutex("one")
        let server = try StubServer { request in
            let text = content.withLock { $0 }
            if request.headers["if-none-match"] == "\"\(text)\"" {
                return .text(304, "", headers: [("ETag", "\"\(text)\"")])
            }
            return .text(200, text, headers: [("ETag", "\"\(text)\"")])
        }
        let line = "FROM scratch\nADD \(server.url)/f /f\n"
        let first = try await bench.key(line)
        #expect(try await bench.key(line) == first)
        _ = try await bench.build(line)
        #expect(server.requests.count == 3)
        #expect(server.requests.dropFirst().allSatisfy { $0.headers["if-none-match"] == "\"one\"" })
        content.withLock { $0 = "two" }
        #expect(try await bench.key(line) != first)
        _ = try await bench.build(line)
        #expect(try bench.text("f") == "two")
        // With a checksum nothing is fetched that is here.
        let count = server.requests.count
        let digest = Digest.sha256(of: Array("two".utf8))
        _ = try await bench.build("FROM scratch\nADD --checksum=\(digest) \(server.url)/f /g\n")
        #expect(server.requests.count == count)
    }

    @Test func unpacksFilesOfTheWebOnRequest() async throws {
        let bench = try await Bench()
        let tar = bench.directory.file("a.tgz")
        try Shell.run(
            ["sh", "-c", "mkdir d && echo x > d/x && tar --owner=5 --group=6 -czf \(tar) d"], in: bench.directory.path)
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: tar)))
        let server = try StubServer { _ in .answer(200, body: bytes) }
        let files = try await bench.build(
            """
            FROM scratch
            ADD \(server.url)/a.tgz /kept/
            ADD --unpack=true \(server.url)/a.tgz /to
            COPY --from=remote d /context/
            """
        ) { $0.namedContexts["remote"] = try NamedContext("\(server.url)/a.tgz") }
        #expect(files.keys.sorted() == ["context/", "context/x", "kept/", "kept/a.tgz", "to/", "to/d/", "to/d/x"])
        #expect(files["to/d/x"]?.hasPrefix("-rw-r--r-- 5/6 ") == true)
        #expect(files["context/x"]?.hasPrefix("-rw-r--r-- 0/0 ") == true)
    }

    @Test(arguments: [
        ("/400", true), ("/401", true), ("/403", true), ("/404", false), ("/410", false), ("/429", true),
        ("/500", true),
        ("/503", true),
    ])
    func `whether a file that cannot be fetched may be there a moment later`(path: String, isTransient: Bool)
        async throws
    {
        let bench = try await Bench()
        let server = try StubServer { request in .text(Int(request.path.dropFirst()) ?? 200, "no") }
        let error = await #expect(throws: BuildError.self) {
            _ = try await bench.build("FROM scratch\nADD \(server.url)\(path) /x\n")
        }
        #expect(error?.code == .missingSource)
        #expect(error?.isTransient == isTransient)
        server.stop()
        let away = await #expect(throws: BuildError.self) {
            _ = try await bench.build("FROM scratch\nADD \(server.url)\(path) /x\n")
        }
        #expect(away?.isTransient == true)
    }

    @Test func boundsWhatItFetches() async throws {
        let bench = try await Bench()
        let server = try StubServer { _ in .answer(200, body: [UInt8](repeating: 0, count: 100_000)) }
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("FROM scratch\nADD \(server.url)/f /f\n") { $0.remoteSizeLimit = 99_999 }
        }
        #expect(error?.summary.contains("larger than 99999 bytes") == true, "\(String(describing: error))")
        _ = try await bench.build("FROM scratch\nADD \(server.url)/f /f\n") { $0.remoteSizeLimit = 100_000 }
    }

    @Test func secretsGoToTheirHostOnly() async throws {
        let bench = try await Bench()
        let other = try StubServer { _ in .text(200, "elsewhere") }
        let target = other.url.replacingOccurrences(of: "127.0.0.1", with: "localhost")
        let server = try StubServer { request in
            request.path == "/away" ? .text(302, "", headers: [("Location", "\(target)/x")]) : .text(200, "here")
        }
        bench.secrets.withLock { $0 = ["HTTP_AUTH_TOKEN_127.0.0.1": Array("s3cret\n".utf8)] }
        _ = try await bench.build("FROM scratch\nADD \(server.url)/f /f\nADD \(server.url)/away /g\n")
        #expect(server.requests.allSatisfy { $0.headers["authorization"] == "Bearer s3cret" })
        #expect(other.requests.count == 1)
        #expect(other.requests.allSatisfy { $0.headers["authorization"] == nil })
        let state = try Shell.run(["grep", "-rl", "s3cret", bench.directory.path], allowFailure: true)
        #expect(state.stdout.isEmpty)
    }

    @Test func addsGitRepositories() async throws {
        let bench = try await Bench()
        let directory = bench.directory.file("git")
        let inner = try GitRepositoryFixture(in: directory, name: "inner.git")
        let innerCommit = try inner.commit(["deep/file": "inner\n"], message: "inner")
        let outer = try GitRepositoryFixture(in: directory, name: "outer.git")
        let first = try outer.commit(["README": "one\n", "dist/run.sh": "#!/bin/sh\n"], message: "first")
        try outer.git("tag", "-a", "-m", "a release", "v1", first)
        try outer.checkOut()
        try Shell.run(["chmod", "+x", outer.workTree + "/dist/run.sh"])
        try Shell.run(["ln", "-s", "run.sh", outer.workTree + "/dist/link"])
        try Data("[submodule \"x\"]\n\tpath = lib/x\n\turl = ../inner.git\n".utf8)
            .write(to: URL(fileURLWithPath: outer.workTree + "/.gitmodules"))
        try Shell.run(["mkdir", "-p", outer.workTree + "/lib/x"])
        try outer.gitInWorkTree("update-index", "--add", "--cacheinfo", "160000,\(innerCommit),lib/x")
        let second = try outer.commitWorkTree(message: "second", date: 1_600_000_000)
        let server = try await GitHTTPServer(directory: directory)
        let url = "\(server.url)/outer.git"

        let files = try await bench.build("FROM scratch\nADD \(url) /all/\n")
        #expect(
            files.mapValues { String($0.prefix(14)) }
                == [
                    "all/": "drwxr-xr-x 0/0", "all/.gitmodules": "-rw-r--r-- 0/0", "all/README": "-rw-r--r-- 0/0",
                    "all/dist/": "drwxr-xr-x 0/0", "all/dist/link": "lrwxrwxrwx 0/0",
                    "all/dist/run.sh": "-rwxr-xr-x 0/0",
                    "all/lib/": "drwxr-xr-x 0/0", "all/lib/x/": "drwxr-xr-x 0/0", "all/lib/x/deep/": "drwxr-xr-x 0/0",
                    "all/lib/x/deep/file": "-rw-r--r-- 0/0",
                ].merging(["all/dist/link -> run.sh": "lrwxrwxrwx 0/0"]) { $1 }.filter { $0.key != "all/dist/link" })
        #expect(try bench.text("all/lib/x/deep/file") == "inner\n")

        let parts = try await bench.build(
            """
            FROM scratch
            ADD \(url)#v1:dist /tag/
            ADD \(url)#\(first) /commit/
            ADD --checksum=\(second.prefix(12)) --chmod=0600 \(url)#main:dist /checked/
            ADD \(url)?ref=main&subdir=dist&submodules=false&mtime=commit /query/
            ADD \(url)?submodules=0 /none/
            """)
        #expect(parts.keys.contains("tag/run.sh") && !parts.keys.contains("tag/link -> run.sh"))
        #expect(parts["tag/run.sh"]?.hasPrefix("-rw-r--r-- 0/0 ") == true)
        #expect(parts.keys.contains("commit/README") && !parts.keys.contains("commit/lib/"))
        #expect(parts["checked/run.sh"]?.hasPrefix("-rw-------") == true)
        #expect(parts["query/run.sh"] == "-rwxr-xr-x 0/0 2020-09-13T12:26:40")
        #expect(parts.keys.contains("none/lib/x/") && !parts.keys.contains("none/lib/x/deep/"))

        let whole = try await bench.build("FROM scratch\nADD --keep-git-dir=true \(url)#v1 /kept/\n")
        // Steps of any user can read it, as what a clone makes.
        for (name, what) in whole where name.hasPrefix("kept/.git/") {
            let mode = name.hasSuffix("/") ? "drwxr-xr-x " : name.contains("/pack-") ? "-r--r--r-- " : "-rw-r--r-- "
            #expect(what.hasPrefix(mode), "\(name) \(what)")
        }
        #expect(whole["kept/.git/HEAD"]?.hasPrefix("-rw-r--r-- 0/0") == true)
        let kept = bench.directory.file("out/kept")
        #expect(
            try Shell.run(["git", "-C", kept, "-c", "safe.directory=*", "rev-parse", "HEAD", "v1^{commit}"]).stdout
                == "\(first)\n\(first)\n")
        #expect(try Shell.run(["git", "-C", kept, "-c", "safe.directory=*", "status", "--porcelain"]).stdout.isEmpty)
        #expect(try Shell.run(["git", "-C", kept, "-c", "safe.directory=*", "log", "--format=%s"]).stdout == "first\n")
        #expect(try Shell.run(["git", "-C", kept, "-c", "safe.directory=*", "fsck"]).status == 0)

        let named = try await bench.build("FROM scratch\nCOPY --from=assets run.sh /\n") {
            $0.namedContexts["assets"] = try NamedContext("\(url)#v1:dist")
        }
        #expect(named.keys.sorted() == ["run.sh"])

        for (source, cause) in [
            ("\(url)#nothing", "no branch, tag or commit 'nothing'"), ("\(url)#main:none", "no folder 'none'"),
            ("\(url)?what=1", "unknown query 'what'"), ("\(url)?ref=a&ref=b", "twice"),
            ("\(url)?tag=a&branch=b", "two references"), ("--checksum=\(first) \(url)#main", "not \(first)"),
            ("\(server.url)/absent.git", "no such repository"),
            ("\(url)#\(String(repeating: "1", count: 40))", "no commit"),
        ] {
            let error = await #expect(throws: BuildError.self, "\(source)") {
                try await bench.build("FROM scratch\nADD \(source) /x/\n")
            }
            let text = "\(error?.summary ?? "") \(error?.cause ?? "")"
            #expect(text.contains(cause), "\(source): \(String(describing: error))")
        }
    }

    private func git(_ path: String, _ arguments: String...) throws -> String {
        try Shell.run(["git", "-C", path, "-c", "safe.directory=*"] + arguments).stdout
    }

    /// `git describe`, setuptools_scm and versioneer go by the history and its tags, in a context as in a clone.
    @Test(arguments: ["main", "v2", nil], [false, true])
    func gitDirectoriesOfContexts(reference: String?, isLocal: Bool) async throws {
        let bench = try await Bench()
        let directory = bench.directory.file("git")
        let repository = try GitRepositoryFixture(in: directory)
        var commits: [String] = []
        for number in 1...3 {
            commits.append(try repository.commit(["file": "\(number)"], message: "number \(number)"))
            if number == 1 { try repository.git("tag", "-a", "-m", "one", "v1", commits[0]) }
            if number == 2 { try repository.git("tag", "v2", commits[1]) }
        }
        // What does not lead to the commit is not its history.
        try repository.git("branch", "other", commits[0])
        try repository.git("tag", "later", try repository.git("commit-tree", "-m", "x", "\(commits[2])^{tree}"))
        let server = try await GitHTTPServer(directory: directory)
        let url = "\(server.url)/\((repository.path as NSString).lastPathComponent)"

        let context: any BuildContext
        if isLocal {
            guard reference == "main" else { return }
            let mirror = try Mirror(path: bench.directory.file("mirror"), url: "file://\(repository.path)")
            let remote = MirrorRemote(mirror, url: "file://\(repository.path)")
            let head = try await remote.fetch(branch: "main").commit
            context = try await remote.gitDirectory(of: head, branch: "main", identifiedBy: head.id)
            // Made once for all that ask for the same.
            let again = try await remote.gitDirectory(of: head, branch: "main", identifiedBy: head.id)
            #expect(try await again.entries(under: "") == context.entries(under: ""))
            let other = try await remote.gitDirectory(of: head, branch: "main", identifiedBy: head.parents[0])
            #expect(try await other.entries(under: "").map(\.contentID) != context.entries(under: "").map(\.contentID))
        } else {
            let sources = RemoteFetcher(
                stateDirectory: bench.directory.file("state"), credentials: GitCredentials(usesSSHAgent: false),
                scope: .person(for: []))
            var request = GitTreeRequest(
                locator: GitLocator(remote: url, reference: reference), keepsGitDirectory: true)
            request.hasHistory = true
            context = try await sources.checkOut(request).context
        }
        _ = try await bench.build("FROM scratch\nCOPY . /src/\(isLocal ? ".git/" : "")\n") { $0.context = context }
        let clone = bench.directory.file("out/src")
        if isLocal { try Shell.run(["sh", "-c", "printf 3 > out/src/file"], in: bench.directory.path) }
        let isTag = reference == "v2"
        #expect(
            try git(clone, "describe")
                == (isTag ? "v1-1-g\(commits[1].prefix(7))\n" : "v1-2-g\(commits[2].prefix(7))\n"))
        #expect(try git(clone, "describe", "--tags", "--dirty") == (isTag ? "v2\n" : "v2-1-g\(commits[2].prefix(7))\n"))
        #expect(try git(clone, "status", "--porcelain") == "")
        #expect(try git(clone, "log", "--format=%s") == (isTag ? "" : "number 3\n") + "number 2\nnumber 1\n")
        #expect(try git(clone, "tag") == "v1\nv2\n")
        #expect(
            try git(clone, "rev-parse", "--abbrev-ref", "HEAD")
                == (reference == "main" || reference == nil ? "main\n" : "HEAD\n"))
        #expect(try Shell.run(["git", "-C", clone, "-c", "safe.directory=*", "fsck", "--strict"]).status == 0)
    }

    @Test func keysFollowTheCommit() async throws {
        let bench = try await Bench()
        let directory = bench.directory.file("git")
        let repository = try GitRepositoryFixture(in: directory)
        try repository.commit(["f": "1"], message: "one")
        let server = try await GitHTTPServer(directory: directory)
        let line = "FROM scratch\nADD \(server.url)/repo.git /x/\n"
        let first = try await bench.key(line)
        #expect(try await bench.key(line) == first)
        try repository.commit(["f": "2"], message: "two")
        #expect(try await bench.key(line) != first)
    }
}
