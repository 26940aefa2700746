import Foundation
import TestSupport
import Testing

@testable import Git

/// Servers that are reached by their IP addresses (Debian's libgit2 finds none in a certificate).
@Suite(.tags(.integration), .thorough)
struct AddressCertificateTests {
    /// What is wrong with a certificate, if anything.
    enum Kind: String, CaseIterable {
        case good, otherAddress, expired, unknownAuthority, commonNameOnly, addressAsName, forClients,
            withoutIntermediate

        /// What libcrypto says; `nil`: nothing.
        var reason: String? {
            switch self {
            case .good: nil
            case .otherAddress, .commonNameOnly, .addressAsName: "IP address mismatch"
            case .expired: "certificate has expired"
            case .unknownAuthority, .withoutIntermediate: "unable to get"
            case .forClients: "purpose"
            }
        }
    }

    let directory: TemporaryDirectory
    let repository: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("address-certificates")
        repository = try GitRepositoryFixture(in: directory.path)
        try repository.commit(["README": "hello\n"], message: "hello")
    }

    /// Makes a root, an authority below it, and a server's certificate of that.
    ///
    /// - Returns: the root, PEM.
    private func identity(_ kind: Kind) throws -> String {
        let folder = directory.file("tls")
        try Shell.run(["mkdir", "-p", folder])
        func openssl(_ arguments: String...) throws { try Shell.run(["openssl"] + arguments, in: folder) }
        let new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for root in ["root", "other-root"] {
            try Shell.run(
                ["openssl"] + new + [
                    "-x509", "-days", "2", "-subj", "/CN=\(root)", "-keyout", "\(root).key", "-out", "\(root).pem",
                ],
                in: folder)
        }
        let names =
            switch kind {
            case .otherAddress: "subjectAltName=IP:127.0.0.2,DNS:localhost\n"
            case .commonNameOnly: ""
            case .addressAsName: "subjectAltName=DNS:127.0.0.1\n"
            case .forClients: "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=clientAuth\n"
            default: "subjectAltName=IP:127.0.0.1\n"
            }
        try names.write(toFile: "\(folder)/names", atomically: true, encoding: .utf8)
        try "basicConstraints=critical,CA:TRUE\n".write(
            toFile: "\(folder)/authority", atomically: true, encoding: .utf8)
        for (name, subject) in [("middle", "middle"), ("server", "127.0.0.1")] {
            try Shell.run(
                ["openssl"] + new + ["-subj", "/CN=\(subject)", "-keyout", "\(name).key", "-out", "\(name).csr"],
                in: folder)
        }
        try openssl(
            "x509", "-req", "-in", "middle.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days",
            "2",
            "-extfile", "authority", "-out", "middle.pem")
        try openssl(
            "x509", "-req", "-in", "server.csr", "-CA", "middle.pem", "-CAkey", "middle.key", "-CAcreateserial",
            "-days",
            kind == .expired ? "-1" : "2", "-extfile", "names", "-out", "own.pem")
        try Shell.run(
            ["sh", "-c", "cat own.pem \(kind == .withoutIntermediate ? "" : "middle.pem") > server.pem"], in: folder)
        return "\(folder)/\(kind == .unknownAuthority ? "other-root" : "root").pem"
    }

    @Test(arguments: Kind.allCases) func `a certificate names the address, and leads to an authority`(kind: Kind)
        async throws
    {
        let root = try identity(kind)
        let server = try await GitHTTPServer(directory: directory.path, tls: true, identity: directory.file("tls"))
        let url = "https://127.0.0.1:\(server.port)/repo.git"
        let mirror = try Mirror(
            path: directory.file("mirror"), url: url, credentials: GitCredentials(usesSSHAgent: false, caFile: root))
        guard let reason = kind.reason else {
            #expect(try await mirror.fetch(branch: "main").subject == "hello")
            return
        }
        let error = await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }
        #expect(error?.code == .certificate, "\(error.map { "\($0)" } ?? "")")
        #expect(error?.cause?.contains(reason) == true, "\(error.map { "\($0)" } ?? "")")
        guard kind == .withoutIntermediate else { return }
        // What is trusted may be any part of the chain.
        let nearer = try Mirror(
            path: directory.file("nearer"), url: url,
            credentials: GitCredentials(usesSSHAgent: false, caFile: directory.file("tls/middle.pem")))
        #expect(try await nearer.fetch(branch: "main").subject == "hello")
    }
}

@Suite(.tags(.unit))
struct ServerHandshakeTests {
    private static func record(_ type: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [type, 3, 3, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
    }

    private static func number(_ value: Int) -> [UInt8] {
        [UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }
    private static func message(_ type: UInt8, _ bytes: [UInt8]) -> [UInt8] { [type] + number(bytes.count) + bytes }

    private static let chain: [[UInt8]] = [[UInt8](repeating: 1, count: 700), [UInt8](repeating: 2, count: 300)]
    private static let certificate = message(
        11, number(chain.reduce(0) { $0 + $1.count + 3 }) + chain.flatMap { number($0.count) + $0 })

    private static func read(_ bytes: [UInt8], piece: Int = 100) -> [[UInt8]] {
        var handshake = ServerHandshake()
        var rest = bytes[...]
        while !rest.isEmpty {
            Array(rest.prefix(piece)).withUnsafeBytes { handshake.receive($0) }
            rest = rest.dropFirst(piece)
        }
        return handshake.certificates
    }

    @Test(arguments: [1, 7, 5_000]) func `the chain, however it is cut`(piece: Int) {
        let messages = Self.message(2, [UInt8](repeating: 9, count: 80)) + Self.certificate
        var records: [UInt8] = []
        var rest = messages[...]
        while !rest.isEmpty {
            records += Self.record(22, Array(rest.prefix(333)))
            rest = rest.dropFirst(333)
        }
        #expect(Self.read(records, piece: piece) == Self.chain)
    }

    @Test func `anything else has none`() {
        #expect(Self.read([]).isEmpty)
        #expect(Self.read(Array("HTTP/1.1 200 OK\r\n\r\n".utf8)).isEmpty)
        #expect(
            Self.read(
                Self.record(22, Self.message(2, [1, 2])) + Self.record(20, [1]) + Self.record(22, Self.certificate)
            ).isEmpty)
        // Lengths that promise more than there is.
        #expect(Self.read([22, 3, 3, 255, 255, 11, 255, 255, 255, 255, 255, 255, 255, 255, 255]).isEmpty)
        #expect(Self.read(Self.record(22, Self.message(11, [0, 0, 9, 0, 0, 200, 1]))).isEmpty)
    }
}
