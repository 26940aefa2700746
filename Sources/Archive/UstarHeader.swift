/// The 512 bytes that begin an entry. Written once a file of every layer: straight into the block, without text in between.
enum UstarHeader {
    static let largestOctal: Int64 = 0o77_777_777_777
    static let largestIdentifier: UInt32 = 0o7_777_777

    static func encode(_ entry: TarEntry, type: UInt8) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 512) { block, count in
            block.initialize(repeating: 0)
            put(entry.name, at: 0, 100, in: block)
            put(octal: Int64(entry.mode & 0o7777), at: 100, 8, in: block)
            put(octal: Int64(min(entry.uid, largestIdentifier)), at: 108, 8, in: block)
            put(octal: Int64(min(entry.gid, largestIdentifier)), at: 116, 8, in: block)
            put(octal: min(max(entry.size, 0), largestOctal), at: 124, 12, in: block)
            put(octal: min(max(entry.modified.seconds, 0), largestOctal), at: 136, 12, in: block)
            block[156] = type
            put(entry.linkName, at: 157, 100, in: block)
            put(magic, at: 257, 8, in: block)
            if entry.kind == .characterDevice || entry.kind == .blockDevice {
                put(octal: Int64(entry.major), at: 329, 8, in: block)
                put(octal: Int64(entry.minor), at: 337, 8, in: block)
            }
            // The sum counts its own eight bytes as blanks.
            var sum: Int64 = 8 * 0x20
            for byte in block { sum += Int64(byte) }
            put(octal: sum, at: 148, 7, in: block)
            block[155] = 0x20
            count = 512
        }
    }

    private static let magic = [UInt8]("ustar\u{0}00".utf8)

    private static func put(
        _ bytes: [UInt8], at offset: Int, _ width: Int, in block: UnsafeMutableBufferPointer<UInt8>
    ) {
        for index in 0..<min(width, bytes.count) { block[offset + index] = bytes[index] }
    }

    /// Digits with leading zeros; the last of the `width` bytes stays NUL.
    private static func put(
        octal number: Int64, at offset: Int, _ width: Int, in block: UnsafeMutableBufferPointer<UInt8>
    ) {
        var rest = number
        for index in stride(from: offset + width - 2, through: offset, by: -1) {
            block[index] = 0x30 + UInt8(truncatingIfNeeded: rest & 7)
            rest >>= 3
        }
    }
}
