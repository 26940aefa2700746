import Builder
import OCI

/// A pointer file of Git LFS, which stands in a repository for content that is kept elsewhere.
///
/// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md, "The Pointer".
struct LargeFilePointer: Hashable, Sendable {
    /// SHA-256 of the content.
    let digest: Digest
    /// Bytes of the content.
    let size: Int64

    /// Bytes that a pointer file may have.
    static let longest = 1_023
    private static let contentPrefix = "lfs:"

    /// Reads a pointer file; `nil` for every other file, and for pointers whose content an extension would have to make.
    init?(_ bytes: [UInt8]) {
        guard bytes.withUnsafeBytes({ Self.isOne($0) }), let text = String(validating: bytes, as: UTF8.self) else {
            return nil
        }
        var digest: Digest?
        var size: Int64?
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1)
            guard words.count == 2 else { return nil }
            switch words[0] {
            case "version": continue
            case "oid": digest = words[1].hasPrefix("sha256:") ? try? Digest(String(words[1])) : nil
            case "size": size = Int64(words[1])
            default: return nil
            }
        }
        guard let digest, let size, size >= 0 else { return nil }
        (self.digest, self.size) = (digest, size)
    }

    /// Whether a file begins as pointers do.
    static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count <= longest && bytes.starts(with: "version https://git-lfs.github.com/spec/".utf8)
    }

    /// What identifies the content among a context's.
    var contentID: String { Self.contentPrefix + digest.description }

    /// The pointer behind an entry of a context; `nil` for other entries.
    init?(contentID: String?, size: Int64) {
        guard let contentID, contentID.hasPrefix(Self.contentPrefix),
            let digest = try? Digest(String(contentID.dropFirst(Self.contentPrefix.utf8.count)))
        else { return nil }
        (self.digest, self.size) = (digest, size)
    }
}
