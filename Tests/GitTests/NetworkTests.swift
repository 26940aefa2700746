import Foundation
import TestSupport
import Testing

@testable import Git

@Suite(.tags(.integration), .thorough)
struct HTTPTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let writer = Signature(name: "Slipway", email: "slipway@example.com", time: 1_700_000_100)

    init() throws {
        directory = try TemporaryDirectory("git-http-tests")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["deploy/app.yaml": "image: a:1\n"])
    }

    private func mirror(_ url: String, _ credentials: GitCredentials = GitCredentials()) throws -> Git.Mirror {
        try Mirror(path: directory.file("mirror"), url: url, credentials: credentials)
    }

    private func edit(_ mirror: Git.Mirror, _ parent: ObjectID, _ text: String) async throws -> ObjectID {
        try await mirror.createCommit(
            parent: parent, edits: ["deploy/app.yaml": Array(text.utf8)], message: "bump", author: writer,
            committer: writer)
    }

    @Test(arguments: [false, true])
    func `a lost race is a value, and the next try works`(_ isLocal: Bool) async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        let mirror = try mirror(isLocal ? remote.path : server.url + "/repo.git")
        let head = try await mirror.fetch(branch: "main")
        let mine = try await edit(mirror, head.id, "image: a:2\n")
        let theirs = try ObjectID(hex: remote.commit(["README": "theirs\n"]))
        guard case .rejected(_, let now) = try await mirror.push(mine, to: "main", expecting: head.id) else {
            Issue.record("the push overwrote another writer's commit")
            return
        }
        #expect(now == theirs)
        #expect(try remote.head() == theirs.description)
        let next = try await mirror.fetch(branch: "main")
        let again = try await edit(mirror, next.id, "image: a:2\n")
        #expect(try await mirror.push(again, to: "main", expecting: next.id) == .pushed)
        #expect(try remote.head() == again.description)
        #expect(try remote.content(of: "README") == "theirs\n")
        // The same push once more, as after a crash: it is there.
        #expect(try await mirror.push(again, to: "main", expecting: next.id) == .pushed)
        _ = try await mirror.fetch(branch: "main")
        #expect(await mirror.lastFetch?.downloaded == false)
        // A branch of its own, then again: it exists.
        #expect(try await mirror.push(again, to: "bump/one", expecting: nil) == .pushed)
        let other = try await edit(mirror, next.id, "image: a:3\n")
        guard case .rejected = try await mirror.push(other, to: "bump/one", expecting: nil) else {
            Issue.record("an existing branch was overwritten")
            return
        }
        try remote.checkIntegrity()
    }

    /// The second writer wins between our look at the branch and the server's update: a hook of the server does it.
    @Test func `a race inside the push is lost as well`() async throws {
        let theirs = try remote.commit(["README": "theirs\n"], branch: "theirs")
        let server = try await GitHTTPServer(directory: directory.path)
        let hook = remote.path + "/hooks/pre-receive"
        try "#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main \(theirs)\n"
            .write(toFile: hook, atomically: true, encoding: .utf8)
        try Shell.run(["chmod", "755", hook])
        let mirror = try mirror(server.url + "/repo.git")
        let head = try await mirror.fetch(branch: "main")
        let mine = try await edit(mirror, head.id, "image: a:2\n")
        guard case .rejected(_, let now) = try await mirror.push(mine, to: "main", expecting: head.id) else {
            Issue.record("the push overwrote another writer's commit")
            return
        }
        #expect(now?.description == theirs)
    }

    @Test func `a hook's refusal is an error with its words`() async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        let hook = remote.path + "/hooks/pre-receive"
        try "#!/bin/sh\necho 'main is protected: open a pull request' >&2\nexit 1\n"
            .write(toFile: hook, atomically: true, encoding: .utf8)
        try Shell.run(["chmod", "755", hook])
        let mirror = try mirror(server.url + "/repo.git")
        let head = try await mirror.fetch(branch: "main")
        let mine = try await edit(mirror, head.id, "image: a:2\n")
        let error = await #expect(throws: GitError.self) {
            try await mirror.push(mine, to: "main", expecting: head.id)
        }
        #expect(error?.code == .refused)
        #expect(error?.summary.contains("the repository's pre-receive hook refuses") == true)
        #expect(error?.cause?.contains("main is protected: open a pull request") == true)
    }

    @Test func `credentials are needed and checked, once`() async throws {
        let server = try await GitHTTPServer(directory: directory.path, user: "ci", password: "s3cret")
        let url = server.url + "/repo.git"
        var attempts = 0
        for (credentials, words) in [
            (GitCredentials(), "none are configured"), (GitCredentials(username: "ci", password: "wrong"), "refused"),
            (GitCredentials(token: "wrong"), "refused"),
        ] {
            let mirror = try mirror(url, credentials)
            attempts += 1
            let error = await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }
            #expect(error?.code == .authentication)
            #expect(error?.summary.contains(words) == true)
            #expect(error.map { "\($0)".contains("wrong") } == false)
            // Of all attempts, because the log is written a little later.
            #expect(server.accessLog.count <= 2 * attempts)
        }
        let inURL = try mirror(server.url.replacingOccurrences(of: "://", with: "://ci:s3cret@") + "/repo.git")
        #expect(try await inURL.fetch(branch: "main").subject == "change")
        #expect(!inURL.url.description.contains("s3cret"))
        let config = try String(contentsOfFile: directory.file("mirror/config"), encoding: .utf8)
        #expect(!config.contains("s3cret"))
    }

    @Test func `what is missing is named`() async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        try remote.commit(["x": "x"], branch: "release/1")
        let present = try mirror(server.url + "/repo.git")
        let branch = await #expect(throws: GitError.self) { try await present.fetch(branch: "master") }
        #expect(branch?.code == .branchNotFound)
        #expect(branch?.hint?.contains("main, release/1") == true)
        let invalid = await #expect(throws: GitError.self) { try await present.fetch(branch: "a..b") }
        #expect(invalid?.code == .invalid)
    }

    @Test func `no repository, no server, an empty one`() async throws {
        let server = try await GitHTTPServer(directory: directory.path)
        let port = try Server.freePort()
        _ = try GitRepositoryFixture(in: directory.path, name: "empty.git")
        for (url, code) in [
            (server.url + "/none.git", GitError.Code.notFound), ("http://127.0.0.1:\(port)/a.git", .network),
            (directory.file("none"), .notFound), (directory.path, .notFound),
            (directory.file("empty.git"), .branchNotFound),
            (server.url + "/empty.git", .branchNotFound),
        ] {
            let mirror = try Mirror(path: directory.file("m"), url: url)
            let error = await #expect(throws: GitError.self, "\(url)") { try await mirror.fetch(branch: "main") }
            #expect(error?.code == code, "\(url): \(error.map { "\($0)" } ?? "")")
            #expect(error?.hint != nil)
        }
    }

    @Test func `TLS is verified`() async throws {
        let server = try await GitHTTPServer(directory: directory.path, tls: true)
        let url = server.url + "/repo.git"
        do {
            let strict = try mirror(url)
            let error = await #expect(throws: GitError.self) { try await strict.fetch(branch: "main") }
            #expect(error?.code == .certificate)
            #expect(error?.hint?.contains("--git-ca-file") == true)
        }
        do {
            let insecure = try mirror(url, GitCredentials(insecureSkipTLSVerify: true))
            #expect(try await insecure.fetch(branch: "main").subject == "change")
        }
        do {
            let missing = try mirror(url, GitCredentials(caFile: directory.file("no.pem")))
            let error = await #expect(throws: GitError.self) { try await missing.fetch(branch: "main") }
            #expect(error?.code == .certificate)
        }
        let trusted = try mirror(url, GitCredentials(caFile: server.caFile))
        #expect(try await trusted.fetch(branch: "main").subject == "change")
    }

    @Test func `credentials are not sent to a host that a redirect names`() async throws {
        let server = try await GitHTTPServer(directory: directory.path, user: "ci", password: "s3cret", tls: true)
        let lure = try await GitHTTPServer(
            directory: directory.path,
            extra: "return 301 https://localhost:\(server.port)$request_uri;")
        let mirror = try mirror(
            lure.url + "/repo.git", GitCredentials(username: "ci", password: "s3cret", caFile: server.caFile))
        let error = await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }
        #expect(error?.summary.contains("redirects to another host") == true)
    }
}

@Suite(.tags(.integration), .thorough)
struct SSHTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let server: SSHGitServer

    init() async throws {
        directory = try TemporaryDirectory("git-ssh-tests")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["deploy/app.yaml": "image: a:1\n"])
        server = try await SSHGitServer(directory: directory.path)
    }

    /// - Parameter hasProgram: by OpenSSH's `ssh`; otherwise by libssh2.
    private func fetch(
        _ credentials: GitCredentials, url: String? = nil, hasProgram: Bool = true
    ) async throws -> Commit {
        try await Mirror(
            path: directory.file("mirror"), url: url ?? server.url + "/repo.git", credentials: credentials,
            searchPath: hasProgram ? nil : directory.path
        ).fetch(branch: "main")
    }

    @Test(arguments: [true, false])
    func `fetch and push with a key, the server's key checked`(_ hasProgram: Bool) async throws {
        let credentials = GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [server.knownHostsPath])
        let mirror = try Mirror(
            path: directory.file("mirror"), url: server.url + "/repo.git", credentials: credentials,
            searchPath: hasProgram ? nil : directory.path)
        let head = try await mirror.fetch(branch: "main")
        let writer = Signature(name: "Slipway", email: "slipway@example.com", time: 1_700_000_100)
        let mine = try await mirror.createCommit(
            parent: head.id, edits: ["deploy/app.yaml": Array("image: a:2\n".utf8)], message: "bump", author: writer,
            committer: writer)
        #expect(try await mirror.push(mine, to: "main", expecting: head.id) == .pushed)
        #expect(try remote.head() == mine.description)
        let theirs = try ObjectID(hex: remote.commit(["README": "theirs\n"]))
        let late = try await mirror.createCommit(
            parent: mine, edits: ["a": [1]], message: "late", author: writer, committer: writer)
        guard case .rejected(_, let now) = try await mirror.push(late, to: "main", expecting: mine) else {
            Issue.record("the push overwrote another writer's commit")
            return
        }
        #expect(now == theirs)
        try remote.checkIntegrity()
    }

    @Test(arguments: [true, false])
    func `hashed known_hosts, a key with a passphrase`(_ hasProgram: Bool) async throws {
        let key = directory.file("locked")
        try Shell.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", key])
        try server.authorize(key + ".pub")
        let hosts = directory.file("hashed")
        try server.writeKnownHosts(["ed25519", "ecdsa"], to: hosts, hashed: true)
        var credentials = GitCredentials(sshKeyPath: key, sshKeyPassphrase: "open sesame", knownHostsPaths: [hosts])
        #expect(try await fetch(credentials, hasProgram: hasProgram).subject == "change")
        credentials.sshKeyPassphrase = "wrong"
        let error = await #expect(throws: GitError.self) { try await fetch(credentials, hasProgram: hasProgram) }
        #expect(error?.code == .authentication)
        #expect(error?.summary == "the SSH key cannot be read", "\(error.map { "\($0)" } ?? "")")
    }

    /// ssh-keyscan and the hosts' documentation give one line as often as all of them.
    @Test(arguments: ["ed25519", "ecdsa"]) func `one recorded key of several is enough`(_ type: String) async throws {
        let hosts = directory.file("hosts")
        try server.writeKnownHosts([type], to: hosts)
        let credentials = GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [hosts])
        #expect(try await fetch(credentials).subject == "change")
    }

    /// A key of another kind than the recorded one is no new key to be added: who sits between can have any.
    @Test func `a server without the recorded kind has changed its key`() async throws {
        let hosts = directory.file("hosts")
        let key = directory.file("other")
        try Shell.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key])
        let text = try String(contentsOfFile: key + ".pub", encoding: .utf8)
        try "[127.0.0.1]:\(server.port) \(text)".write(toFile: hosts, atomically: true, encoding: .utf8)
        let credentials = GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [hosts])
        let error = await #expect(throws: GitError.self) { try await fetch(credentials) }
        #expect(error?.code == .hostKeyMismatch, "\(error.map { "\($0)" } ?? "")")
        #expect(error?.cause?.contains("ssh-rsa is recorded") == true)
        #expect(error?.hint?.contains("ssh-keyscan") == false)
    }

    /// What is given to `ssh` is in no argument and no environment, and its key's file may be readable by a group.
    @Test func `a key that a group may read`() async throws {
        let key = directory.file("mounted")
        try Shell.run(["cp", server.keyPath, key])
        try Shell.run(["chmod", "644", key])
        let credentials = GitCredentials(sshKeyPath: key, knownHostsPaths: [server.knownHostsPath])
        #expect(try await fetch(credentials).subject == "change")
    }

    @Test func `a path with odd letters`() async throws {
        let odd = directory.file("it's odd %41 $(x)!")
        try FileManager.default.createDirectory(atPath: odd, withIntermediateDirectories: true)
        try Shell.run(["cp", "-r", remote.path, odd + "/repo.git"])
        let encoded = "/it's%20odd%20%2541%20$(x)!/repo.git"
        let credentials = GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [server.knownHostsPath])
        #expect(try await fetch(credentials, url: server.url + encoded).subject == "change")
    }

    @Test func `an unknown or changed server key is refused`() async throws {
        let hosts = directory.file("hosts")
        var credentials = GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: [hosts])
        let unknown = await #expect(throws: GitError.self) { try await fetch(credentials) }
        #expect(unknown?.code == .hostKeyUnknown)
        #expect(unknown?.hint?.contains("ssh-keyscan -p \(server.port) 127.0.0.1 >> \(hosts)") == true)
        #expect(unknown?.cause?.contains("SHA256:") == true)

        let other = try await SSHGitServer(directory: directory.path)
        let text = try String(contentsOfFile: other.knownHostsPath, encoding: .utf8)
        try text.replacingOccurrences(of: ":\(other.port)", with: ":\(server.port)")
            .write(toFile: hosts, atomically: true, encoding: .utf8)
        let changed = await #expect(throws: GitError.self) { try await fetch(credentials) }
        #expect(changed?.code == .hostKeyMismatch)

        try server.writeKnownHosts(["ed25519"], to: hosts)
        let otherType = await #expect(throws: GitError.self) { try await fetch(credentials, hasProgram: false) }
        #expect(otherType?.code == .hostKeyUnknown)
        #expect(otherType?.summary.contains("only ssh-ed25519") == true)
        #expect(otherType?.hint?.contains("openssh-client") == true)

        credentials.knownHostsPaths = [server.knownHostsPath]
        #expect(try await fetch(credentials).subject == "change")
    }

    @Test func `a wrong key, no key, no repository`() async throws {
        let key = directory.file("stranger")
        try Shell.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
        let hosts = [server.knownHostsPath]
        let wrong = await #expect(throws: GitError.self) {
            try await fetch(GitCredentials(sshKeyPath: key, knownHostsPaths: hosts))
        }
        #expect(wrong?.code == .authentication)
        let none = await #expect(throws: GitError.self) {
            try await fetch(GitCredentials(usesSSHAgent: false, knownHostsPaths: hosts))
        }
        #expect(none?.code == .authentication)
        #expect(none?.summary.contains("none is configured") == true)
        let unreadable = await #expect(throws: GitError.self) {
            try await fetch(GitCredentials(sshKeyPath: directory.file("nothing"), knownHostsPaths: hosts))
        }
        #expect(unreadable?.place == directory.file("nothing"))
        let missing = await #expect(throws: GitError.self) {
            try await fetch(
                GitCredentials(sshKeyPath: server.keyPath, knownHostsPaths: hosts), url: server.url + "/none.git")
        }
        #expect(missing?.code == .notFound, "\(missing.map { "\($0)" } ?? "")")
        #expect(missing?.cause?.contains("\n") == false && missing?.cause?.contains("/  /") == false)
    }
}
