import Text

/// A text that is not JSON, or goes beyond the bounds.
package struct JSONFailure: Error, Equatable {
    package let reason: String
}

/// How much of a text is taken.
package struct JSONLimits: Sendable {
    package var depth = 64
    /// Values that are kept.
    package var values = 100_000
    /// Keys whose values are read over without being kept.
    package var unneeded: Set<String> = []

    package init() {}
}

/// Reads JSON (RFC 8259) of strangers. Depth and number of values are bounded, and what nobody needs is read over without being
/// kept. Decoders for types do neither.
package struct JSONReader {
    private let bytes: [UInt8]
    private let limits: JSONLimits
    private var place = 0
    private var values = 0

    private init(_ bytes: [UInt8], _ limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    package static func read(
        _ bytes: [UInt8], limits: JSONLimits = JSONLimits()
    ) throws(JSONFailure) -> JSONValue {
        var reader = JSONReader(bytes, limits)
        let value = try reader.value(depth: 0, isKept: true)
        reader.skipBlanks()
        guard reader.place == bytes.count else { throw reader.failure("there is something behind the JSON value") }
        return value
    }

    private func failure(_ what: String) -> JSONFailure { JSONFailure(reason: "\(what), at byte \(place)") }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { place += 1 }
    }

    private mutating func value(depth: Int, isKept: Bool) throws(JSONFailure) -> JSONValue {
        guard depth <= limits.depth else { throw failure("it is nested too deep") }
        if isKept {
            values += 1
            guard values <= limits.values else { throw failure("it has too many values") }
        }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth, isKept: isKept)
        case UInt8(ascii: "["): return try array(depth: depth, isKept: isKept)
        case UInt8(ascii: "\""):
            let text = try string(isKept: isKept)
            return isKept ? .string(text) : .null
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some(UInt8(ascii: "-")), .some(0x30...0x39): return try number(isKept: isKept)
        default: throw failure("a JSON value is missing")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONFailure) -> JSONValue {
        let isThere = word.withUTF8Buffer { bytes[place...].starts(with: $0) }
        guard isThere else { throw failure("a JSON value is missing") }
        place += word.utf8CodeUnitCount
        return value
    }

    private mutating func object(depth: Int, isKept: Bool) throws(JSONFailure) -> JSONValue {
        var members: [String: JSONValue] = [:]
        try list(until: UInt8(ascii: "}")) { (reader) throws(JSONFailure) in
            guard reader.next == UInt8(ascii: "\"") else { throw reader.failure("a key is missing") }
            let key = try reader.string(isKept: isKept)
            reader.skipBlanks()
            guard reader.next == UInt8(ascii: ":") else { throw reader.failure("a colon is missing") }
            reader.place += 1
            let isMemberKept = isKept && !reader.limits.unneeded.contains(key)
            let value = try reader.value(depth: depth + 1, isKept: isMemberKept)
            if isMemberKept { members[key] = value }
        }
        return .object(members)
    }

    private mutating func array(depth: Int, isKept: Bool) throws(JSONFailure) -> JSONValue {
        var items: [JSONValue] = []
        try list(until: UInt8(ascii: "]")) { (reader) throws(JSONFailure) in
            let item = try reader.value(depth: depth + 1, isKept: isKept)
            if isKept { items.append(item) }
        }
        return .array(items)
    }

    /// Things between commas.
    private mutating func list(
        until end: UInt8, _ thing: (inout JSONReader) throws(JSONFailure) -> Void
    ) throws(JSONFailure) {
        place += 1
        skipBlanks()
        if next == end {
            place += 1
            return
        }
        while true {
            skipBlanks()
            try thing(&self)
            skipBlanks()
            switch next {
            case end:
                place += 1
                return
            case UInt8(ascii: ","): place += 1
            default: throw failure("a comma or the end of a list is missing")
            }
        }
    }

    private mutating func number(isKept: Bool) throws(JSONFailure) -> JSONValue {
        let whole = place
        if next == UInt8(ascii: "-") { place += 1 }
        let start = place
        try digits()
        if place - start > 1, bytes[start] == UInt8(ascii: "0") { throw failure("a number begins with 0") }
        if next == UInt8(ascii: ".") {
            place += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            place += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { place += 1 }
            try digits()
        }
        return .number(isKept ? String(decoding: bytes[whole..<place], as: UTF8.self) : "")
    }

    private mutating func digits() throws(JSONFailure) {
        let start = place
        while let byte = next, (0x30...0x39).contains(byte) { place += 1 }
        guard place > start else { throw failure("a digit is missing") }
    }

    // MARK: Texts

    /// What is not UTF-8, and half of a surrogate pair, becomes U+FFFD: a commit message that is broken spoils no event.
    private mutating func string(isKept: Bool) throws(JSONFailure) -> String {
        place += 1
        let start = place
        var decoded: [UInt8]?
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                defer { place += 1 }
                guard isKept else { return "" }
                return String(decoding: decoded ?? Array(bytes[start..<place]), as: UTF8.self)
            case UInt8(ascii: "\\"):
                if decoded == nil, isKept { decoded = Array(bytes[start..<place]) }
                let scalar = try escape()
                if isKept { decoded?.append(contentsOf: Array(String(scalar).utf8)) }
            case 0..<0x20: throw failure("a text has a control character")
            default:
                decoded?.append(byte)
                place += 1
            }
        }
        throw failure("the end of a text is missing")
    }

    private mutating func escape() throws(JSONFailure) -> Unicode.Scalar {
        place += 1
        guard let byte = next else { throw failure("the end of a text is missing") }
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw failure("a text has an unknown escape")
        }
    }

    /// Four digits, and four more where the first are half of a pair.
    private mutating func unicodeEscape() throws(JSONFailure) -> Unicode.Scalar {
        let first = try fourDigits()
        guard (0xd800...0xdbff).contains(first), bytes[place...].starts(with: Array("\\u".utf8)) else {
            return Unicode.Scalar(UInt32(first)) ?? "\u{fffd}"
        }
        let behind = place
        place += 2
        let second = try fourDigits()
        guard (0xdc00...0xdfff).contains(second) else {
            place = behind
            return "\u{fffd}"
        }
        return Unicode.Scalar(0x1_0000 + (UInt32(first) - 0xd800) << 10 + UInt32(second) - 0xdc00) ?? "\u{fffd}"
    }

    private mutating func fourDigits() throws(JSONFailure) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = next.flatMap(Hexadecimal.value) else { throw failure("a digit is missing") }
            value = value << 4 | UInt16(digit)
            place += 1
        }
        return value
    }
}
