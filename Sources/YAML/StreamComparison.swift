/// Compares a changed text with the trees of the original, event by event: no second tree is built.
extension YAMLStream {
    /// What the changed text has that the original with these changes would not have.
    ///
    /// - Parameters:
    ///   - changes: the ranges of the changed scalars in the original, with their new values.
    /// - Returns: `nil` when the changed text says what the original said, but for exactly these values.
    /// - Throws: when the changed text is no YAML.
    package static func difference(
        between original: [YAMLDocument], and bytes: [UInt8], changes: [Range<Int>: String], file: String
    ) throws(YAMLError) -> String? {
        do {
            return try bytes.withUnsafeBufferPointer { (buffer) throws(ParseFailure) -> String? in
                guard let parser = EventParser(buffer) else { return "out of memory" }
                var comparison = StreamComparison(parser: parser, changes: changes)
                return try comparison.run(over: original)
            }
        } catch {
            throw YAMLError(
                code: error.isEncoding ? .encoding : .syntax, summary: "not YAML: \(error.problem)",
                location: LineIndex(bytes).location(of: error.offset, in: file))
        }
    }
}

private struct StreamComparison: ~Copyable {
    var parser: EventParser
    /// In the order of their places, as the nodes come.
    let changes: [(range: Range<Int>, text: String)]
    var seen = 0

    init(parser: consuming EventParser, changes: [Range<Int>: String]) {
        self.parser = parser
        self.changes = changes.map { (range: $0.key, text: $0.value) }
            .sorted { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    }

    mutating func run(over documents: [YAMLDocument]) throws(ParseFailure) -> String? {
        for document in documents {
            guard case .documentStart = try parser.next() else { return "a document is missing" }
            if let root = document.root {
                if let difference = try compare(root) { return difference }
            } else {
                guard case .scalar = try parser.next(), parser.value.isEmpty else { return "a document came" }
            }
            guard case .documentEnd = try parser.next() else { return "a document goes on" }
        }
        guard case .streamEnd = try parser.next() else { return "another number of documents" }
        return seen == changes.count ? nil : "a value that was to change is missing"
    }

    /// The depth of the original bounds the recursion: what differs in shape ends it.
    private mutating func compare(_ node: YAMLNode) throws(ParseFailure) -> String? {
        let event = try parser.next()
        guard parser.hasAnchor(node.anchor), parser.hasTag(node.isAlias ? nil : node.tag) else {
            return "a tag or an anchor differs"
        }
        switch (node.content, event) {
        case (.scalar(let text, let style), .scalar(let newStyle)):
            return scalar(node, text, style, newStyle)
        // The anchors are compared where they stand; the alias has the same name.
        case (.alias, .alias): return nil
        case (.sequence(let items, let isFlow), .sequenceStart(let isNewFlow)):
            guard isFlow == isNewFlow else { return "a list is of another kind" }
            for item in items { if let difference = try compare(item) { return difference } }
            if case .sequenceEnd = try parser.next() { return nil }
            return "a list differs"
        case (.mapping(let pairs, let isFlow), .mappingStart(let isNewFlow)):
            guard isFlow == isNewFlow else { return "a mapping is of another kind" }
            for pair in pairs {
                if let difference = try compare(pair.key) { return difference }
                if let difference = try compare(pair.value) { return difference }
            }
            if case .mappingEnd = try parser.next() { return nil }
            return "a mapping differs"
        default: return "a node is of another kind"
        }
    }

    private mutating func scalar(
        _ node: YAMLNode, _ old: String, _ style: YAMLScalarStyle, _ newStyle: YAMLScalarStyle
    ) -> String? {
        guard seen < changes.count, changes[seen].range == node.range else {
            return style == newStyle && parser.hasValue(old) ? nil : "another value differs"
        }
        let wanted = changes[seen].text
        seen += 1
        // The line breaks at the end of a block text belong to its form.
        let tail = style.isBlock ? old.utf8.reversed().prefix { $0 == 0x0A }.count : 0
        let isSameStyle = style == newStyle || style == .plain && newStyle == .doubleQuoted
        guard isSameStyle, parser.hasValue(tail == 0 ? wanted : wanted + String(repeating: "\n", count: tail)),
            newStyle != .plain || node.tag != nil || PlainScalar.isString(wanted)
        else { return "the new value reads '\(parser.value.prefix(80))'" }
        return nil
    }
}
