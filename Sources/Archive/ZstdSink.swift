import CZstd

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
