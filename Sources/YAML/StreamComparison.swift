/// Compares a changed text with what was recorded of the original, event by event: nothing of it is kept.
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
                guard case .scalar = try parser.next(), parser.hasValue("") else { return "a document came" }
            }
            guard case .documentEnd = try parser.next() else { return "a document goes on" }
        }
        guard case .streamEnd = try parser.next() else { return "another number of documents" }
        return seen == changes.count ? nil : "a value that was to change is missing"
    }

    /// Goes along the records of a tree, event by event. The depth of the original bounds the stack: what differs in shape
    /// ends the walk.
    private mutating func compare(_ root: YAMLNode) throws(ParseFailure) -> String? {
        let tape = root.tape
        let end = Int(root.record.next)
        var open: [(end: Int, isMapping: Bool)] = []
        var index = root.index
        while true {
            while let last = open.last, last.end == index {
                switch try parser.next() {
                case .mappingEnd where last.isMapping, .sequenceEnd where !last.isMapping: open.removeLast()
                default: return last.isMapping ? "a mapping differs" : "a list differs"
                }
            }
            if index == end { return nil }
            let record = tape.records[index]
            let event = try parser.next()
            guard parser.hasProperties(tape.properties[Int(record.properties)]) else {
                return "a tag or an anchor differs"
            }
            switch (record.kind, event) {
            case (.plain, .scalar(let style)), (.singleQuoted, .scalar(let style)), (.doubleQuoted, .scalar(let style)),
                (.literal, .scalar(let style)), (.folded, .scalar(let style)):
                if let difference = scalar(record, of: tape, style) { return difference }
            // The anchors are compared where they stand; the alias has the same name.
            case (.alias, .alias): break
            case (.blockSequence, .sequenceStart(isFlow: false)), (.flowSequence, .sequenceStart(isFlow: true)):
                open.append((Int(record.next), isMapping: false))
            case (.blockMapping, .mappingStart(isFlow: false)), (.flowMapping, .mappingStart(isFlow: true)):
                open.append((Int(record.next), isMapping: true))
            default: return "a node is of another kind"
            }
            index += 1
        }
    }

    private mutating func scalar(
        _ record: EventTape.Record, of tape: EventTape, _ newStyle: YAMLScalarStyle
    ) -> String? {
        let style = record.kind.style
        guard seen < changes.count, changes[seen].range == Int(record.start)..<Int(record.end) else {
            return style == newStyle && parser.hasValue(record, of: tape) ? nil : "another value differs"
        }
        let wanted = changes[seen].text
        seen += 1
        // The line breaks at the end of a block text belong to its form.
        let tail = style.isBlock ? tape.text(record).utf8.reversed().prefix { $0 == 0x0A }.count : 0
        let isSameStyle = style == newStyle || style == .plain && newStyle == .doubleQuoted
        let hasTag = tape.properties[Int(record.properties)].tag != nil
        guard isSameStyle, parser.hasValue(tail == 0 ? wanted : wanted + String(repeating: "\n", count: tail)),
            newStyle != .plain || hasTag || PlainScalar.isString(wanted)
        else { return "the new value reads '\(parser.value.prefix(80))'" }
        return nil
    }
}
