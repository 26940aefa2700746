/// How a stream is compressed.
package enum Compression: String, Sendable, Hashable, CaseIterable {
    case none, gzip, zstd

    /// What the first bytes say (RFC 1952 section 2.3.1, RFC 8878 section 3.1.1).
    package static func detect(prefix: some Collection<UInt8>) -> Compression {
        if prefix.starts(with: [0x1f, 0x8b]) { return .gzip }
        if prefix.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return .zstd }
        return .none
    }
}
