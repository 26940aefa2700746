import Foundation
import TestSupport
import Testing

@testable import Git

/// What can be told of keys and servers before a connection is made.
@Suite(.tags(.integration), .thorough) struct SSHPrivateKeyTests {
    let directory: TemporaryDirectory
    let keys: SigningFixture

    init() throws {
        directory = try TemporaryDirectory("ssh-keys")
        keys = SigningFixture(directory)
    }

    private func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

    @Test(
        arguments: [
            ("ed25519", [], SSHPrivateKey.Algorithm.ed25519), ("ecdsa", [], .ecdsa), ("rsa", ["-b", "2048"], .rsa),
            ("rsa", ["-b", "2048", "-m", "PEM"], .rsa), ("ecdsa", ["-m", "PEM"], .ecdsa),
            ("rsa", ["-b", "2048", "-m", "PKCS8"], .rsa), ("ecdsa", ["-m", "PKCS8"], .ecdsa),
        ] as [(String, [String], SSHPrivateKey.Algorithm)], ["", "open sesame"])
    func `the algorithm and whether there is a passphrase`(
        _ kind: (type: String, format: [String], algorithm: SSHPrivateKey.Algorithm), _ passphrase: String
    ) throws {
        let path = try keys.sshKey("key", type: kind.type, passphrase: passphrase, format: kind.format)
        let key = try SSHPrivateKey(bytes(path))
        #expect(key.isEncrypted == !passphrase.isEmpty)
        let isHidden = kind.format.contains("PKCS8") && !passphrase.isEmpty
        #expect(key.algorithm == (isHidden ? .unknown : kind.algorithm))
    }

    @Test func `an ed25519 key as openssl writes it`() throws {
        let path = directory.file("key")
        try Shell.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path])
        #expect(try SSHPrivateKey(bytes(path)).algorithm == .ed25519)
    }

    @Test func `what is no private key`() throws {
        let path = try keys.sshKey("key")
        #expect(throws: SSHPrivateKey.Failure.publicKey) { try SSHPrivateKey(bytes(path + ".pub")) }
        #expect(throws: SSHPrivateKey.Failure.putty) {
            try SSHPrivateKey(Array("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n".utf8))
        }
        for text in ["", "hunter2\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            #expect(throws: SSHPrivateKey.Failure.notAKey) { try SSHPrivateKey(Array(text.utf8)) }
        }
    }

    @Test func `a key that is cut off anywhere stops nothing`() throws {
        let whole = try bytes(try keys.sshKey("key", passphrase: "x"))
        var failures = 0
        for count in 0..<whole.count {
            do { _ = try SSHPrivateKey(Array(whole.prefix(count))) } catch { failures += 1 }
        }
        #expect(failures > 50)
    }

    @Test func `a FIDO key is told by its type`() throws {
        func string(_ bytes: [UInt8]) -> [UInt8] { [0, 0, 0, UInt8(bytes.count)] + bytes }
        let type = string(Array("sk-ssh-ed25519@openssh.com".utf8))
        let body =
            Array("openssh-key-v1\0".utf8) + string(Array("none".utf8)) + string(Array("none".utf8)) + string([])
            + [0, 0, 0, 1] + string(type)
        let text =
            "-----BEGIN OPENSSH PRIVATE KEY-----\n\(Data(body).base64EncodedString())\n-----END OPENSSH PRIVATE KEY-----\n"
        #expect(try SSHPrivateKey(Array(text.utf8)).algorithm == .securityKey)
    }

    // MARK: libssh2

    @Test(
        arguments: [
            ("1.10.0", false), ("1.9.0", false), ("1.11.0", true), ("1.11.1_DEV", true), ("2.0", true), ("0.18", false),
            (nil, true),
        ] as [(String?, Bool)])
    func `libssh2 signs with SHA-2 from 1.11 on`(_ version: String?, _ does: Bool) {
        #expect(SSHLibrary(version: version).signsRSAWithSHA2 == does)
    }

    /// OpenSSH's `ssh` takes any key; libssh2 only where its version says so.
    @Test(arguments: [true, false]) func `an RSA key opens a server`(_ hasProgram: Bool) async throws {
        let fixture = try GitRepositoryFixture(in: directory.path)
        try fixture.commit(["README": "x\n"])
        let server = try await SSHGitServer(directory: directory.path)
        let key = try keys.sshKey("rsa", type: "rsa", format: ["-b", "2048"])
        try server.authorize(key + ".pub")
        let mirror = try Mirror(
            path: directory.file("mirror"), url: server.url + "/repo.git",
            credentials: GitCredentials(sshKeyPath: key, knownHostsPaths: [server.knownHostsPath]),
            searchPath: hasProgram ? nil : directory.path)
        let isLetIn: Bool
        do {
            _ = try await mirror.fetch(branch: "main")
            isLetIn = true
        } catch {
            #expect(error.code == .authentication)
            #expect(error.hint?.contains("install openssh-client") == true)
            isLetIn = false
        }
        #expect(SSHLibrary.linked.version != nil)
        #expect((hasProgram ? SSHLibrary.current : .linked).signsRSAWithSHA2 == isLetIn)
    }

    // MARK: Host keys

    @Test func `what is recorded of a server`() throws {
        func line(_ hosts: String, _ type: String, _ rest: UInt8) -> String {
            let name = Array(type.utf8)
            let blob = [0, 0, 0, UInt8(name.count)] + name + [rest]
            return "\(hosts) \(type) \(Data(blob).base64EncodedString())\n"
        }
        let file = try keys.file(
            "known_hosts",
            line("git.example.com", "ssh-rsa", 1) + line("*.example.com", "ssh-ed25519", 2)
                + line("[git.example.com]:2222", "ssh-rsa", 3) + "@revoked " + line("git.example.com", "ssh-dss", 4)
                + line("git.example.com", "ssh-dss", 4))
        func types(_ url: String) throws -> [String]? { try RemoteURL(url).recordedHostKeys(in: [file])?.types }
        #expect(try types("ssh://git@git.example.com/a.git") == ["ssh-ed25519", "ssh-rsa"])
        #expect(try types("git@GIT.example.com:a.git") == ["ssh-ed25519", "ssh-rsa"])
        #expect(try types("ssh://git@git.example.com:2222/a.git") == ["ssh-rsa"])
        #expect(try types("git@example.org:a.git") == [])
        #expect(try types("https://git.example.com/a.git") == nil)
        #expect(try types("/srv/a.git") == nil)
        let other = try #require(try RemoteURL("ssh://h:2222/a").recordedHostKeys(in: [file]))
        #expect(other.name == "[h]:2222")
        #expect(other.scanCommand == "ssh-keyscan -p 2222 h")
    }

    // MARK: Signing

    @Test func `the agent's own signature is held against what it trusts`() throws {
        let own = try keys.sshKey("own")
        let other = try keys.sshKey("other")
        let key = SigningKey(format: .ssh, keyFile: own)
        let now = Int64(Date().timeIntervalSince1970)
        let trustsOwn = SignatureTrust(allowedSignersFile: try keys.allowedSigners([("slipway@localhost", own)]))
        let trustsOther = SignatureTrust(allowedSignersFile: try keys.allowedSigners([("ann@example.com", other)]))
        #expect(try key.refusal(by: nil, at: now) == nil)
        #expect(try key.refusal(by: trustsOwn, at: now) == nil)
        #expect(try key.refusal(by: trustsOther, at: now)?.contains("not") == true)
        let expired = SignatureTrust(
            allowedSignersFile: try keys.allowedSigners(
                [("slipway@localhost", own)], options: "valid-before=\"20200101\" "))
        #expect(try key.refusal(by: expired, at: now) != nil)
        let error = #expect(throws: GitError.self) {
            try SigningKey(format: .ssh, keyFile: try keys.file("junk", "junk\n")).refusal(by: nil, at: now)
        }
        #expect(error?.code == .signing)
    }

    @Test func `the same with OpenPGP`() throws {
        let own = try keys.openPGPKey("own")
        let other = try keys.openPGPKey("other")
        let key = SigningKey(format: .openPGP, keyFile: own.secret)
        let now = Int64(Date().timeIntervalSince1970)
        #expect(try key.refusal(by: SignatureTrust(keyringFile: own.open), at: now) == nil)
        #expect(try key.refusal(by: SignatureTrust(keyringFile: other.open), at: now) != nil)
        let junk = SignatureTrust(keyringFile: try keys.file("junk", "junk\n"))
        let error = #expect(throws: GitError.self) { try junk.check() }
        #expect(error?.place == junk.keyringFile)
    }
}
