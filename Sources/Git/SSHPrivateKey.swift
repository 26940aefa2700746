import FoundationEssentials

/// What can be told of an SSH private key's file without its passphrase.
package struct SSHPrivateKey: Sendable, Hashable {
    package enum Algorithm: String, Sendable, Hashable {
        case ed25519, ecdsa, rsa, dsa
        /// Lives in a FIDO token; OpenSSH's names begin with `sk-`.
        case securityKey = "security key"
        /// PKCS#8 with a passphrase tells nothing of what is in it.
        case unknown
    }

    /// Why a file is not a private key that libssh2 reads.
    package enum Failure: Error, Sendable, Hashable {
        case publicKey
        /// PuTTY's own format.
        case putty
        case notAKey
    }

    package let algorithm: Algorithm
    package let isEncrypted: Bool

    /// Reads OpenSSH's format (`PROTOCOL.key` in its sources), PEM (RFC 1421) and PKCS#8 (RFC 5958).
    package init(_ bytes: [UInt8]) throws(Failure) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let label = Self.label(text) else {
            if text.hasPrefix("PuTTY-User-Key-File") { throw .putty }
            let first = text.split(whereSeparator: \.isWhitespace).first ?? ""
            throw ["ssh-", "ecdsa-", "sk-"].contains { first.hasPrefix($0) } ? .publicKey : .notAKey
        }
        switch label {
        case "OPENSSH":
            guard let found = Self.openSSH(Self.body(text)) else { throw .notAKey }
            (algorithm, isEncrypted) = found
        case "RSA", "EC", "DSA":
            algorithm = label == "RSA" ? .rsa : label == "EC" ? .ecdsa : .dsa
            isEncrypted = text.contains("ENCRYPTED")
        case "ENCRYPTED": (algorithm, isEncrypted) = (.unknown, true)
        default: (algorithm, isEncrypted) = (Self.pkcs8(Self.body(text)), false)
        }
    }

    /// `RSA` of `-----BEGIN RSA PRIVATE KEY-----`; empty for `-----BEGIN PRIVATE KEY-----`.
    private static func label(_ text: String) -> String? {
        for line in text.split(whereSeparator: \.isNewline) {
            guard line.hasPrefix("-----BEGIN "), line.hasSuffix("PRIVATE KEY-----") else { continue }
            let middle = line.dropFirst("-----BEGIN ".count).dropLast("PRIVATE KEY-----".count)
            return middle.split(separator: " ").first.map(String.init) ?? ""
        }
        return nil
    }

    /// What is between the first `BEGIN` and the next `END`.
    private static func body(_ text: String) -> [UInt8] {
        let lines = text.split(whereSeparator: \.isNewline).drop { !$0.hasPrefix("-----BEGIN ") }.dropFirst()
        let base64 = lines.prefix { !$0.hasPrefix("-----END ") }.joined()
        return Data(base64Encoded: base64, options: .ignoreUnknownCharacters).map { [UInt8]($0) } ?? []
    }

    /// The file begins with the cipher's name and, in the clear, the public key.
    private static func openSSH(_ bytes: [UInt8]) -> (Algorithm, Bool)? {
        let magic = Array("openssh-key-v1\0".utf8)
        guard bytes.starts(with: magic) else { return nil }
        var rest = bytes.dropFirst(magic.count)
        func string() -> ArraySlice<UInt8>? {
            guard rest.count >= 4 else { return nil }
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard length <= rest.count - 4 else { return nil }
            defer { rest = rest.dropFirst(4 + length) }
            return rest.dropFirst(4).prefix(length)
        }
        guard let cipher = string(), string() != nil, string() != nil, rest.count >= 4 else { return nil }
        rest = rest.dropFirst(4)
        guard let key = string() else { return nil }
        return (algorithm(ofType: KnownHosts.type(ofKey: Array(key))), cipher != ArraySlice("none".utf8))
    }

    private static func algorithm(ofType name: String) -> Algorithm {
        switch name {
        case "ssh-ed25519": .ed25519
        case "ssh-rsa": .rsa
        case "ssh-dss": .dsa
        case _ where name.hasPrefix("ecdsa-"): .ecdsa
        case _ where name.hasPrefix("sk-"): .securityKey
        default: .unknown
        }
    }

    /// By the algorithm's object identifier, which stands near the beginning (RFC 8410, RFC 5480, RFC 3279).
    private static func pkcs8(_ bytes: [UInt8]) -> Algorithm {
        let head = bytes.prefix(40)
        func holds(_ identifier: [UInt8]) -> Bool {
            head.firstRange(of: [0x06, UInt8(identifier.count)] + identifier) != nil
        }
        if holds([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]) { return .rsa }
        if holds([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]) { return .ecdsa }
        if holds([0x2b, 0x65, 0x70]) { return .ed25519 }
        if holds([0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01]) { return .dsa }
        return .unknown
    }
}
