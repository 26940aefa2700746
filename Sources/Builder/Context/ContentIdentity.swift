import OCI

/// What identifies the bytes of a file of a context: a hash of them, and of a large file a hash of the hashes of its pieces, which
/// several processors can find side by side. Equal bytes give equal names, whichever context they are in and however they are read.
enum ContentIdentity {
    /// In bytes. Files up to this size are one piece.
    static let pieceSize: Int64 = 16 << 20

    /// How many pieces a file has.
    static func pieceCount(of size: Int64) -> Int64 { max(1, (size + pieceSize - 1) / pieceSize) }

    /// - Parameter pieces: the hashes of all pieces, `ContentHasher.byteCount` bytes each, in their order.
    /// - Returns: `ContentHasher.byteCount` bytes.
    static func digest(ofPieces pieces: [UInt8]) -> [UInt8] {
        guard pieces.count > ContentHasher.byteCount else { return pieces }
        var hasher = ContentHasher()
        pieces.withUnsafeBytes { hasher.update($0) }
        return hasher.finalize()
    }

    static func name(_ digest: [UInt8], size: Int64) -> String {
        (size > pieceSize ? "blake2b-16m:" : "blake2b:") + hexadecimal(digest)
    }
}

/// Finds what identifies a file while its bytes come one after the other.
struct ContentIdentityHasher: ~Copyable {
    private var piece: ContentHasher? = ContentHasher()
    private var filled: Int64 = 0
    private var pieces: [UInt8] = []
    private(set) var size: Int64 = 0

    init() {}

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        size += Int64(bytes.count)
        var rest = bytes
        while !rest.isEmpty {
            if filled == ContentIdentity.pieceSize { endPiece() }
            let count = Int(min(Int64(rest.count), ContentIdentity.pieceSize - filled))
            piece?.update(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            filled += Int64(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private mutating func endPiece() {
        if let full = piece.take() { pieces += full.finalize() }
        piece = ContentHasher()
        filled = 0
    }

    /// - Returns: `ContentHasher.byteCount` bytes, for `ContentIdentity.name`.
    consuming func finalize() -> [UInt8] {
        endPiece()
        return ContentIdentity.digest(ofPieces: pieces)
    }
}
