package import Diagnostics

/// Byte offsets to lines and columns. Lines end with LF, CR LF or a lone CR, as editors count them.
package struct LineIndex: Sendable {
    private let starts: [Int]

    package init(_ bytes: [UInt8]) {
        var starts = [bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0]
        bytes.withUnsafeBufferPointer { bytes in
            for index in bytes.indices where bytes[index] <= 0x0D {
                if bytes[index] == 0x0A
                    || bytes[index] == 0x0D && (index + 1 == bytes.count || bytes[index + 1] != 0x0A)
                {
                    starts.append(index + 1)
                }
            }
        }
        self.starts = starts
    }

    /// The location of a byte; columns count bytes from 1, a byte order mark is not counted.
    package func location(of offset: Int, in file: String) -> SourceLocation {
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle } else { high = middle }
        }
        return SourceLocation(file: file, line: low + 1, column: max(1, offset - starts[low] + 1))
    }

    /// The bytes of the line that holds `offset`, without its terminator.
    package static func line(around offset: Int, in bytes: [UInt8]) -> Range<Int> {
        let isBreak = { (byte: UInt8) in byte == 0x0A || byte == 0x0D }
        let offset = min(max(0, offset), bytes.count)
        var start = offset
        while start > 0, !isBreak(bytes[start - 1]) { start -= 1 }
        if start == 0, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { start = min(3, offset) }
        var end = offset
        while end < bytes.count, !isBreak(bytes[end]) { end += 1 }
        return start..<end
    }
}

/// The line around an offset with a caret under it, short and without what looks like a secret.
func excerpt(of bytes: [UInt8], at offset: Int, location: SourceLocation) -> String? {
    let range = LineIndex.line(around: offset, in: bytes)
    guard range.count <= 200 else { return nil }
    let line = String(decoding: bytes[range], as: UTF8.self)
    let lower = line.lowercased()
    for word in ["password", "passwd", "token", "secret", "passphrase", "credential", "auth", "key:"]
    where lower.contains(word) {
        return nil
    }
    return location.excerpt(of: line)
}
