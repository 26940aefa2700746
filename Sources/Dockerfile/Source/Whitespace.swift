/// White space as the Dockerfile syntax means it, over UTF-8 bytes.
///
/// Text is handled as bytes throughout the lexer: a `Character` would fuse `\r\n`, and a letter with the combining
/// mark after it.
enum Whitespace {
    /// What separates words of an instruction: blanks within a line.
    static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0b || byte == 0x0c || byte == 0x0d
    }

    /// The length in bytes of the white space character (Unicode's `White_Space`) at a position; 0 when it is another.
    static func width(at index: Int, of bytes: some RandomAccessCollection<UInt8>) -> Int {
        func byte(_ distance: Int) -> UInt8 {
            let position = bytes.index(bytes.startIndex, offsetBy: index + distance)
            return position < bytes.endIndex ? bytes[position] : 0
        }
        guard index < bytes.count else { return 0 }
        let first = byte(0)
        if first < 0x80 { return first == 0x20 || (0x09...0x0d).contains(first) ? 1 : 0 }
        switch first {
        case 0xc2: return byte(1) == 0x85 || byte(1) == 0xa0 ? 2 : 0
        case 0xe1: return byte(1) == 0x9a && byte(2) == 0x80 ? 3 : 0
        case 0xe2:
            guard byte(1) == 0x80 || byte(1) == 0x81 else { return 0 }
            if byte(1) == 0x81 { return byte(2) == 0x9f ? 3 : 0 }
            let last = byte(2)
            return (0x80...0x8a).contains(last) || last == 0xa8 || last == 0xa9 || last == 0xaf ? 3 : 0
        case 0xe3: return byte(1) == 0x80 && byte(2) == 0x80 ? 3 : 0
        default: return 0
        }
    }

    /// Without white space at the start.
    static func trimStart(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = bytes
        while true {
            let width = width(at: 0, of: rest)
            if width == 0 { return rest }
            rest = rest.dropFirst(width)
        }
    }

    /// Without white space at the end.
    static func trimEnd(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = bytes
        while let last = rest.last {
            if last < 0x80 {
                guard last == 0x20 || (0x09...0x0d).contains(last) else { return rest }
                rest = rest.dropLast()
            } else if rest.count >= 2, width(at: rest.count - 2, of: rest) == 2 {
                rest = rest.dropLast(2)
            } else if rest.count >= 3, width(at: rest.count - 3, of: rest) == 3 {
                rest = rest.dropLast(3)
            } else {
                return rest
            }
        }
        return rest
    }

    static func trim(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> { trimEnd(trimStart(bytes)) }

    static func trim(_ text: String) -> String { String(decoding: trim(Array(text.utf8)[...]), as: UTF8.self) }

    /// The words between runs of blanks.
    static func words(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        bytes.split(omittingEmptySubsequences: true, whereSeparator: isBlank)
    }
}
