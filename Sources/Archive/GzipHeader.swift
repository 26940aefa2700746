import CISAL

/// The header of a gzip member (RFC 1952, section 2.3), read in pieces of any size. What it tells is of no use here, but it has to be
/// right. ISA-L has a reader of its own, which takes flags that do not exist and computes the checksum of a single piece only.
struct GzipHeader {
    private enum Field {
        case fixed, extraLength, extra, name, comment, checksum, done
    }

    private var field = Field.fixed
    /// Bytes of the field that were read.
    private var count = 0
    private var flags: UInt8 = 0
    /// Two bytes, the lower one first.
    private var number = 0
    private var checksum: UInt32 = 0

    var isWhole: Bool { field == .done }

    /// - Returns: how many bytes belong to the header.
    mutating func read(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) -> Int {
        var position = 0
        var summed = 0
        while position < bytes.count, field != .done {
            if field == .checksum, count == 0 {
                checksum = Self.sum(checksum, UnsafeRawBufferPointer(rebasing: bytes[summed..<position]))
                summed = bytes.count
            }
            try take(bytes[position])
            position += 1
        }
        if summed < position {
            checksum = Self.sum(checksum, UnsafeRawBufferPointer(rebasing: bytes[summed..<position]))
        }
        return position
    }

    private static func sum(_ start: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return start }
        return crc32_gzip_refl(start, base, UInt64(bytes.count))
    }

    private mutating func take(_ byte: UInt8) throws(ArchiveError) {
        count += 1
        switch field {
        case .fixed:
            switch count {
            case 1 where byte != 0x1f, 2 where byte != 0x8b: throw Self.failure("the header is wrong")
            case 3 where byte != 8: throw Self.failure("it was not compressed with deflate")
            case 4:
                guard byte & 0xe0 == 0 else { throw Self.failure("its header has flags that do not exist") }
                flags = byte
            case 10: advance(behind: .fixed)
            default: break
            }
        case .extraLength:
            number |= Int(byte) << (8 * (count - 1))
            guard count == 2 else { return }
            if number == 0 { advance(behind: .extra) } else { begin(.extra) }
        case .extra: if count == number { advance(behind: .extra) }
        case .name: if byte == 0 { advance(behind: .name) }
        case .comment: if byte == 0 { advance(behind: .comment) }
        case .checksum:
            number |= Int(byte) << (8 * (count - 1))
            guard count == 2 else { return }
            guard number == Int(checksum & 0xffff) else { throw Self.failure("its header's checksum is wrong") }
            begin(.done)
        case .done: break
        }
    }

    private mutating func begin(_ next: Field) {
        field = next
        count = 0
        if next == .extraLength || next == .checksum { number = 0 }
    }

    /// The next field that the flags tell of.
    private mutating func advance(behind last: Field) {
        switch last {
        case .fixed where flags & 4 != 0: begin(.extraLength)
        case .fixed, .extraLength, .extra:
            if flags & 8 != 0 { begin(.name) } else { advance(behind: .name) }
        case .name:
            if flags & 16 != 0 { begin(.comment) } else { advance(behind: .comment) }
        case .comment, .checksum, .done:
            begin(flags & 2 != 0 && last == .comment ? .checksum : .done)
        }
    }

    private static func failure(_ cause: String) -> ArchiveError {
        ArchiveError(.malformed, "the content is no valid gzip stream", cause: cause)
    }
}
