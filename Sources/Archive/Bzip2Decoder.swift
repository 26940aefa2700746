import CBzip2

/// A bzip2 stream, or several behind each other. Zeros behind the last are ignored.
final class Bzip2Decoder {
    private var stream = bz_stream()
    private var isOpen = false
    private var hasStream = false

    init() throws(ArchiveError) { try start() }

    deinit { if isOpen { BZ2_bzDecompressEnd(&stream) } }

    var isWhole: Bool { !isOpen && hasStream }

    private func start() throws(ArchiveError) {
        stream = bz_stream()
        guard BZ2_bzDecompressInit(&stream, 0, 0) == BZ_OK else {
            throw ArchiveError(.stream, "cannot start the decompression")
        }
        isOpen = true
    }

    func decode(
        _ input: UnsafeMutableRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(ArchiveError) -> (taken: Int, given: Int) {
        var skipped = 0
        if !isOpen {
            while skipped < input.count, input[skipped] == 0 { skipped += 1 }
            if skipped == input.count { return (skipped, 0) }
            try start()
        }
        let piece = UnsafeMutableRawBufferPointer(rebasing: input[skipped...])
        stream.next_in = piece.bindMemory(to: CChar.self).baseAddress
        stream.avail_in = UInt32(clamping: piece.count)
        stream.next_out = output.bindMemory(to: CChar.self).baseAddress
        stream.avail_out = UInt32(clamping: output.count)
        let offered = (input: stream.avail_in, output: stream.avail_out)
        let status = BZ2_bzDecompress(&stream)
        let taken = skipped + Int(offered.input - stream.avail_in)
        let given = Int(offered.output - stream.avail_out)
        switch status {
        case BZ_OK: break
        case BZ_STREAM_END:
            BZ2_bzDecompressEnd(&stream)
            isOpen = false
            hasStream = true
        case BZ_MEM_ERROR: throw ArchiveError(.stream, "there is not enough memory for the decompression")
        default: throw ArchiveError(.malformed, "the content is no valid bzip2 stream")
        }
        return (taken, given)
    }
}
