/// How a stream is compressed. Layers are plain, gzip or zstd; archives may be any.
package enum Compression: String, Sendable, Hashable, CaseIterable {
    case none, gzip, zstd, bzip2, xz

    /// How many bytes `detect` looks at.
    static let prefixLength = 10

    /// What the first bytes say: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1, the xz file format section 2.1.1.1, and
    /// bzip2's block size and the first six bytes of a block, or of the end of an empty stream.
    package static func detect(prefix: some Collection<UInt8>) -> Compression {
        if prefix.starts(with: [0x1f, 0x8b]) { return .gzip }
        if prefix.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return .zstd }
        if prefix.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) { return .xz }
        if prefix.starts(with: "BZh".utf8), let level = prefix.dropFirst(3).first, (0x31...0x39).contains(level),
            [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]].contains(
                Array(prefix.dropFirst(4).prefix(6)))
        {
            return .bzip2
        }
        return .none
    }
}
