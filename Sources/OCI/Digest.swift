import Text

/// The identity of bytes: `sha256:` and 64 lower-case hexadecimal digits.
///
/// Grammar: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests. The registered algorithms
/// and SHA-384 (which distribution accepts) are known; others are refused, because they could not be verified.
package struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    package enum Algorithm: String, Sendable, Hashable, CaseIterable {
        case sha256, sha384, sha512

        /// Digits of the encoded hash.
        var encodedLength: Int {
            switch self {
            case .sha256: 64
            case .sha384: 96
            case .sha512: 128
            }
        }
    }

    package let algorithm: Algorithm
    /// The hash in lower-case hexadecimal digits.
    package let encoded: String

    /// Parses `algorithm:encoded`.
    package init(_ text: String) throws(OCIError) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw Self.invalid(text, "there is no ':' between an algorithm and a hash")
        }
        guard let algorithm = Algorithm(rawValue: String(text[..<colon])) else {
            throw Self.invalid(text, "the algorithm is none of sha256, sha384, sha512")
        }
        let encoded = text[text.utf8.index(after: colon)...]
        guard encoded.utf8.count == algorithm.encodedLength else {
            throw Self.invalid(
                text, "\(algorithm.rawValue) has \(algorithm.encodedLength) digits, not \(encoded.utf8.count)")
        }
        guard encoded.utf8.allSatisfy(isLowerHexadecimal) else {
            throw Self.invalid(text, "the hash is not in lower-case hexadecimal digits")
        }
        self.algorithm = algorithm
        self.encoded = String(encoded)
    }

    /// A digest whose parts are known to be right.
    init(algorithm: Algorithm, verified encoded: String) {
        self.algorithm = algorithm
        self.encoded = encoded
    }

    package static func sha256(of bytes: [UInt8]) -> Digest {
        var hasher = SHA256Hasher()
        hasher.update(bytes)
        return hasher.finalize()
    }

    package var description: String { "\(algorithm.rawValue):\(encoded)" }

    /// The first twelve digits, for people.
    package var short: String { String(encoded.prefix(12)) }

    package static func < (left: Digest, right: Digest) -> Bool {
        left.algorithm == right.algorithm
            ? left.encoded < right.encoded : left.algorithm.rawValue < right.algorithm.rawValue
    }

    private static func invalid(_ text: String, _ cause: String) -> OCIError {
        OCIError(
            .invalidDigest, "'\(printable(text))' is no digest", cause: cause,
            hint: "a digest looks like sha256:<64 hexadecimal digits>")
    }
}

extension Digest: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        do {
            try self.init(text)
        } catch {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\(error)"))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

func isLowerHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
    default: false
    }
}
