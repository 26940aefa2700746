import Foundation
import TestSupport
import Testing

@testable import Git

/// Keys as people make them, in a directory of the test's own.
struct SigningFixture {
    let directory: TemporaryDirectory

    init(_ directory: TemporaryDirectory) { self.directory = directory }

    func sshKey(_ name: String, type: String = "ed25519", passphrase: String = "", format: [String] = []) throws
        -> String
    {
        let path = directory.file(name)
        try Shell.run(["ssh-keygen", "-q", "-t", type] + format + ["-N", passphrase, "-C", name, "-f", path])
        return path
    }

    /// `principal key` lines.
    func allowedSigners(_ entries: [(principal: String, key: String)], options: String = "") throws -> String {
        let path = directory.file("allowed-\(UUID().uuidString.prefix(6))")
        let lines = try entries.map {
            "\($0.principal) \(options)\(try String(contentsOfFile: $0.key + ".pub", encoding: .utf8))"
        }
        try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// An OpenPGP key: its secret and its public half as files.
    func openPGPKey(_ name: String, passphrase: String = "", expires: String = "0") throws -> (
        secret: String, open: String
    ) {
        // gpg's agent makes sockets there: the path must be short.
        let home = try TemporaryDirectory("gpg")
        try Shell.run(["chmod", "700", home.path])
        let gpg = ["gpg", "--homedir", home.path, "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase]
        try Shell.run(gpg + ["--quick-generate-key", "\(name) <\(name)@example.com>", "ed25519", "sign", expires])
        let files = (secret: directory.file(name + ".sec"), open: directory.file(name + ".pub"))
        try Shell.run(gpg + ["--armor", "--output", files.secret, "--export-secret-keys"])
        try Shell.run(gpg + ["--armor", "--output", files.open, "--export"])
        try Shell.run(["gpgconf", "--homedir", home.path, "--kill", "all"])
        return files
    }

    func file(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: directory.file(name), atomically: true, encoding: .utf8)
        return directory.file(name)
    }
}

@Suite(.tags(.integration), .thorough)
struct SignatureTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let keys: SigningFixture
    let writer = Signature(name: "Slipway", email: "slipway@example.com", time: 1_700_000_100)

    init() throws {
        directory = try TemporaryDirectory("git-signatures")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["app.yaml": "image: a:1\n"])
        keys = SigningFixture(directory)
    }

    private func mirror() throws -> Git.Mirror { try Mirror(path: directory.file("mirror"), url: remote.path) }

    private func signed(_ key: SigningKey, text: String = "image: a:2\n", in mirror: Git.Mirror) async throws
        -> ObjectID
    {
        let head = try await mirror.fetch(branch: "main")
        let commit = try await mirror.createCommit(
            parent: head.id, edits: ["app.yaml": Array(text.utf8)], message: "bump\n\nwhy: é\n", author: writer,
            committer: writer, signingKey: key)
        #expect(try await mirror.push(commit, to: "main", expecting: head.id) == .pushed)
        try remote.checkIntegrity()
        return commit
    }

    @Test(
        arguments: [
            ("ed25519", [], ""), ("ecdsa", [], ""), ("rsa", ["-b", "2048"], ""),
            ("rsa", ["-b", "2048", "-m", "PEM"], ""),
            ("ed25519", [], "open sesame"), ("rsa", ["-b", "2048", "-m", "PEM"], "p'a\"ss $word"),
        ] as [(String, [String], String)])
    func `git accepts what an SSH key signed`(_ type: String, _ format: [String], _ passphrase: String) async throws {
        let path = try keys.sshKey("key", type: type, passphrase: passphrase, format: format)
        // As a volume of secrets has it, where ssh would refuse it.
        try Shell.run(["chmod", "644", path])
        var key = SigningKey(format: .ssh, keyFile: path)
        if !passphrase.isEmpty { key.passphraseFile = try keys.file("passphrase", passphrase + "\n") }
        let mirror = try mirror()
        let commit = try await signed(key, in: mirror)
        let allowed = try keys.allowedSigners([("slipway@example.com", path)])
        let shown = try Shell.run([
            "git", "-C", remote.path, "-c", "gpg.ssh.allowedSignersFile=\(allowed)", "verify-commit", "-v",
            commit.description,
        ])
        #expect(shown.stderr.contains("Good \"git\" signature for slipway@example.com"))
        try await mirror.verify(
            commit, branch: "main", mode: .head, trust: SignatureTrust(allowedSignersFile: allowed))
    }

    @Test func `an agent signs for a public key`() async throws {
        let path = try keys.sshKey("agent-key")
        let agent = try SSHAgent(directory: directory.path)
        try agent.add(path)
        try Shell.run(["mv", path, path + ".away"])
        let mirror = try mirror()
        setenv("SSH_AUTH_SOCK", agent.socket, 1)
        defer { unsetenv("SSH_AUTH_SOCK") }
        let commit = try await signed(SigningKey(format: .ssh, keyFile: path + ".pub"), in: mirror)
        try await mirror.verify(
            commit, branch: "main", mode: .head,
            trust: SignatureTrust(allowedSignersFile: try keys.allowedSigners([("a@b", path)])))
    }

    @Test(arguments: ["", "open sesame"]) func `git accepts what an OpenPGP key signed`(_ passphrase: String)
        async throws
    {
        let files = try keys.openPGPKey("slipway", passphrase: passphrase)
        var key = SigningKey(format: .openPGP, keyFile: files.secret)
        if !passphrase.isEmpty { key.passphraseFile = try keys.file("passphrase", passphrase + "\n") }
        let mirror = try mirror()
        let commit = try await signed(key, in: mirror)
        let home = try TemporaryDirectory("gpg")
        try Shell.run(["chmod", "700", home.path])
        try Shell.run(["gpg", "--homedir", home.path, "--batch", "--import", files.open])
        let shown = try Shell.run(
            ["git", "-C", remote.path, "verify-commit", "-v", commit.description], environment: ["GNUPGHOME": home.path]
        )
        #expect(shown.stderr.contains("Good signature from \"slipway <slipway@example.com>\""))
        try await mirror.verify(commit, branch: "main", mode: .head, trust: SignatureTrust(keyringFile: files.open))
    }

    @Test func `a wrong passphrase and a wrong file are said, without secrets`() async throws {
        let path = try keys.sshKey("locked", passphrase: "right")
        let pgp = try keys.openPGPKey("locked-pgp", passphrase: "right")
        let wrong = try keys.file("wrong", "wr0ng-s3cret\n")
        let mirror = try mirror()
        let head = try await mirror.fetch(branch: "main")
        for key in [
            SigningKey(format: .ssh, keyFile: path), SigningKey(format: .ssh, keyFile: path, passphraseFile: wrong),
            SigningKey(format: .ssh, keyFile: wrong), SigningKey(format: .ssh, keyFile: directory.file("none")),
            SigningKey(format: .openPGP, keyFile: pgp.secret, passphraseFile: wrong),
            SigningKey(format: .openPGP, keyFile: pgp.open), SigningKey(format: .openPGP, keyFile: wrong),
            SigningKey(format: .openPGP, keyFile: pgp.secret, passphraseFile: directory.file("none")),
            SigningKey(format: .openPGP, keyFile: pgp.secret, keyID: "somebody@else"),
        ] {
            let error = await #expect(throws: GitError.self, "\(key)") {
                try await mirror.createCommit(
                    parent: head.id, edits: ["app.yaml": [1]], message: "x", author: writer, committer: writer,
                    signingKey: key)
            }
            #expect(error?.code == .signing, "\(error.map { "\($0)" } ?? "")")
            #expect(error.map { "\($0)".contains("wr0ng-s3cret") } == false)
        }
    }

    /// Commits of people, made and signed by git itself.
    private func commitAsPerson(_ key: String?, file: String, in fixture: GitRepositoryFixture) throws -> ObjectID {
        let signing =
            key.map {
                ["-c", "gpg.format=ssh", "-c", "user.signingkey=\($0)", "-c", "commit.gpgsign=true"]
            } ?? []
        try "\(file)\n".write(toFile: fixture.workTree + "/" + file, atomically: true, encoding: .utf8)
        try Shell.run(["git", "-C", fixture.workTree, "add", "-A"])
        try Shell.run(["git", "-C", fixture.workTree] + signing + ["commit", "-q", "-m", "person \(file)"])
        try Shell.run(["git", "-C", fixture.workTree, "push", "-q", "origin", "HEAD:refs/heads/main"])
        return try ObjectID(hex: fixture.head())
    }

    @Test func `the modes look at the head, at the first parents, at all`() async throws {
        let person = try keys.sshKey("person")
        let stranger = try keys.sshKey("stranger")
        let fixture = try GitRepositoryFixture(in: directory.path, name: "signed.git")
        let work = fixture.workTree
        _ = try commitAsPerson(person, file: "one", in: fixture)
        // A branch with an unsigned commit, merged by a signed one.
        try Shell.run(["git", "-C", work, "checkout", "-q", "-b", "side"])
        try "x".write(toFile: work + "/side", atomically: true, encoding: .utf8)
        try Shell.run(["git", "-C", work, "add", "-A"])
        try Shell.run(["git", "-C", work, "commit", "-q", "-m", "unsigned"])
        try Shell.run(["git", "-C", work, "checkout", "-q", "main"])
        try Shell.run([
            "git", "-C", work, "-c", "gpg.format=ssh", "-c", "user.signingkey=\(person)", "merge", "-q", "--no-ff",
            "-S",
            "-m", "merge", "side",
        ])
        try Shell.run(["git", "-C", work, "push", "-q", "origin", "HEAD:refs/heads/main"])
        let mirror = try Mirror(path: directory.file("mirror"), url: fixture.path)
        let trust = SignatureTrust(allowedSignersFile: try keys.allowedSigners([("p@x", person)]))
        let merged = try await mirror.fetch(branch: "main")
        #expect(try await mirror.verify(merged.id, branch: "main", mode: .head, trust: trust) == 1)
        #expect(try await mirror.verify(merged.id, branch: "main", mode: .firstParent, trust: trust) == 2)
        let error = await #expect(throws: GitError.self) {
            try await mirror.verify(merged.id, branch: "main", mode: .all, trust: trust)
        }
        #expect(error?.code == .unverified)
        #expect(error?.summary.contains("it is not signed") == true)
        #expect(error?.cause?.contains("'unsigned' by Test Author") == true)
        // What is known is not looked at again; other keys start afresh.
        #expect(try await mirror.verify(merged.id, branch: "main", mode: .firstParent, trust: trust) == 0)
        let next = try commitAsPerson(person, file: "two", in: fixture)
        _ = try await mirror.fetch(branch: "main")
        #expect(try await mirror.verify(next, branch: "main", mode: .firstParent, trust: trust) == 1)
        let both = SignatureTrust(
            allowedSignersFile: try keys.allowedSigners([("p@x", person), ("s@x", stranger)]))
        #expect(try await mirror.verify(next, branch: "main", mode: .firstParent, trust: both) == 3)
        // A stranger's key; trusted by one file, not by the other.
        let foreign = try commitAsPerson(stranger, file: "three", in: fixture)
        _ = try await mirror.fetch(branch: "main")
        let refused = await #expect(throws: GitError.self) {
            try await mirror.verify(foreign, branch: "main", mode: .head, trust: trust)
        }
        #expect(refused?.summary.contains("not (or was not then) in") == true)
        #expect(try await mirror.verify(foreign, branch: "main", mode: .head, trust: both) == 1)
        // No list at all, and a key that was trusted only before the commit.
        let none = await #expect(throws: GitError.self) {
            try await mirror.verify(foreign, branch: "main", mode: .head, trust: SignatureTrust())
        }
        #expect(none?.summary.contains("no allowed signers are configured") == true)
        let early = SignatureTrust(
            allowedSignersFile: try keys.allowedSigners(
                [("s@x", stranger)], options: "valid-before=\"20200101\" namespaces=\"git\" "))
        await #expect(throws: GitError.self) {
            try await mirror.verify(foreign, branch: "main", mode: .head, trust: early)
        }
    }

    /// A key that expired in 2020, and what it signed before.
    @Test func `an expired OpenPGP key counts for what it signed before, when asked`() throws {
        let home = try TemporaryDirectory("gpg")
        try Shell.run(["chmod", "700", home.path])
        let gpg = ["gpg", "--homedir", home.path, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
        func then(_ day: String) -> [String] { gpg + ["--faked-system-time", "\(day)T120000"] }
        try Shell.run(then("20200101") + ["--quick-generate-key", "old <old@example.com>", "ed25519", "sign", "30d"])
        let payload = Array("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nbump\n".utf8)
        let signature = Array(
            try Shell.run(then("20200110") + ["--armor", "--detach-sign"], input: payload).stdout.utf8)
        let open = directory.file("old.pub")
        try Shell.run(gpg + ["--armor", "--output", open, "--export"])
        try Shell.run(["gpgconf", "--homedir", home.path, "--kill", "all"])

        var trust = SignatureTrust(keyringFile: open)
        let before: Int64 = 1_578_650_400
        let after: Int64 = 1_600_000_000
        func verdict(_ time: Int64) throws -> SignatureVerifier.Verdict {
            try SignatureVerifier(trust).judge(signature: signature, payload: payload, time: time)
        }
        #expect(try verdict(before) == .refused("its OpenPGP key has expired"))
        trust.acceptsExpiredKeys = true
        #expect(try verdict(before) == .good(signer: "old <old@example.com>"))
        #expect(try verdict(after) == .refused("its OpenPGP key had expired when it was made"))
        let other = try SignatureVerifier(trust).judge(signature: signature, payload: payload + [0x0a], time: before)
        #expect(other == .refused("its OpenPGP signature does not fit its content"))
    }

    @Test func `a signature over other content is refused`() async throws {
        let path = try keys.sshKey("key")
        let pgp = try keys.openPGPKey("pgp")
        let trust = SignatureTrust(
            allowedSignersFile: try keys.allowedSigners([("a@b", path)]), keyringFile: pgp.open)
        let mirror = try mirror()
        for key in [SigningKey(format: .ssh, keyFile: path), SigningKey(format: .openPGP, keyFile: pgp.secret)] {
            let commit = try await signed(key, text: "\(key.format)\n", in: mirror)
            let raw = try remote.git("cat-file", "commit", commit.description)
            let forged = raw.replacingOccurrences(of: "bump", with: "hack") + "\n"
            let id = try Shell.run(
                ["git", "-C", remote.path, "hash-object", "-t", "commit", "-w", "--stdin"], input: Array(forged.utf8)
            ).stdout.trimmingCharacters(in: .whitespacesAndNewlines)
            try remote.git("update-ref", "refs/heads/main", id)
            let head = try await mirror.fetch(branch: "main")
            let error = await #expect(throws: GitError.self) {
                try await mirror.verify(head.id, branch: "main", mode: .head, trust: trust)
            }
            #expect(error?.summary.contains("does not fit its content") == true, "\(error.map { "\($0)" } ?? "")")
        }
    }
}
