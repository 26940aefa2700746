import CZlib
import CZstd

/// Compresses what is written to it with gzip, always to the same bytes: no name, no time, one level (RFC 1952).
package struct GzipSink<Sink: ByteSink & ~Copyable>: ~Copyable, ByteSink {
    package var sink: Sink
    private let deflater: Deflater
    private var output: [UInt8]

    /// - Parameter level: 1 (fast) to 9 (small).
    package init(_ sink: consuming Sink, level: Int32 = 6) throws(ArchiveError) {
        self.sink = sink
        deflater = try Deflater(level: level)
        output = [UInt8](repeating: 0, count: 1 << 16)
    }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        var rest = bytes
        // The library counts its input in 32 bits.
        while rest.count > 1 << 30 {
            try deflate(UnsafeRawBufferPointer(rebasing: rest[..<(1 << 30)]), Z_NO_FLUSH)
            rest = UnsafeRawBufferPointer(rebasing: rest[(1 << 30)...])
        }
        try deflate(rest, Z_NO_FLUSH)
    }

    package mutating func finish() throws(ArchiveError) {
        try deflate(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH)
        try sink.finish()
    }

    private mutating func deflate(_ bytes: UnsafeRawBufferPointer, _ flush: Int32) throws(ArchiveError) {
        deflater.offer(bytes)
        while true {
            let (count, isDone) = try deflater.step(into: &output, flush)
            if count > 0 { try write(output[..<count]) }
            if isDone { return }
        }
    }

    private mutating func write(_ piece: ArraySlice<UInt8>) throws(ArchiveError) {
        let outcome: Result<Void, ArchiveError> = piece.withUnsafeBytes { bytes in
            Result { () throws(ArchiveError) in try sink.write(bytes) }
        }
        try outcome.get()
    }
}

/// Owns zlib's state, which must not move in memory.
private final class Deflater {
    private var stream = z_stream()

    init(level: Int32) throws(ArchiveError) {
        guard slipway_deflate_init(&stream, level) == Z_OK else {
            throw ArchiveError(.stream, "cannot start the compression")
        }
    }

    deinit { deflateEnd(&stream) }

    func offer(_ bytes: UnsafeRawBufferPointer) {
        // zlib does not write through next_in; its type lacks the const.
        stream.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(bytes.count)
    }

    /// - Returns: how much of `output` was filled, and whether all that was offered is dealt with.
    func step(into output: inout [UInt8], _ flush: Int32) throws(ArchiveError) -> (count: Int, isDone: Bool) {
        let size = output.count
        let status = output.withUnsafeMutableBufferPointer { buffer in
            stream.next_out = buffer.baseAddress
            stream.avail_out = UInt32(size)
            return deflate(&stream, flush)
        }
        guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
            throw ArchiveError(.stream, "the compression failed")
        }
        let isDone = flush == Z_FINISH ? status == Z_STREAM_END : stream.avail_out > 0
        return (size - Int(stream.avail_out), isDone)
    }
}

/// Compresses what is written to it with Zstandard, always to the same bytes for one version of the library (RFC 8878).
package struct ZstdSink<Sink: ByteSink & ~Copyable>: ~Copyable, ByteSink {
    package var sink: Sink
    private let encoder: ZstdEncoder
    private var output: [UInt8]

    package init(_ sink: consuming Sink, level: Int32 = 3) throws(ArchiveError) {
        self.sink = sink
        encoder = try ZstdEncoder(level: level)
        output = [UInt8](repeating: 0, count: 1 << 17)
    }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        try compress(bytes, isLast: false)
    }

    package mutating func finish() throws(ArchiveError) {
        try compress(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
        try sink.finish()
    }

    private mutating func compress(_ bytes: UnsafeRawBufferPointer, isLast: Bool) throws(ArchiveError) {
        var offset = 0
        while true {
            let (taken, given, isDone) = try encoder.step(
                UnsafeRawBufferPointer(rebasing: bytes[offset...]), into: &output, isLast: isLast)
            offset += taken
            if given > 0 {
                let outcome: Result<Void, ArchiveError> = output[..<given].withUnsafeBytes { piece in
                    Result { () throws(ArchiveError) in try sink.write(piece) }
                }
                try outcome.get()
            }
            if isDone { return }
        }
    }
}

private final class ZstdEncoder {
    private let context: OpaquePointer

    init(level: Int32) throws(ArchiveError) {
        guard let context = ZSTD_createCCtx() else {
            throw ArchiveError(.stream, "cannot start the compression")
        }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        // Four bytes at the end of the frame, so that a reader notices damage.
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit { ZSTD_freeCCtx(context) }

    func step(
        _ bytes: UnsafeRawBufferPointer, into output: inout [UInt8], isLast: Bool
    ) throws(ArchiveError) -> (taken: Int, given: Int, isDone: Bool) {
        var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        let result = output.withUnsafeMutableBytes { buffer -> (rest: Int, given: Int) in
            var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
            let rest = ZSTD_compressStream2(context, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
            return (rest, target.pos)
        }
        guard ZSTD_isError(result.rest) == 0 else {
            throw ArchiveError(
                .stream, "the compression failed", cause: ZSTD_getErrorName(result.rest).map { String(cString: $0) })
        }
        let isDone = isLast ? result.rest == 0 : source.pos == bytes.count
        return (source.pos, result.given, isDone)
    }
}
