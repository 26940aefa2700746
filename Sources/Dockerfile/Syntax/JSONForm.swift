/// The JSON array of an instruction's exec form.
enum JSONForm {
    /// `nil` when the text is no JSON array: then it is the shell form.
    ///
    /// - Throws: `.json` for valid JSON that holds something else than strings.
    static func parse(_ text: ArraySlice<UInt8>) throws(DockerfileError) -> [String]? {
        let text = Whitespace.trimStart(text)
        guard text.first == 0x5b else { return nil }
        var reader = JSONReader(text)
        guard let value = reader.value(depth: 0), reader.isAtEnd, case .array(let elements) = value else { return nil }
        var strings: [String] = []
        for element in elements {
            guard case .string(let string) = element else {
                throw DockerfileError(
                    .json, "the JSON array may hold strings only",
                    hint: "put every element into double quotes, or write the command without brackets")
            }
            strings.append(string)
        }
        return strings
    }
}

/// Strict JSON; only arrays of strings are kept, all else merely checked.
private struct JSONReader {
    enum Value {
        case string(String)
        case array([Value])
        case other
    }

    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    private var current: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
    }

    var isAtEnd: Bool {
        mutating get {
            skipBlanks()
            return current == nil
        }
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    mutating func value(depth: Int) -> Value? {
        guard depth < 200 else { return nil }
        skipBlanks()
        switch current {
        case 0x22: return string().map { .string($0) }
        case 0x5b: return array(depth: depth)
        case 0x7b: return object(depth: depth)
        case 0x74: return literal("true")
        case 0x66: return literal("false")
        case 0x6e: return literal("null")
        default: return number()
        }
    }

    private mutating func literal(_ text: String) -> Value? {
        guard bytes[position...].starts(with: text.utf8) else { return nil }
        position += text.utf8.count
        return .other
    }

    private mutating func digits() -> Bool {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
        return position > start
    }

    private mutating func number() -> Value? {
        _ = accept(0x2d)
        if !accept(0x30) { guard digits() else { return nil } }
        if accept(0x2e) { guard digits() else { return nil } }
        if accept(0x65) || accept(0x45) {
            if !accept(0x2b) { _ = accept(0x2d) }
            guard digits() else { return nil }
        }
        return .other
    }

    private mutating func array(depth: Int) -> Value? {
        position += 1
        var elements: [Value] = []
        skipBlanks()
        if accept(0x5d) { return .array([]) }
        while true {
            guard let element = value(depth: depth + 1) else { return nil }
            elements.append(element)
            skipBlanks()
            if accept(0x5d) { return .array(elements) }
            guard accept(0x2c) else { return nil }
        }
    }

    private mutating func object(depth: Int) -> Value? {
        position += 1
        skipBlanks()
        if accept(0x7d) { return .other }
        while true {
            skipBlanks()
            guard current == 0x22, string() != nil else { return nil }
            skipBlanks()
            guard accept(0x3a), value(depth: depth + 1) != nil else { return nil }
            skipBlanks()
            if accept(0x7d) { return .other }
            guard accept(0x2c) else { return nil }
        }
    }

    private mutating func string() -> String? {
        position += 1
        var result: [UInt8] = []
        while let byte = current {
            position += 1
            switch byte {
            case 0x22: return String(decoding: result, as: UTF8.self)
            case 0x00..<0x20: return nil
            case 0x5c:
                guard let escape = current else { return nil }
                position += 1
                switch escape {
                case 0x22, 0x5c, 0x2f: result.append(escape)
                case 0x62: result.append(0x08)
                case 0x66: result.append(0x0c)
                case 0x6e: result.append(0x0a)
                case 0x72: result.append(0x0d)
                case 0x74: result.append(0x09)
                case 0x75:
                    guard let scalar = unicodeEscape() else { return nil }
                    result += Array(String(scalar).utf8)
                default: return nil
                }
            default: result.append(byte)
            }
        }
        return nil
    }

    private mutating func hexDigits() -> UInt32? {
        guard position + 4 <= bytes.endIndex else { return nil }
        let digits = bytes[position..<position + 4]
        guard digits.allSatisfy({ ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x66 || (0x30...0x39).contains($0) }) else {
            return nil
        }
        position += 4
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    /// After `\u`; a surrogate without its other half becomes U+FFFD.
    private mutating func unicodeEscape() -> Unicode.Scalar? {
        guard let first = hexDigits() else { return nil }
        if let scalar = Unicode.Scalar(first) { return scalar }
        let back = position
        guard first < 0xdc00, accept(0x5c), accept(0x75), let second = hexDigits(), (0xdc00..<0xe000).contains(second)
        else {
            position = back
            return "\u{fffd}"
        }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
    }
}
