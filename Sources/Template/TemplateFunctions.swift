import Diagnostics

/// The functions of Go's text/template and of sprig that templates may use. All are pure.
enum TemplateFunctions {
    typealias Value = TemplateValue
    private typealias Function = @Sendable ([Value]) throws(TemplateError) -> Value

    static func isKnown(_ name: String) -> Bool { name == "and" || name == "or" || table[name] != nil }

    static var names: String { (Array(table.keys) + ["and", "or"]).sorted().joined(separator: " ") }

    static func call(_ name: String, _ arguments: [Value]) throws(TemplateError) -> Value {
        guard let (count, function) = table[name] else { throw TemplateError(.unsupported, "is not known") }
        guard count.contains(arguments.count) else {
            let wanted = count.lowerBound == count.upperBound ? "\(count.lowerBound)" : "at least \(count.lowerBound)"
            throw TemplateError(.value, "takes \(wanted) arguments, not \(arguments.count)")
        }
        return try function(arguments)
    }

    private static let many = 1...1024

    private static let table: [String: (ClosedRange<Int>, Function)] = basics.merging(texts) { $1 }.merging(lists) {
        $1
    }
    .merging(numbers) { $1 }

    // MARK: Go's own

    private static let basics: [String: (ClosedRange<Int>, Function)] = [
        "not": (1...1, { (a) throws(TemplateError) in .bool(!a[0].isTrue) }),
        "len": (1...1, { (a) throws(TemplateError) in .integer(try length(a[0])) }),
        "index": (many, { (a) throws(TemplateError) in try index(a) }),
        "slice": (1...3, { (a) throws(TemplateError) in try slice(a) }),
        "print": (0...1024, { (a) throws(TemplateError) in .string(GoFormat.print(a)) }),
        "println": (
            0...1024, { (a) throws(TemplateError) in .string(a.map(\.text).joined(separator: " ") + "\n") }
        ),
        "printf": (
            many, { (a) throws(TemplateError) in .string(try GoFormat.printf(try text(a[0]), Array(a.dropFirst()))) }
        ),
        "eq": (
            2...1024,
            { (a) throws(TemplateError) in
                for other in a.dropFirst() where try equal(a[0], other) { return .bool(true) }
                return .bool(false)
            }
        ),
        "ne": (2...2, { (a) throws(TemplateError) in .bool(try !equal(a[0], a[1])) }),
        "lt": (2...2, { (a) throws(TemplateError) in .bool(try less(a[0], a[1])) }),
        "le": (2...2, { (a) throws(TemplateError) in .bool(try !less(a[1], a[0])) }),
        "gt": (2...2, { (a) throws(TemplateError) in .bool(try less(a[1], a[0])) }),
        "ge": (2...2, { (a) throws(TemplateError) in .bool(try !less(a[0], a[1])) }),
        "default": (1...2, { (a) throws(TemplateError) in a.count == 2 && a[1].isTrue ? a[1] : a[0] }),
        "empty": (1...1, { (a) throws(TemplateError) in .bool(!a[0].isTrue) }),
        "coalesce": (0...1024, { (a) throws(TemplateError) in a.first { $0.isTrue } ?? .none }),
        "ternary": (3...3, { (a) throws(TemplateError) in a[2].isTrue ? a[0] : a[1] }),
        "toString": (1...1, { (a) throws(TemplateError) in .string(a[0].text) }),
    ]

    // MARK: Texts

    private static let texts: [String: (ClosedRange<Int>, Function)] = [
        "upper": (1...1, { (a) throws(TemplateError) in .string(try text(a[0]).uppercased()) }),
        "lower": (1...1, { (a) throws(TemplateError) in .string(try text(a[0]).lowercased()) }),
        "title": (1...1, { (a) throws(TemplateError) in .string(title(try text(a[0]))) }),
        "trim": (1...1, { (a) throws(TemplateError) in .string(trimmed(try text(a[0]), of: nil)) }),
        "trimAll": (2...2, { (a) throws(TemplateError) in .string(trimmed(try text(a[1]), of: try text(a[0]))) }),
        "trimPrefix": (
            2...2,
            { (a) throws(TemplateError) in
                let (prefix, all) = (try text(a[0]), try text(a[1]))
                return .string(
                    all.hasBytes(prefix: prefix)
                        ? String(decoding: all.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : all)
            }
        ),
        "trimSuffix": (
            2...2,
            { (a) throws(TemplateError) in
                let (suffix, all) = (try text(a[0]), try text(a[1]))
                return .string(
                    all.hasBytes(suffix: suffix)
                        ? String(decoding: all.utf8.dropLast(suffix.utf8.count), as: UTF8.self) : all)
            }
        ),
        "hasPrefix": (2...2, { (a) throws(TemplateError) in .bool(try text(a[1]).hasBytes(prefix: try text(a[0]))) }),
        "hasSuffix": (2...2, { (a) throws(TemplateError) in .bool(try text(a[1]).hasBytes(suffix: try text(a[0]))) }),
        "contains": (
            2...2,
            { (a) throws(TemplateError) in
                let needle = try text(a[0])
                let parts = needle.isEmpty ? ["", ""] : pieces(try text(a[1]), by: needle, limit: 2)
                return .bool(parts.count > 1)
            }
        ),
        "replace": (
            3...3,
            { (a) throws(TemplateError) in
                let (old, new, all) = (try text(a[0]), try text(a[1]), try text(a[2]))
                guard !old.isEmpty else { return .string(all) }
                let parts = pieces(all, by: old)
                guard parts.count * new.utf8.count + all.utf8.count <= Template.outputLimit else {
                    throw TemplateError(.tooLarge, "the text becomes too long")
                }
                return .string(parts.joined(separator: new))
            }
        ),
        "quote": (
            0...1024,
            { (a) throws(TemplateError) in
                .string(a.filter { $0 != .none }.map { GoQuote.quoted($0.text) }.joined(separator: " "))
            }
        ),
        "squote": (
            0...1024,
            { (a) throws(TemplateError) in
                .string(a.filter { $0 != .none }.map { "'\($0.text)'" }.joined(separator: " "))
            }
        ),
        "cat": (
            0...1024,
            { (a) throws(TemplateError) in .string(a.filter { $0 != .none }.map(\.text).joined(separator: " ")) }
        ),
        "nospace": (
            1...1,
            { (a) throws(TemplateError) in .string(String(try text(a[0]).filter { !$0.isWhitespace })) }
        ),
        "indent": (2...2, { (a) throws(TemplateError) in .string(try indented(try text(a[1]), by: try number(a[0]))) }),
        "nindent": (
            2...2, { (a) throws(TemplateError) in .string("\n" + (try indented(try text(a[1]), by: try number(a[0])))) }
        ),
        "repeat": (
            2...2,
            { (a) throws(TemplateError) in
                let (count, unit) = (try number(a[0]), try text(a[1]))
                let (size, overflow) = max(0, count).multipliedReportingOverflow(by: unit.utf8.count)
                guard count >= 0, !overflow, size <= Template.outputLimit, count <= Template.outputLimit else {
                    throw TemplateError(.tooLarge, "the text becomes too long")
                }
                return .string(String(repeating: unit, count: count))
            }
        ),
        "trunc": (
            2...2,
            { (a) throws(TemplateError) in
                let (count, bytes) = (try number(a[0]), Array(try text(a[1]).utf8))
                if count >= 0 { return .string(String(decoding: whole(bytes.prefix(count)), as: UTF8.self)) }
                return .string(String(decoding: whole(bytes.suffix(count == .min ? .max : -count)), as: UTF8.self))
            }
        ),
        "abbrev": (
            2...2,
            { (a) throws(TemplateError) in
                let (count, all) = (try number(a[0]), try text(a[1]))
                guard count >= 4, all.utf8.count > count else { return .string(all) }
                return .string(String(decoding: whole(Array(all.utf8).prefix(count - 3)), as: UTF8.self) + "...")
            }
        ),
        "substr": (
            3...3,
            { (a) throws(TemplateError) in
                let bytes = Array(try text(a[2]).utf8)
                let (from, to) = (try number(a[0]), try number(a[1]))
                let end = to < 0 || to > bytes.count ? bytes.count : to
                let start = min(max(0, from), end)
                return .string(String(decoding: bytes[start..<end], as: UTF8.self))
            }
        ),
        "splitList": (
            2...2,
            { (a) throws(TemplateError) in
                let separator = try text(a[0])
                let all = try text(a[1])
                return .list(
                    (separator.isEmpty ? all.map { String($0) } : pieces(all, by: separator)).map { .string($0) })
            }
        ),
        "join": (
            2...2,
            { (a) throws(TemplateError) in .string(try items(a[1]).map(\.text).joined(separator: try text(a[0]))) }
        ),
        "base": (1...1, { (a) throws(TemplateError) in .string(PathText.base(try text(a[0]))) }),
        "dir": (1...1, { (a) throws(TemplateError) in .string(PathText.directory(try text(a[0]))) }),
        "ext": (1...1, { (a) throws(TemplateError) in .string(PathText.suffix(try text(a[0]))) }),
    ]

    // MARK: Lists and maps

    private static let lists: [String: (ClosedRange<Int>, Function)] = [
        "list": (0...1024, { (a) throws(TemplateError) in .list(try flat(a)) }),
        "first": (1...1, { (a) throws(TemplateError) in try items(a[0]).first ?? .none }),
        "last": (1...1, { (a) throws(TemplateError) in try items(a[0]).last ?? .none }),
        "rest": (1...1, { (a) throws(TemplateError) in .list(Array(try items(a[0]).dropFirst())) }),
        "initial": (1...1, { (a) throws(TemplateError) in .list(Array(try items(a[0]).dropLast())) }),
        "reverse": (1...1, { (a) throws(TemplateError) in .list(try items(a[0]).reversed()) }),
        "append": (2...2, { (a) throws(TemplateError) in .list(try items(a[0]) + flat([a[1]])) }),
        "prepend": (2...2, { (a) throws(TemplateError) in .list(try flat([a[1]]) + items(a[0])) }),
        "compact": (1...1, { (a) throws(TemplateError) in .list(try items(a[0]).filter(\.isTrue)) }),
        "has": (2...2, { (a) throws(TemplateError) in .bool(try items(a[1]).contains(a[0])) }),
        "without": (
            many,
            { (a) throws(TemplateError) in
                let unwanted = Array(a.dropFirst())
                return .list(try items(a[0]).filter { !unwanted.contains($0) })
            }
        ),
        "uniq": (
            1...1,
            { (a) throws(TemplateError) in
                var seen: Set<String> = []
                return .list(try items(a[0]).filter { seen.insert($0.kind + $0.text).inserted })
            }
        ),
        "sortAlpha": (
            1...1,
            { (a) throws(TemplateError) in
                .list(
                    try items(a[0]).map(\.text).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map {
                        .string($0)
                    })
            }
        ),
        "dict": (
            0...1024,
            { (a) throws(TemplateError) in
                _ = try flat(a)
                var entries: [String: Value] = [:]
                for index in stride(from: 0, to: a.count, by: 2) {
                    entries[a[index].text] = index + 1 < a.count ? a[index + 1] : .string("")
                }
                return .map(entries)
            }
        ),
        "get": (
            2...2,
            { (a) throws(TemplateError) in try pairs(a[0]).first { $0.key.text == a[1].text }?.value ?? .string("") }
        ),
        "hasKey": (
            2...2, { (a) throws(TemplateError) in .bool(try pairs(a[0]).contains { $0.key.text == a[1].text }) }
        ),
        "keys": (1...1, { (a) throws(TemplateError) in .list(try pairs(a[0]).map(\.key)) }),
        "values": (1...1, { (a) throws(TemplateError) in .list(try pairs(a[0]).map(\.value)) }),
    ]

    // MARK: Numbers

    private static let numbers: [String: (ClosedRange<Int>, Function)] = [
        "int": (1...1, { (a) throws(TemplateError) in .integer(try number(a[0])) }),
        "add": (many, { (a) throws(TemplateError) in try fold(a) { $0.addingReportingOverflow($1) } }),
        "add1": (
            1...1, { (a) throws(TemplateError) in try fold([a[0], .integer(1)]) { $0.addingReportingOverflow($1) } }
        ),
        "sub": (2...2, { (a) throws(TemplateError) in try fold(a) { $0.subtractingReportingOverflow($1) } }),
        "mul": (many, { (a) throws(TemplateError) in try fold(a) { $0.multipliedReportingOverflow(by: $1) } }),
        "div": (2...2, { (a) throws(TemplateError) in try fold(a) { $0.dividedReportingOverflow(by: $1) } }),
        "mod": (2...2, { (a) throws(TemplateError) in try fold(a) { $0.remainderReportingOverflow(dividingBy: $1) } }),
        "max": (many, { (a) throws(TemplateError) in try fold(a) { (max($0, $1), false) } }),
        "min": (many, { (a) throws(TemplateError) in try fold(a) { (min($0, $1), false) } }),
    ]

    private static func fold(
        _ values: [Value], _ body: (Int, Int) -> (partialValue: Int, overflow: Bool)
    ) throws(TemplateError) -> Value {
        var result = try number(values[0])
        for value in values.dropFirst() {
            let next = body(result, try number(value))
            guard !next.overflow else {
                throw TemplateError(.value, "the number is out of range, or a division by zero")
            }
            result = next.partialValue
        }
        return .integer(result)
    }

    // MARK: Arguments

    private static func text(_ value: Value) throws(TemplateError) -> String {
        switch value {
        case .string(let text): return text
        case .object(let object) where object.text != nil: return object.text ?? ""
        default: throw TemplateError(.value, "wants a text, not \(value.kind)")
        }
    }

    private static func number(_ value: Value) throws(TemplateError) -> Int {
        switch value {
        case .integer(let number): return number
        case .bool(let flag): return flag ? 1 : 0
        case .string(let text): return Int(text) ?? 0
        default: throw TemplateError(.value, "wants a number, not \(value.kind)")
        }
    }

    private static func items(_ value: Value) throws(TemplateError) -> [Value] {
        switch value {
        case .list(let items): return items
        case .none: return []
        default: throw TemplateError(.value, "wants a list, not \(value.kind)")
        }
    }

    /// Lists and maps that templates make hold no others: nothing that grows without bounds can be made of them.
    private static func flat(_ values: [Value]) throws(TemplateError) -> [Value] {
        for value in values {
            switch value {
            case .list, .map:
                throw TemplateError(.unsupported, "\(value.kind) inside of a list or map is not supported")
            default: break
            }
        }
        return values
    }

    private static func pairs(_ value: Value) throws(TemplateError) -> [Value.Entry] {
        guard case .map(let entries) = value else { throw TemplateError(.value, "wants a map, not \(value.kind)") }
        return entries
    }

    private static func length(_ value: Value) throws(TemplateError) -> Int {
        switch value {
        case .string(let text): return text.utf8.count
        case .list(let items): return items.count
        case .map(let entries): return entries.count
        default: throw TemplateError(.value, "\(value.kind) has no length")
        }
    }

    private static func index(_ arguments: [Value]) throws(TemplateError) -> Value {
        var value = arguments[0]
        for key in arguments.dropFirst() {
            switch (value, key) {
            case (.list(let items), .integer(let number)):
                guard items.indices.contains(number) else {
                    throw TemplateError(.value, "the list has \(items.count) items, and no item \(number)")
                }
                value = items[number]
            case (.map(let entries), _): value = entries.first { $0.key == key }?.value ?? .none
            default: throw TemplateError(.value, "\(value.kind) cannot be indexed by \(key.kind)")
            }
        }
        return value
    }

    private static func slice(_ arguments: [Value]) throws(TemplateError) -> Value {
        var bounds: [Int] = []
        for argument in arguments.dropFirst() { bounds.append(try number(argument)) }
        let count = try length(arguments[0])
        let (from, to) = (bounds.first ?? 0, bounds.count > 1 ? bounds[1] : count)
        guard from >= 0, from <= to, to <= count else { throw TemplateError(.value, "is out of range") }
        switch arguments[0] {
        case .string(let text): return .string(String(decoding: Array(text.utf8)[from..<to], as: UTF8.self))
        case .list(let items): return .list(Array(items[from..<to]))
        default: throw TemplateError(.value, "\(arguments[0].kind) cannot be sliced")
        }
    }

    private static func equal(_ a: Value, _ b: Value) throws(TemplateError) -> Bool {
        switch (a, b) {
        case (.none, _), (_, .none): return a == b
        case (.string, .string), (.integer, .integer), (.bool, .bool), (.object, .object): return a == b
        case (.object(let object), .string(let text)), (.string(let text), .object(let object)):
            return object.text == text
        default: throw TemplateError(.value, "\(a.kind) cannot be compared with \(b.kind)")
        }
    }

    private static func less(_ a: Value, _ b: Value) throws(TemplateError) -> Bool {
        switch (a, b) {
        case (.string(let a), .string(let b)): return a.utf8.lexicographicallyPrecedes(b.utf8)
        case (.integer(let a), .integer(let b)): return a < b
        default: throw TemplateError(.value, "\(a.kind) cannot be compared with \(b.kind)")
        }
    }

    // MARK: Bytes of texts

    /// The parts between the places where a text occurs, at most `limit` of them.
    static func pieces(_ text: String, by separator: String, limit: Int = .max) -> [String] {
        let (bytes, needle) = (Array(text.utf8), Array(separator.utf8))
        var parts: [String] = []
        var start = 0
        var index = 0
        while index + needle.count <= bytes.count, parts.count < limit - 1 {
            if bytes[index] == needle[0], bytes[index...].starts(with: needle) {
                parts.append(String(decoding: bytes[start..<index], as: UTF8.self))
                index += needle.count
                start = index
            } else {
                index += 1
            }
        }
        parts.append(String(decoding: bytes[start...], as: UTF8.self))
        return parts
    }

    /// Without the part of a character that a cut left at either end.
    private static func whole(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes.drop { $0 & 0xC0 == 0x80 }
        let lead = bytes.lastIndex { $0 & 0xC0 != 0x80 }
        if let lead, bytes[lead] >= 0xC0 {
            let length = bytes[lead] >= 0xF0 ? 4 : bytes[lead] >= 0xE0 ? 3 : 2
            if bytes.endIndex - lead < length { bytes = bytes[..<lead] }
        }
        return bytes
    }

    private static func trimmed(_ text: String, of set: String?) -> String {
        let unwanted = set.map { Set($0.unicodeScalars) }
        let isUnwanted = { (scalar: Unicode.Scalar) in unwanted?.contains(scalar) ?? scalar.properties.isWhitespace }
        var scalars = text.unicodeScalars[...]
        while let first = scalars.first, isUnwanted(first) { scalars.removeFirst() }
        while let last = scalars.last, isUnwanted(last) { scalars.removeLast() }
        return String(Substring(scalars))
    }

    private static func title(_ text: String) -> String {
        var isStart = true
        return text.map { character -> String in
            defer { isStart = !(character.isLetter || character.isNumber || character == "_" || character == "'") }
            return isStart ? character.uppercased() : String(character)
        }.joined()
    }

    private static func indented(_ text: String, by count: Int) throws(TemplateError) -> String {
        let lines = pieces(text, by: "\n")
        guard count >= 0, count <= 1024, lines.count * count + text.utf8.count <= Template.outputLimit else {
            throw TemplateError(.tooLarge, "the text becomes too long")
        }
        let margin = String(repeating: " ", count: count)
        return margin + lines.joined(separator: "\n" + margin)
    }
}

extension String {
    fileprivate func hasBytes(prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }

    fileprivate func hasBytes(suffix: String) -> Bool { utf8.reversed().starts(with: suffix.utf8.reversed()) }
}

/// Paths as Go's `path` package takes them apart.
private enum PathText {
    static func base(_ path: String) -> String {
        if path.isEmpty { return "." }
        return path.split(separator: "/").last.map(String.init) ?? "/"
    }

    static func directory(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        let parts = path[..<slash].split(separator: "/").joined(separator: "/")
        return path.hasPrefix("/") ? "/" + parts : parts.isEmpty ? "." : parts
    }

    static func suffix(_ path: String) -> String {
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        return name.lastIndex(of: ".").map { String(name[$0...]) } ?? ""
    }
}
