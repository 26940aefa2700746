import CLzma

/// An xz stream, or several behind each other with padding between: https://tukaani.org/xz/xz-file-format.txt
final class XzDecoder {
    private var stream = lzma_stream()
    private(set) var isWhole = false

    /// Bytes of memory that a stream may ask for. Files of xz -9 need 65 MiB.
    private static let memoryLimit: UInt64 = 192 << 20

    init() throws(ArchiveError) {
        slipway_lzma_init(&stream)
        guard lzma_stream_decoder(&stream, Self.memoryLimit, slipway_lzma_concatenated) == LZMA_OK else {
            throw ArchiveError(.stream, "cannot start the decompression")
        }
    }

    deinit { lzma_end(&stream) }

    func decode(
        _ input: UnsafeMutableRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isLast: Bool
    ) throws(ArchiveError) -> (taken: Int, given: Int) {
        if isWhole { return (input.count, 0) }
        stream.next_in = UnsafePointer(input.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = input.count
        stream.next_out = output.bindMemory(to: UInt8.self).baseAddress
        stream.avail_out = output.count
        let status = lzma_code(&stream, isLast ? LZMA_FINISH : LZMA_RUN)
        let taken = input.count - stream.avail_in
        let given = output.count - stream.avail_out
        switch status {
        case LZMA_OK: break
        case LZMA_STREAM_END: isWhole = true
        case LZMA_BUF_ERROR:
            if isLast, taken == 0, given == 0 {
                throw ArchiveError(
                    .malformed, "the compressed content ends too early", hint: "it was cut off; fetch it anew")
            }
        case LZMA_MEM_ERROR: throw ArchiveError(.stream, "there is not enough memory for the decompression")
        case LZMA_MEMLIMIT_ERROR:
            throw ArchiveError(
                .limit, "the xz stream wants \(lzma_memusage(&stream) >> 20) MiB of memory",
                cause: "\(Self.memoryLimit >> 20) MiB are allowed", hint: "compress it with xz -9 or less")
        default: throw ArchiveError(.malformed, "the content is no valid xz stream")
        }
        return (taken, given)
    }
}
