import CZstd

/// Pulls a compressed source and gives its plain bytes. Which compression it is, is told or seen from the first bytes.
///
/// A stream that ends too early is an error, as is one that gives more than `limit` bytes: a small file can unpack to
/// any size.
package struct DecompressingSource<Source: ByteSource & ~Copyable>: ~Copyable, ByteSource {
    private var source: Source
    private var decoder: Decoder
    private let limit: Int64
    private var produced: Int64 = 0
    private var input: [UInt8]
    private var position = 0
    private var available = 0
    private var isAtEnd = false

    private enum Decoder {
        case plain
        case gzip(GzipDecoder)
        case zstd(ZstdDecoder)
        case bzip2(Bzip2Decoder)
        case xz(XzDecoder)
    }

    /// - Parameters:
    ///   - compression: `nil` looks at the first bytes.
    ///   - limit: how many plain bytes may come out at most.
    package init(
        _ source: consuming Source, compression: Compression? = nil, limit: Int64 = .max
    ) throws(ArchiveError) {
        self.source = source
        self.limit = limit
        input = [UInt8](repeating: 0, count: 1 << 17)
        decoder = .plain
        // Enough to see any magic number, however small the pieces are.
        while available < Compression.prefixLength {
            let count = try fill(from: available)
            if count == 0 { break }
        }
        let seen = Compression.detect(prefix: input[..<available])
        switch compression ?? seen {
        case .none: decoder = .plain
        case .gzip: decoder = .gzip(try GzipDecoder())
        case .zstd: decoder = .zstd(try ZstdDecoder())
        case .bzip2: decoder = .bzip2(try Bzip2Decoder())
        case .xz: decoder = .xz(try XzDecoder())
        }
    }

    private mutating func fill(from offset: Int) throws(ArchiveError) -> Int {
        let outcome: Result<Int, ArchiveError> = input.withUnsafeMutableBytes { bytes in
            Result { () throws(ArchiveError) in
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]))
            }
        }
        let count = try outcome.get()
        if count == 0 { isAtEnd = true }
        available = offset + count
        return count
    }

    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard buffer.count > 0 else { return 0 }
        while true {
            if position == available, !isAtEnd {
                position = 0
                available = 0
                _ = try fill(from: 0)
            }
            let count = try step(into: buffer)
            if count > 0 {
                produced += Int64(count)
                guard produced <= limit else {
                    throw ArchiveError.tooLarge(limit)
                }
                return count
            }
            if isAtEnd, position == available {
                try checkEnd()
                return 0
            }
        }
    }

    private mutating func step(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        let isLast = isAtEnd
        let outcome: Result<(taken: Int, given: Int), ArchiveError> = input.withUnsafeMutableBytes { bytes in
            Result { () throws(ArchiveError) -> (taken: Int, given: Int) in
                let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[position..<available])
                switch decoder {
                case .plain:
                    let count = min(piece.count, buffer.count)
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: piece[..<count]))
                    return (count, count)
                case .gzip(let gzip): return try gzip.decode(piece, into: buffer, isLast: isLast)
                case .zstd(let zstd): return try zstd.decode(piece, into: buffer)
                case .bzip2(let bzip2): return try bzip2.decode(piece, into: buffer)
                case .xz(let xz): return try xz.decode(piece, into: buffer, isLast: isLast)
                }
            }
        }
        let (taken, given) = try outcome.get()
        position += taken
        return given
    }

    private func checkEnd() throws(ArchiveError) {
        let isWhole =
            switch decoder {
            case .plain: true
            case .gzip(let gzip): gzip.isWhole
            case .zstd(let zstd): zstd.isWhole
            case .bzip2(let bzip2): bzip2.isWhole
            case .xz(let xz): xz.isWhole
            }
        guard isWhole else {
            throw ArchiveError(
                .malformed, "the compressed content ends too early", hint: "it was cut off; fetch it anew")
        }
    }
}

/// A Zstandard stream of any number of frames (RFC 8878).
final class ZstdDecoder {
    private let stream: OpaquePointer
    private(set) var isWhole = false
    /// The first bytes of the frame, which may say how much is in it, and how much came out of it.
    private var head: [UInt8] = []
    private var produced: UInt64 = 0

    /// As many as a header has at most (RFC 8878, 3.1.1).
    private static let longestHeader = 18

    init() throws(ArchiveError) {
        guard let stream = ZSTD_createDStream() else {
            throw ArchiveError(.stream, "cannot start the decompression")
        }
        self.stream = stream
        // A frame may ask for a window of gigabytes; images do not need more than this.
        ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27)
    }

    deinit { ZSTD_freeDStream(stream) }

    func decode(
        _ input: UnsafeMutableRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(ArchiveError) -> (taken: Int, given: Int) {
        if input.isEmpty && isWhole { return (0, 0) }
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let status = ZSTD_decompressStream(stream, &target, &source)
        guard ZSTD_isError(status) == 0 else {
            throw ArchiveError(
                .malformed, "the content is no valid Zstandard stream",
                cause: ZSTD_getErrorName(status).map { String(cString: $0) })
        }
        if isWhole || head.count < Self.longestHeader {
            if isWhole { (head, produced) = ([], 0) }
            head += input.prefix(min(source.pos, Self.longestHeader - head.count))
        }
        produced += UInt64(target.pos)
        isWhole = status == 0
        if isWhole { try checkSize() }
        return (source.pos, target.pos)
    }

    /// The library looks after the size that a frame states, but not when its last block is empty and comes in pieces.
    private func checkSize() throws(ArchiveError) {
        let stated = head.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
        // Two values stand for "not stated" and for "not a header".
        if stated != produced, stated < UInt64.max - 1 {
            throw ArchiveError(
                .malformed, "the content is no valid Zstandard stream",
                cause: "a frame has \(produced) bytes and states \(stated)")
        }
    }
}
