package import Diagnostics

/// A node on its way to becoming one of our own values: it knows its file and its path of keys, so that every error
/// names `file:line:column` and `repositories[0].url`.
///
/// Scalars are taken as written: `branch: 1.10` is the text "1.10". Only `bool`, `integer` and `duration` give a
/// meaning to the text.
package struct YAMLValue: Sendable {
    package let node: YAMLNode
    /// `repositories[0].url`; empty at the top.
    package let path: String
    private let source: Source

    final class Source: Sendable {
        let file: String
        let bytes: [UInt8]
        let lines: LineIndex
        /// Paths of values that are as if they were not there.
        let ignored: Set<String>

        init(file: String, bytes: [UInt8], ignored: Set<String>) {
            self.file = file
            self.bytes = bytes
            self.ignored = ignored
            lines = LineIndex(bytes)
        }
    }

    init(node: YAMLNode, path: String, source: Source) {
        self.node = node
        self.path = path
        self.source = source
    }

    /// The only document of a file; `nil` when the file holds nothing but blanks and comments.
    ///
    /// - Parameter ignored: paths of values that are passed over as if they were not there, so that a file with several
    ///   mistakes can be read beyond the first.
    package static func document(
        _ bytes: [UInt8], file: String, limits: YAMLLimits = .standard, ignoring ignored: Set<String> = []
    ) throws(YAMLError) -> YAMLValue? {
        let documents = try YAMLStream.parse(bytes, file: file, limits: limits).filter { $0.root != nil }
        guard let root = documents.first?.root else { return nil }
        let value = YAMLValue(node: root, path: "", source: Source(file: file, bytes: bytes, ignored: ignored))
        if documents.count > 1, let second = documents[1].root {
            throw YAMLValue(node: second, path: "", source: value.source)
                .error(.type, "a second document, where one is expected", hint: "remove the '---' and what follows it")
        }
        return value
    }

    package var location: SourceLocation { source.lines.location(of: node.range.lowerBound, in: source.file) }

    package var isNull: Bool { node.isNull }

    /// An error at this value, for checks that go beyond types.
    package func error(_ summary: String, hint: String? = nil) -> YAMLError {
        error(.value, summary, hint: hint)
    }

    func error(_ code: YAMLError.Code, _ summary: String, hint: String? = nil) -> YAMLError {
        let location = location
        return YAMLError(
            code: code, summary: path.isEmpty ? summary : "\(path): \(summary)", location: location, path: path,
            excerpt: excerpt(of: source.bytes, at: node.range.lowerBound, location: location), hint: hint)
    }

    private func mismatch(_ expected: String, hint: String? = nil) -> YAMLError {
        let found =
            switch node.resolved.content {
            case .mapping: "a mapping"
            case .sequence: "a list"
            default: isNull ? "nothing" : "a text"
            }
        return error(.type, "expected \(expected), found \(found)", hint: hint)
    }

    private func child(_ node: YAMLNode, _ step: String) -> YAMLValue {
        YAMLValue(node: node, path: path + step, source: source)
    }
}

// MARK: Scalars

extension YAMLValue {
    /// The text of a scalar as written; a null is refused.
    package func string() throws(YAMLError) -> String {
        guard let text = node.text, !isNull else { throw mismatch("a text") }
        return text
    }

    /// A text with at least one character.
    package func nonEmptyString() throws(YAMLError) -> String {
        let text = try string()
        if text.isEmpty { throw error("must not be empty") }
        return text
    }

    /// `true` or `false`; quoted they count too, the words of YAML 1.1 (`yes`, `on`) do not.
    package func bool() throws(YAMLError) -> Bool {
        switch try string() {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        case let text: throw error("'\(shortened(text))' is neither true nor false", hint: "write true or false")
        }
    }

    package func integer(in range: ClosedRange<Int> = Int.min...Int.max) throws(YAMLError) -> Int {
        let text = try string()
        guard let number = Int(text) else { throw error("'\(shortened(text))' is not a whole number") }
        guard range.contains(number) else {
            throw error(
                "\(number) is out of range", hint: "write a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// `30s`, `5m`, `1h30m`.
    package func duration() throws(YAMLError) -> Duration {
        let text = try string()
        guard let duration = DurationText.parse(text) else {
            throw error(
                "'\(shortened(text))' is not a duration",
                hint: Int(text) != nil ? "add a unit: \(text)s or \(text)m" : "write it like 30s, 5m or 1h30m")
        }
        return duration
    }

    /// One of the cases of an enumeration.
    package func choice<Choice: RawRepresentable & CaseIterable>(
        _ type: Choice.Type = Choice.self
    ) throws(YAMLError) -> Choice where Choice.RawValue == String {
        let text = try string()
        if let choice = Choice(rawValue: text) { return choice }
        let names = Choice.allCases.map(\.rawValue)
        let meant = suggestion(for: text, among: names).map { "did you mean '\($0)'? " } ?? ""
        throw error(
            "'\(shortened(text))' is not allowed here", hint: "\(meant)Allowed: \(names.joined(separator: ", "))")
    }

    private func shortened(_ text: String) -> String {
        text.count > 60 ? text.prefix(60) + "…" : text
    }
}

// MARK: Collections

extension YAMLValue {
    /// The items of a list. A null is an empty list.
    package func items() throws(YAMLError) -> [YAMLValue] {
        if isNull { return [] }
        guard let items = node.items else { throw mismatch("a list", hint: "start each item with '- '") }
        let values = items.enumerated().map { child($1, "[\($0)]") }
        return source.ignored.isEmpty ? values : values.filter { !source.ignored.contains($0.path) }
    }

    /// A list, each item decoded.
    package func list<Element>(
        _ decode: (YAMLValue) throws(YAMLError) -> Element
    ) throws(YAMLError) -> [Element] {
        var result: [Element] = []
        for item in try items() { result.append(try decode(item)) }
        return result
    }

    /// A list of texts.
    package func strings() throws(YAMLError) -> [String] {
        try list { (item) throws(YAMLError) in try item.string() }
    }

    /// One text, or a list of them.
    package func stringOrStrings() throws(YAMLError) -> [String] {
        node.text != nil && !isNull ? [try string()] : try strings()
    }

    /// The entries of a mapping with free keys, in order. A null is an empty mapping.
    package func entries() throws(YAMLError) -> [(key: String, value: YAMLValue)] {
        if isNull { return [] }
        guard node.pairs != nil else { throw mismatch("a mapping", hint: "write it as 'key: value' lines") }
        try refuseDuplicates()
        var result: [(key: String, value: YAMLValue)] = []
        for pair in node.mergedPairs {
            guard let key = pair.key.text else { continue }
            let value = child(pair.value, step(to: key))
            if !source.ignored.contains(value.path) { result.append((key: key, value: value)) }
        }
        return result
    }

    /// A mapping from texts to texts, in order.
    package func stringEntries() throws(YAMLError) -> [(key: String, value: String)] {
        var result: [(key: String, value: String)] = []
        for entry in try entries() { result.append((key: entry.key, value: try entry.value.string())) }
        return result
    }

    /// Reads a mapping with known keys. The body asks for each key that it knows; a key that it did not ask for is an
    /// error with the nearest known one as a suggestion. A null is an empty mapping.
    package func object<Result>(
        _ decode: (inout YAMLObject) throws(YAMLError) -> Result
    ) throws(YAMLError) -> Result {
        var object = YAMLObject(value: self, entries: try entries())
        let result = try decode(&object)
        try object.refuseUnknownKeys()
        return result
    }

    private func refuseDuplicates() throws(YAMLError) {
        for pair in node.pairs ?? [] where pair.key.text == nil {
            throw child(pair.key, "").error(.type, "a key must be a text")
        }
        guard let pair = node.duplicateKey, let key = pair.key.text, !source.ignored.contains(path + step(to: key))
        else { return }
        throw child(pair.key, step(to: key)).error(.duplicateKey, "is set twice", hint: "keep one of the two")
    }

    private func step(to key: String) -> String {
        let isPlain = key.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
        let name = isPlain && !key.isEmpty ? key : "\"\(key.count > 60 ? key.prefix(60) + "…" : key)\""
        return path.isEmpty ? name : ".\(name)"
    }

    /// The key's own place, for errors about the key rather than its value.
    func keyValue(_ key: String) -> YAMLValue {
        let pair = node.pairs?.first { $0.key.text == key }
        return YAMLValue(node: pair?.key ?? node, path: path, source: source)
    }
}

/// A mapping that is being read key by key.
package struct YAMLObject {
    package let value: YAMLValue
    private let entries: [(key: String, value: YAMLValue)]
    private var known: [String] = []

    init(value: YAMLValue, entries: [(key: String, value: YAMLValue)]) {
        self.value = value
        self.entries = entries
    }

    /// The value of an optional key; a key that is there without a value (`interval:`) counts as absent.
    package mutating func optional(_ key: String) -> YAMLValue? {
        known.append(key)
        guard let found = entries.first(where: { $0.key == key })?.value, !found.isNull else { return nil }
        return found
    }

    /// The value of a key that must be there.
    package mutating func required(_ key: String) throws(YAMLError) -> YAMLValue {
        if let found = optional(key) { return found }
        // Whoever misspelt it sees it in the file, and would not look for what is missing.
        if let typo = suggestion(for: key, among: entries.map(\.key).filter { !known.contains($0) }) {
            throw value.keyValue(typo).error(.unknownKey, "unknown key '\(typo)'", hint: "did you mean '\(key)'?")
        }
        throw value.error(.missingKey, "'\(key)' is missing")
    }

    package func contains(_ key: String) -> Bool { entries.contains { $0.key == key } }

    func refuseUnknownKeys() throws(YAMLError) {
        guard let unknown = entries.first(where: { !known.contains($0.key) }) else { return }
        let meant = suggestion(for: unknown.key, among: known)
        throw value.keyValue(unknown.key).error(
            .unknownKey, "unknown key '\(unknown.key)'",
            hint: meant.map { "did you mean '\($0)'?" } ?? "known here: \(known.joined(separator: ", "))")
    }
}
