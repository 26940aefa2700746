import Foundation
import TestSupport
import Testing

/// Contexts and Dockerfiles from other machines: git with submodules, archives of the web, private and over TLS.
@Suite(.tags(.endToEnd)) struct ContextSourceTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("context-source") }

    private static let copyAll = "FROM scratch\nCOPY . /\n"

    private func build(
        _ arguments: [String], environment: [String: String] = [:], state: String = "state", verb: String = "build"
    ) throws -> Shell.Output {
        try? FileManager.default.removeItem(atPath: scratch.file("out"))
        return try Shell.run(
            [
                try Loop.binary, verb, "--state-dir", scratch.file(state), "--no-push", "--oci-layout-path",
                scratch.file("out"),
            ] + arguments, in: scratch.path, environment: ["HOME": scratch.path].merging(environment) { $1 },
            allowFailure: true)
    }

    /// The files of the image that was built last, without folders.
    private func files() throws -> [String: String] {
        func json(_ path: String) throws -> [String: Any] {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.file("out/" + path)))
            return try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        }
        func path(_ descriptor: [String: Any]?) throws -> String {
            "blobs/" + (try #require(descriptor?["digest"] as? String)).replacingOccurrences(of: ":", with: "/")
        }
        let manifest = try json(path((json("index.json")["manifests"] as? [[String: Any]])?.first))
        let layers = try #require(manifest["layers"] as? [[String: Any]])
        let tree = try ImageTree(blobs: layers.map { scratch.file("out/" + (try path($0))) })
        return tree.files.filter { $0.value.type == "f" }.mapValues(\.text)
    }

    private func refused(_ output: Shell.Output, _ texts: String..., leaks: [String] = []) {
        #expect(output.status == 1)
        for text in texts { #expect(output.stderr.contains(text), "\(output.stderr)") }
        for secret in leaks { #expect(!output.stderr.contains(secret), "\(output.stderr)") }
    }

    // MARK: Git

    /// `team/outer` holds `group/mid` by a relative address, which holds `group/leaf`, and `other` by an absolute one.
    private func repositories(absolute: String) throws {
        let git = scratch.file("git")
        let leaf = try GitRepositoryFixture(in: git + "/group", name: "leaf.git")
        let leafCommit = try leaf.commit(["leaf.txt": "leaf\n"])
        let mid = try GitRepositoryFixture(in: git + "/group", name: "mid.git")
        try mid.commit([
            "mid.txt": "mid\n", "sub/in-mid": "1\n",
            ".gitmodules": "[submodule \"l\"]\n\tpath = deep/leaf\n\turl = ./../leaf.git\n",
        ])
        try mid.gitInWorkTree("update-index", "--add", "--cacheinfo", "160000,\(leafCommit),deep/leaf")
        // An empty folder is what a submodule looks like that is not checked out.
        try Shell.run(["mkdir", "-p", mid.workTree + "/deep/leaf"])
        let midCommit = try mid.commitWorkTree(message: "submodule")
        let other = try GitRepositoryFixture(in: git, name: "other.git")
        let otherCommit = try other.commit(["other.txt": "other\n"])
        try other.commit(["other.txt": "newer than what the submodule names\n"])
        let outer = try GitRepositoryFixture(in: git + "/team", name: "outer.git")
        try outer.commit([
            "Dockerfile": Self.copyAll, "app": "app\n",
            ".gitmodules": """
            [submodule "mid"]
            \tpath = libs/mid
            \turl = ../../group/mid.git
            \tbranch = main
            [submodule "odd"]
            \turl = \(absolute)/other.git ; absolute
            \tpath = "libs/odd name"

            """,
        ])
        try outer.gitInWorkTree("update-index", "--add", "--cacheinfo", "160000,\(midCommit),libs/mid")
        try outer.gitInWorkTree("update-index", "--add", "--cacheinfo", "160000,\(otherCommit),libs/odd name")
        try Shell.run(["mkdir", "-p", outer.workTree + "/libs/mid", outer.workTree + "/libs/odd name"])
        try outer.commitWorkTree(message: "submodules")
        try outer.commit(["app": "a branch\n"], branch: "dev")
    }

    @Test func `git with submodules, private`() async throws {
        try Shell.run(["mkdir", "-p", scratch.file("git/team"), scratch.file("git/group")])
        let server = try await GitHTTPServer(directory: scratch.file("git"), user: "me", password: "s3c:ret")
        try repositories(absolute: server.url)
        let address = server.url.dropFirst("http://".count) + "/team/outer.git"
        let kaniko = "git://\(address)"
        let private_ = ["GIT_USERNAME": "me", "GIT_PASSWORD": "s3c:ret", "GIT_PULL_METHOD": "http"]
        let names: Set = [
            ".gitmodules", "Dockerfile", "app", "libs/mid/mid.txt", "libs/mid/sub/in-mid", "libs/mid/.gitmodules",
            "libs/mid/deep/leaf/leaf.txt", "libs/odd name/other.txt",
        ]
        let own = names.filter { !$0.hasPrefix("libs/") }

        // Another state directory each time: nothing is known from before.
        refused(
            try build(["--context", kaniko], environment: ["GIT_PULL_METHOD": "http"], state: "s1"),
            "asks for credentials", "GIT_USERNAME", "GIT_TOKEN")
        let all = try build(
            ["--context", kaniko, "--git", "single-branch=true,recurse-submodules=true"], environment: private_,
            state: "s3")
        #expect(all.status == 0, "\(all.stderr)")
        let found = try files()
        #expect(Set(found.keys) == names)
        #expect(found["libs/odd name/other.txt"] == "other\n")
        // kaniko leaves submodules out, BuildKit does not, and both can be told.
        let web = "http://me:s3c%3Aret@\(address)"
        #expect(try build(["--context", web, "--git", "recurse-submodules=false"], state: "s5").status == 0)
        #expect(Set(try files().keys) == own)
        #expect(
            try build(
                ["--context", kaniko, "--git", "branch=dev,single-branch=true,depth=1"],
                environment: ["GIT_USERNAME": "me", "GIT_TOKEN": "s3c:ret", "GIT_PULL_METHOD": "http"], state: "s4"
            ).status == 0)
        #expect(try files()["app"] == "a branch\n" && Set(try files().keys) == own)
        // A folder of a submodule of a submodule.
        try Data(Self.copyAll.utf8).write(to: URL(fileURLWithPath: scratch.file("all.df")))
        let inner = try build(["--context", "\(web)#main:libs/mid/deep", "--dockerfile", "all.df"], state: "s5")
        #expect(inner.status == 0, "\(inner.stderr)")
        #expect(try files() == ["leaf/leaf.txt": "leaf\n"])
    }

    @Test func `a token as the user of the URL`() async throws {
        let repository = try GitRepositoryFixture(in: scratch.file("git"), name: "app.git")
        try repository.commit(["Dockerfile": Self.copyAll])
        let server = try await GitHTTPServer(directory: scratch.file("git"), user: "t0ken", password: "")
        let address = server.url.dropFirst("http://".count)
        let output = try build(
            ["--context", "git://t0ken@\(address)/app.git"], environment: ["GIT_PULL_METHOD": "http"])
        #expect(output.status == 0 && !output.stderr.contains("t0ken"), "\(output.stderr)")
    }

    /// The password for a repository by HTTPS is not shown to everybody on the way to a submodule by HTTP.
    @Test func `credentials do not leave TLS`() async throws {
        try Shell.run(["mkdir", "-p", scratch.file("git")])
        let plain = try await GitHTTPServer(directory: scratch.file("git"), user: "me", password: "s3cret")
        let secure = try await GitHTTPServer(directory: scratch.file("git"), user: "me", password: "s3cret", tls: true)
        let inner = try GitRepositoryFixture(in: scratch.file("git"), name: "inner.git")
        let commit = try inner.commit(["a": "1\n"])
        let outer = try GitRepositoryFixture(in: scratch.file("git"), name: "outer.git")
        let address = plain.url.replacingOccurrences(of: "127.0.0.1", with: "localhost")
        try outer.commit([
            "Dockerfile": Self.copyAll, ".gitmodules": "[submodule \"i\"]\npath = i\nurl = \(address)/inner.git\n",
        ])
        try outer.gitInWorkTree("update-index", "--add", "--cacheinfo", "160000,\(commit),i")
        try Shell.run(["mkdir", "-p", outer.workTree + "/i"])
        try outer.commitWorkTree()
        let output = try build(
            ["--context", "\(secure.url)/outer.git", "--git", "insecure-skip-tls=true"],
            environment: ["GIT_USERNAME": "me", "GIT_PASSWORD": "s3cret"])
        refused(output, "inner.git", leaks: ["s3cret"])
        #expect(plain.accessLog.allSatisfy { $0.contains("\" 401 ") || $0.contains(" 401 ") }, "\(plain.accessLog)")
    }

    // MARK: TLS

    @Test func `certificates of an own authority`() async throws {
        let repository = try GitRepositoryFixture(in: scratch.file("git"), name: "app.git")
        try repository.commit(["Dockerfile": Self.copyAll, "a": "git\n"])
        try Shell.run(["mkdir", "-p", scratch.file("web"), scratch.file("context")])
        try Data(Self.copyAll.utf8).write(to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
        try Data("web\n".utf8).write(to: URL(fileURLWithPath: scratch.file("context/a")))
        try Shell.run(["tar", "-C", scratch.file("context"), "-czf", scratch.file("web/context.tar.gz"), "."])
        try Shell.run(["cp", scratch.file("context/Dockerfile"), scratch.file("web/remote.df")])
        let server = try await GitHTTPServer(
            directory: scratch.file("git"), tls: true, extra: "location /web/ { alias \(scratch.file("web"))/; }")
        let git = "git://" + server.url.dropFirst("https://".count) + "/app.git"
        let archive = server.url + "/web/context.tar.gz"

        refused(
            try build(["--context", git]), "certificate of localhost could not be verified", "SSL_CERT_FILE",
            "--git-ca-file", "insecure-skip-tls=true")
        refused(
            try build(["--context", archive]), "the certificate of localhost:\(server.port) is not trusted",
            "SSL_CERT_FILE")
        let options = "insecure-skip-tls=true"
        #expect(try build(["--context", git, "--git", options]).status == 0)
        #expect(try files()["a"] == "git\n")
        #expect(try build(["--context", git, "--git-ca-file", server.caFile]).status == 0)
        // As Go's programs read it, kaniko among them.
        let file = ["SSL_CERT_FILE": server.caFile]
        let remote = ["--context", archive, "--dockerfile", server.url + "/web/remote.df"]
        for (arguments, text) in [(["--context", git], "git\n"), (remote, "web\n")] {
            let output = try build(arguments, environment: file)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(try files()["a"] == text)
        }
        // A directory with more than certificates, and where Jobs of kaniko's mount theirs.
        let folder = scratch.file("kaniko/ssl/certs")
        try Shell.run(["mkdir", "-p", folder])
        try Data("no certificate\n".utf8).write(to: URL(fileURLWithPath: folder + "/README"))
        try Shell.run(["cp", server.caFile, folder + "/additional-ca-cert-bundle.crt"])
        let directories = try build(
            ["--context", archive], environment: ["SSL_CERT_DIR": "/no/such/folder:\(folder)"])
        #expect(directories.status == 0 && directories.stderr.contains("note: /no/such/folder cannot be read"))
        let job = try build(["--context", git], environment: ["KANIKO_DIR": scratch.file("kaniko")], verb: "executor")
        #expect(job.status == 0, "\(job)")
    }

    // MARK: The web

    @Test func `archives and Dockerfiles of the web`() async throws {
        try Shell.run(["mkdir", "-p", scratch.file("web"), scratch.file("context/sub"), scratch.file("git")])
        try Data(Self.copyAll.utf8).write(to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
        try Data("kept\n".utf8).write(to: URL(fileURLWithPath: scratch.file("context/sub/kept")))
        try Data("out\n".utf8).write(to: URL(fileURLWithPath: scratch.file("context/out.log")))
        try Data("*.log\n.dockerignore\nDockerfile\n".utf8)
            .write(to: URL(fileURLWithPath: scratch.file("context/.dockerignore")))
        try Data("FROM scratch\nCOPY kept /from-the-web\n".utf8)
            .write(to: URL(fileURLWithPath: scratch.file("web/remote.df")))
        for (name, option) in [("c.tar.gz", "-z"), ("c.tzst", "--zstd")] {
            try Shell.run(
                ["tar", "-C", scratch.file("context"), option, "-cf", scratch.file("web/" + name), "."])
        }
        let page = String(repeating: "<html><p>Please log in.</p></html>\n", count: 40)
        try Data(page.utf8).write(to: URL(fileURLWithPath: scratch.file("web/login.tar.gz")))
        let server = try await GitHTTPServer(
            directory: scratch.file("git"), user: "me", password: "s3c@ret",
            extra: "location /web/ { alias \(scratch.file("web"))/; }")
        let host = server.url.dropFirst("http://".count)
        let web = "http://me:s3c%40ret@\(host)/web"
        let whole = try build(["--context", "\(web)/c.tzst"])
        #expect(whole.status == 0 && !whole.stderr.contains("s3c"), "\(whole.stderr)")
        #expect(try files() == ["sub/kept": "kept\n"])
        let remote = try build([
            "--context", "\(web)/c.tar.gz", "--context-sub-path", "sub", "--dockerfile", "\(web)/remote.df",
        ])
        #expect(remote.status == 0, "\(remote.stderr)")
        #expect(try files() == ["from-the-web": "kept\n"])
        refused(try build(["--context", "\(server.url)/web/c.tar.gz"]), "status 401", "USER:PASSWORD@")
        refused(try build(["--context", "\(web)/login.tar.gz"]), "cannot unpack the build context", leaks: ["s3c"])
        refused(
            try build(["--context", scratch.file("context"), "--dockerfile", "\(web)/none.df"]),
            "\(server.url)/web/none.df", "status 404", leaks: ["s3c"])
    }
}
