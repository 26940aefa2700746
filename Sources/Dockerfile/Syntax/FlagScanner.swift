/// Cuts the `--flags` off the front of an instruction's arguments.
enum FlagScanner {
    /// - Returns: the flags without their quotes and escapes, and what follows them.
    static func scan(_ text: ArraySlice<UInt8>, escape: UInt8) -> (flags: [String], rest: ArraySlice<UInt8>) {
        var flags: [String] = []
        var rest = text
        while true {
            rest = Whitespace.trimStart(rest)
            guard rest.starts(with: [0x2d, 0x2d]) else { return (flags, rest) }
            var word: [UInt8] = []
            var quote: UInt8 = 0
            var index = rest.startIndex
            while index < rest.endIndex {
                var byte = rest[index]
                if quote != 0, byte == quote {
                    quote = 0
                    index += 1
                    continue
                }
                if quote == 0 {
                    if Whitespace.width(at: index - rest.startIndex, of: rest) > 0 { break }
                    if byte == 0x22 || byte == 0x27 {
                        quote = byte
                        index += 1
                        continue
                    }
                }
                if byte == escape {
                    index += 1
                    guard index < rest.endIndex else { break }
                    byte = rest[index]
                }
                word.append(byte)
                index += 1
            }
            rest = rest[min(index, rest.endIndex)...]
            if word == [0x2d, 0x2d] { return (flags, rest) }
            flags.append(String(decoding: word, as: UTF8.self))
        }
    }
}
