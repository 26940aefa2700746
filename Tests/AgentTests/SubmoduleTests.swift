import Builder
import Foundation
import Git
import TestSupport
import Testing

@testable import Agent

/// `submodules: true`: their files in the context, by the repository's own credentials and nobody's else.
@Suite(.tags(.integration), .thorough) struct SubmoduleTests {
    private static let fetched = FetchedContent(submodules: true)

    @Test func `submodules are in their places, and theirs in turn`() async throws {
        let bench = try ForeignContentBench("submodules")
        let leaf = try bench.repository("leaf")
        let leafHead = try leaf.commit(["deep/file": "leaf\n"])
        let middle = try bench.repository("middle")
        try middle.commit(["m": "middle\n"])
        let middleHead = try middle.commitSubmodule("inner/leaf", at: leafHead, url: "./../leaf.git")
        let outer = try bench.repository("outer")
        try outer.commit(["Dockerfile": "FROM scratch\n"])
        try outer.commitSubmodule("lib/middle", at: middleHead, url: "../middle.git")
        let server = try await GitHTTPServer(directory: bench.folder)
        let url = server.url + "/outer.git"

        let context = try await bench.context(url, Self.fetched)
        let files = try await context.contents()
        #expect(files["lib/middle/m"] == "middle\n")
        #expect(files["lib/middle/inner/leaf/deep/file"] == "leaf\n")
        // As git itself has it.
        let clone = bench.directory.file("clone")
        try Shell.run(["git", "clone", "-q", "--recurse-submodules", url, clone])
        let listed = try Shell.run(
            ["sh", "-c", "find . -type f -not -path '*/.git' -not -path '*/.git/*' | sort"], in: clone)
        #expect(files.keys.map { "./\($0)" }.sorted() == listed.stdout.split(separator: "\n").map(String.init))

        // A folder of one is a context too.
        let inner = try await bench.context(url, Self.fetched, folder: "lib/middle/inner")
        #expect(try await inner.contents() == ["leaf/deep/file": "leaf\n"])

        // The key follows the submodule's commit, and what is known is not asked for again.
        let builder = try await bench.builder()
        let key = try await builder.contentKey(ForeignContentBench.request(context))
        try Shell.run(["mv", leaf.path, leaf.path + ".away"])
        let again = try await bench.context(url, Self.fetched)
        #expect(try await builder.contentKey(ForeignContentBench.request(again)) == key)
        try Shell.run(["mv", leaf.path + ".away", leaf.path])
        let newer = try leaf.commit(["deep/file": "newer\n"])
        try middle.commitSubmodule("inner/leaf", at: newer, url: "")
        try outer.commitSubmodule("lib/middle", at: try middle.head(), url: "")
        let changed = try await bench.context(url, Self.fetched)
        #expect(try await builder.contentKey(ForeignContentBench.request(changed)) != key)
    }

    @Test func `what nobody asked for is refused by the step that takes it`() async throws {
        let bench = try ForeignContentBench("submodules-unasked")
        let leaf = try bench.repository("leaf").commit(["f": "leaf\n"])
        let outer = try bench.repository("outer")
        try outer.commit(["a": "a\n"])
        try outer.commitSubmodule("lib", at: leaf, url: "../leaf.git")
        let server = try await GitHTTPServer(directory: bench.folder)
        let context = try await bench.context(server.url + "/outer.git", .nothing)
        let builder = try await bench.builder()
        _ = try await builder.build(ForeignContentBench.request(context, "FROM scratch\nCOPY a /\n")) { _ in }
        let error = await #expect(throws: BuildError.self) {
            _ = try await builder.build(ForeignContentBench.request(context)) { _ in }
        }
        #expect(error?.hint?.contains("'submodules: true'") == true, "\(String(describing: error))")
        #expect(error?.isTransient == false)
    }

    @Test func `a build whose folder and Dockerfile are a submodule's`() async throws {
        let bench = try ForeignContentBench("submodules-folder")
        let leaf = try bench.repository("leaf").commit([
            "app/Dockerfile": "FROM scratch\nCOPY f /f\n", "app/f": "leaf\n",
        ])
        try bench.repository("outer").commitSubmodule("lib", at: leaf, url: "../leaf.git")
        let server = try await GitHTTPServer(directory: bench.folder)
        let url = server.url + "/outer.git"
        let (remote, tree) = try await bench.head(url)
        let text = "builds: [{destinations: [acme/web], context: lib/app}]"
        let pipeline = Pipeline(admitting: try RepositoryFile.builds(in: Array(text.utf8))[0])
        let repository = AgentConfiguration.RepositoryConfiguration(name: "outer", url: url, branch: "main")
        func request(_ content: FetchedContent) async throws -> BuildRequest {
            try await PipelineRequest(pipeline, of: repository, tree: tree, remote: remote, fetching: content)
                .request(source: tree.revision)
        }
        let asked = try await request(Self.fetched)
        #expect(try await bench.builder().build(asked) { _ in }.layers.count == 1)
        let unasked = await #expect(throws: AgentError.self) { _ = try await request(.nothing) }
        #expect(unasked?.hint?.contains("'submodules: true'") == true)
    }

    @Test(arguments: [
        ("/srv/git/leaf.git", "path of this machine"), ("file:///srv/git/leaf.git", "path of this machine"),
        ("ext::sh -c touch", "remote helper"), ("http://127.0.0.1:1/leaf.git", "without encryption"),
        ("git://127.0.0.1:1/leaf.git", "without encryption"), ("../../../../leaf.git", "above the server"),
        ("", "path of this machine"),
    ])
    func `.gitmodules leads to other servers only`(address: String, cause: String) async throws {
        let bench = try ForeignContentBench("submodules-gate")
        let leaf = try bench.repository("leaf").commit(["f": "leaf\n"])
        let outer = try bench.repository("outer")
        try outer.commitSubmodule("lib", at: leaf, url: address.isEmpty ? "\"\(bench.folder)/leaf.git\"" : address)
        let server = try await GitHTTPServer(directory: bench.folder)
        let error = await #expect(throws: BuildError.self) {
            try await bench.context(server.url + "/outer.git", Self.fetched)
        }
        let told = "\(error.map { "\($0)" } ?? "")"
        #expect(told.contains("'lib'") && told.contains(cause), "\(told)")
        #expect(error?.isTransient == false)
    }

    @Test func `a chain of submodules ends`() async throws {
        let bench = try ForeignContentBench("submodules-chain")
        let loop = try bench.repository("loop")
        var head = try loop.commit(["f": "0\n"])
        for _ in 1...12 { head = try loop.commitSubmodule("again", at: head, url: "../loop.git") }
        let server = try await GitHTTPServer(directory: bench.folder)
        let error = await #expect(throws: BuildError.self) {
            try await bench.context(server.url + "/loop.git", Self.fetched)
        }
        #expect(error?.summary.contains("too many submodules") == true, "\(String(describing: error))")
    }

    @Test func `credentials are for what they were given for`() async throws {
        let bench = try ForeignContentBench("submodules-credentials")
        let leaf = try bench.repository("leaf").commit(["key": "s3cret\n"])
        let outer = try bench.repository("outer")
        try outer.commitSubmodule("lib", at: leaf, url: "../leaf.git")
        let server = try await GitHTTPServer(directory: bench.folder, user: "ci", password: "hunter2")
        let credentials = GitCredentials(username: "ci", password: "hunter2", usesSSHAgent: false)
        let url = server.url + "/outer.git"
        let refused = await #expect(throws: BuildError.self) {
            try await bench.context(url, Self.fetched, credentials: credentials)
        }
        #expect(refused?.hint?.contains("builds.credentials") == true, "\(String(describing: refused))")
        #expect(!"\(String(describing: refused))".contains("hunter2"))
        let granted = try await bench.context(
            url, Self.fetched, credentials: credentials, granting: [server.url + "/leaf"])
        #expect(try await granted.contents()["lib/key"] == "s3cret\n")
        // What the operator's URL carries stays with that URL, too.
        let carried = url.replacingOccurrences(of: "http://", with: "http://ci:hunter2@")
        let alone = await #expect(throws: BuildError.self) { try await bench.context(carried, Self.fetched) }
        #expect(alone?.summary.contains("'lib'") == true, "\(String(describing: alone))")
        #expect(!"\(String(describing: alone))".contains("hunter2"))
    }

    /// libssh2 asks for a kind of key that is not recorded here; OpenSSH's ssh does not.
    @Test func `over SSH as the repository itself`() async throws {
        let bench = try ForeignContentBench("submodules-ssh")
        let leaf = try bench.repository("leaf").commit(["f": "leaf\n"])
        try bench.repository("outer").commitSubmodule("lib", at: leaf, url: "../leaf.git")
        let server = try await SSHGitServer(directory: bench.folder)
        let hosts = bench.directory.file("known_hosts")
        try server.writeKnownHosts(["ed25519"], to: hosts)
        let credentials = GitCredentials(
            sshKeyPath: server.keyPath, usesSSHAgent: false, knownHostsPaths: [hosts])
        let context = try await bench.context(
            server.url + "/outer.git", Self.fetched, credentials: credentials, granting: [server.url])
        #expect(try await context.contents()["lib/f"] == "leaf\n")
        // Keys are for what they were given for, too.
        let refused = await #expect(throws: BuildError.self) {
            try await bench.context(server.url + "/outer.git", Self.fetched, credentials: credentials, state: "other")
        }
        #expect(refused?.hint?.contains("builds.credentials") == true, "\(String(describing: refused))")
    }

    @Test func `another host sees no credentials, nor what it leads to`() async throws {
        let bench = try ForeignContentBench("submodules-elsewhere")
        let other = try TemporaryDirectory("submodules-other")
        let nested = try GitRepositoryFixture(in: other.path, name: "nested.git").commit(["f": "nested\n"])
        let away = try GitRepositoryFixture(in: other.path, name: "away.git")
        let awayHead = try away.commitSubmodule("nested", at: nested, url: "../nested.git")
        let elsewhere = try await GitHTTPServer(directory: other.path, user: "ci", password: "hunter2", tls: true)
        let outer = try bench.repository("outer")
        try outer.commitSubmodule("lib", at: awayHead, url: elsewhere.url + "/away.git")
        let server = try await GitHTTPServer(directory: bench.folder, user: "ci", password: "hunter2")
        let credentials = GitCredentials(
            username: "ci", password: "hunter2", usesSSHAgent: false, caFile: elsewhere.caFile)
        let error = await #expect(throws: BuildError.self) {
            try await bench.context(server.url + "/outer.git", Self.fetched, credentials: credentials)
        }
        #expect(error?.hint?.contains("builds.credentials") == true, "\(String(describing: error))")
        try await waitUntil("the refusal is logged") { !elsewhere.accessLog.isEmpty }
        #expect(!elsewhere.accessLog.contains { $0.contains("\" 200 ") })
    }
}

@Suite(.tags(.unit)) struct SubmoduleFileTests {
    @Test(arguments: [
        ("https://h/acme/shop.git", "../lib.git", "https://h/acme/lib.git"),
        ("https://h/acme/shop.git/", "./../lib.git", "https://h/acme/lib.git"),
        ("https://h/acme/shop.git", "../../lib.git", "https://h/lib.git"),
        ("https://h/acme/shop.git", "../../../lib.git", nil),
        ("https://h/shop.git", "./x.git", "https://h/shop.git/x.git"),
        ("git@h:acme/shop.git", "../lib.git", "git@h:acme/lib.git"), ("git@h:shop.git", "../lib.git", "git@h:lib.git"),
        ("git@h:acme/shop.git", "../../lib.git", "git@h:lib.git"), ("git@h:shop.git", "../../lib.git", nil),
        ("ssh://git@h:22/a/b.git", "../c.git", "ssh://git@h:22/a/c.git"),
        ("https://h/a/b.git", "https://other/c.git", "https://other/c.git"),
    ])
    func `relative addresses`(remote: String, address: String, resolved: String?) {
        #expect(SubmoduleFile.resolve(address, against: remote) == resolved)
    }

    @Test func `addresses by path`() {
        let text = """
            # a comment
            [submodule "a b"]
            \tpath = "lib/a b"/
            \turl = ../a.git ; why
            [Submodule "c"] path = lib/c
                URL = "https://h/c\\"d.git"
            [submodule "no-url"]
                path = lib/n
            """
        #expect(
            SubmoduleFile.addresses(Array(text.utf8)) == ["lib/a b": "../a.git", "lib/c": "https://h/c\"d.git"])
    }
}
