import Cryptography
import Foundation
import TestSupport
import Testing

@testable import Git

@Suite(.tags(.unit))
struct KnownHostsTests {
    /// Blobs in the wire format: a length-prefixed type, then anything.
    private static func key(_ type: String, _ rest: String) -> [UInt8] {
        [0, 0, 0, UInt8(type.utf8.count)] + Array(type.utf8) + Array(rest.utf8)
    }
    private let key = Self.key("ssh-ed25519", "first")
    private let other = Self.key("ssh-ed25519", "second")
    private let ecdsa = Self.key("ecdsa-sha2-nistp256", "third")

    private func line(_ hosts: String, _ key: [UInt8]) -> String {
        "\(hosts) \(KnownHosts.type(ofKey: key)) \(Data(key).base64EncodedString()) comment\n"
    }

    @Test(arguments: [
        ("host", 22, true), ("HOST", 22, true), ("host,other", 22, true), ("other,host", 22, true),
        ("*.example,h?st", 22, true),
        ("*", 22, true), ("*,!host", 22, false), ("[host]:22", 22, false), ("[host]:2222", 2222, true),
        ("host", 2222, false),
        ("hos", 22, false), ("hostx", 22, false), ("h*t*", 22, true), ("", 22, false),
    ])
    func `names and patterns are matched as ssh does`(_ hosts: String, _ port: Int, _ isKnown: Bool) {
        let known = KnownHosts(line(hosts, key))
        #expect((known.verdict(host: "host", port: port, key: key) == .known) == isKnown)
    }

    @Test func `what differs is told apart`() {
        let known = KnownHosts("# comment\n\n" + line("host", key) + "broken line\nhost ssh-ed25519 !!!\n")
        #expect(known.verdict(host: "host", port: 22, key: other) == .mismatch)
        #expect(known.verdict(host: "host", port: 22, key: ecdsa) == .otherTypes(["ssh-ed25519"]))
        #expect(known.verdict(host: "nobody", port: 22, key: key) == .unknown)
        #expect(
            KnownHosts("@revoked " + line("*", key) + line("host", key)).verdict(host: "host", port: 22, key: key)
                == .revoked)
        #expect(KnownHosts("@cert-authority " + line("*", key)).verdict(host: "host", port: 22, key: key) == .unknown)
        #expect(KnownHosts().verdict(host: "host", port: 22, key: []) == .unknown)
    }

    @Test func `names hashed by ssh-keygen are recognised`() throws {
        let directory = try TemporaryDirectory("known-hosts")
        let file = directory.file("known_hosts")
        try Shell.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory.file("key")])
        let publicKey = try String(contentsOfFile: directory.file("key.pub"), encoding: .utf8)
        try "git.example.com,[git.example.com]:2222 \(publicKey)".write(toFile: file, atomically: true, encoding: .utf8)
        try Shell.run(["ssh-keygen", "-q", "-H", "-f", file])
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.contains("|1|") && !text.contains("git.example.com"))
        let blob = try #require(Data(base64Encoded: String(publicKey.split(separator: " ")[1])))
        let known = KnownHosts(text)
        #expect(known.verdict(host: "git.example.com", port: 22, key: [UInt8](blob)) == .known)
        #expect(known.verdict(host: "git.example.com", port: 2222, key: [UInt8](blob)) == .known)
        #expect(known.verdict(host: "git.example.org", port: 22, key: [UInt8](blob)) == .unknown)
    }

    @Test func `SHA-1 and its HMAC give the published values`() {
        func hex(_ bytes: [UInt8]) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        // RFC 3174 and RFC 2202.
        #expect(hex(SHA1.hash(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(hex(SHA1.hash([])) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(
            hex(HMAC.sha1(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)))
                == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
        #expect(
            hex(
                HMAC.sha1(
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                    key: [UInt8](repeating: 0xaa, count: 80))) == "aa4ae5e15272d00e95705637ce8a3b55ed402112")
    }
}
