/// Records libyaml's events of a stream, within limits. The nesting lives in a stack of its own, so that hostile depth
/// costs an error and never the thread's stack.
struct Composer {
    struct Failure: Error {
        var code: YAMLError.Code
        var summary: String
        var offset: Int
        var hint: String?
    }

    private struct Frame {
        var index: Int
        var isFlow: Bool
        var anchor: String?
        var expandedCount = 1
        var height = 0
        /// Where the last child ends.
        var end: Int
    }

    /// What an alias may stand for.
    private struct Anchored {
        var index: Int
        /// Nodes below and including it, and levels, both with aliases replaced by what they name.
        var expandedCount: Int
        var height: Int
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private let limits: YAMLLimits
    private var stack: [Frame] = []
    private var records: [EventTape.Record] = []
    private var texts: [UInt8] = []
    private var properties = [EventTape.Properties()]
    private var roots: [(root: Int?, range: Range<Int>)] = []
    private var anchors: [String: Anchored] = [:]
    private var openAnchors: [String: Int] = [:]
    private var aliasCount = 0
    private var tagBytes = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: YAMLLimits) {
        self.bytes = bytes
        self.limits = limits
        // A node in ten bytes is common.
        records.reserveCapacity(bytes.count / 10 + 8)
        texts.reserveCapacity(bytes.count)
    }

    mutating func documents() throws(Failure) -> [YAMLDocument] {
        guard var parser = EventParser(bytes) else {
            throw Failure(code: .limit, summary: "out of memory", offset: 0)
        }
        var start = 0
        var root: Int?
        while true {
            let kind: EventKind
            do {
                kind = try parser.next()
            } catch {
                throw Self.explained(error)
            }
            switch kind {
            case .streamEnd: return finished()
            case .documentStart:
                (root, start) = (nil, parser.range.lowerBound)
                if !anchors.isEmpty { anchors.removeAll(keepingCapacity: true) }
                if !openAnchors.isEmpty { openAnchors.removeAll(keepingCapacity: true) }
            case .documentEnd:
                if let index = root {
                    let record = records[index]
                    let isEmpty =
                        record.kind == .plain && record.start == record.end && record.length == 0
                        && record.properties == 0
                    if isEmpty { root = nil }
                }
                roots.append((root, start..<max(start, parser.range.upperBound)))
            case .alias:
                if stack.isEmpty { root = records.count }
                try addAlias(parser)
            case .scalar(let style):
                if stack.isEmpty { root = records.count }
                try addScalar(style, parser)
            case .sequenceStart(let isFlow):
                if stack.isEmpty { root = records.count }
                try open(parser, isFlow ? .flowSequence : .blockSequence)
            case .mappingStart(let isFlow):
                if stack.isEmpty { root = records.count }
                try open(parser, isFlow ? .flowMapping : .blockMapping)
            case .sequenceEnd, .mappingEnd: try close(at: parser.range.upperBound)
            }
        }
    }

    private func finished() -> [YAMLDocument] {
        let tape = EventTape(records: records, texts: texts, properties: properties)
        return roots.enumerated().map { index, document in
            YAMLDocument(
                root: document.root.map { YAMLNode(tape: tape, index: $0) }, index: index, range: document.range)
        }
    }

    private func checkCount(_ parser: borrowing EventParser) throws(Failure) {
        if records.count >= limits.nodes {
            throw Failure(
                code: .limit, summary: "more than \(limits.nodes) nodes", offset: parser.range.lowerBound,
                hint: "split the file")
        }
    }

    /// The event's anchor and tag. A short handle can stand for a tag of any length, so their sum is bounded.
    private mutating func properties(of parser: borrowing EventParser) throws(Failure) -> UInt32 {
        guard parser.hasProperties else { return 0 }
        let own = EventTape.Properties(tag: parser.tag, anchor: parser.anchor)
        tagBytes += own.tag?.utf8.count ?? 0
        if tagBytes > limits.size {
            throw Failure(
                code: .limit, summary: "tags of more than \(limits.size) bytes", offset: parser.range.lowerBound)
        }
        properties.append(own)
        return UInt32(properties.count - 1)
    }

    private mutating func addScalar(_ style: YAMLScalarStyle, _ parser: borrowing EventParser) throws(Failure) {
        try checkCount(parser)
        let place = unwrittenPlace(style, parser)
        let start = place ?? contentStart(of: parser.range)
        let value = texts.count
        parser.appendValue(to: &texts)
        let index = records.count
        records.append(
            EventTape.Record(
                kind: EventTape.Kind(style), start: UInt32(start),
                end: UInt32(place ?? max(start, parser.range.upperBound)), value: UInt32(value),
                length: UInt32(texts.count - value), next: UInt32(index + 1),
                properties: try properties(of: parser)))
        try add(Anchored(index: index, expandedCount: 1, height: 1))
    }

    /// Where the value of `? key` stands that has no colon: behind the key. libyaml puts it before what comes next.
    private func unwrittenPlace(_ style: YAMLScalarStyle, _ parser: borrowing EventParser) -> Int? {
        let start = parser.range.lowerBound
        guard style == .plain, parser.range.isEmpty, !parser.hasProperties, let top = stack.last, start > 0,
            records[top.index].kind == .blockMapping, bytes[start - 1] != UInt8(ascii: ":"),
            bytes[start - 1] != UInt8(ascii: "?")
        else { return nil }
        return min(start, top.end)
    }

    private mutating func addAlias(_ parser: borrowing EventParser) throws(Failure) {
        try checkCount(parser)
        aliasCount += 1
        let name = parser.anchor ?? ""
        let range = parser.range
        if aliasCount > limits.aliases {
            throw Failure(
                code: .limit, summary: "more than \(limits.aliases) aliases", offset: range.lowerBound)
        }
        // An open anchor hides an earlier, closed one of the same name.
        if openAnchors[name] != nil {
            throw Failure(
                code: .alias, summary: "alias '*\(name)' stands inside the node that it names",
                offset: range.lowerBound)
        }
        guard let target = anchors[name] else {
            throw Failure(
                code: .alias, summary: "alias '*\(name)' has no anchor '&\(name)' before it in this document",
                offset: range.lowerBound)
        }
        let index = records.count
        records.append(
            EventTape.Record(
                kind: .alias, start: UInt32(range.lowerBound), end: UInt32(range.upperBound),
                value: UInt32(target.index), length: 0, next: UInt32(index + 1),
                properties: try properties(of: parser)))
        try add(Anchored(index: index, expandedCount: target.expandedCount, height: target.height))
    }

    private mutating func open(_ parser: borrowing EventParser, _ kind: EventTape.Kind) throws(Failure) {
        try checkCount(parser)
        guard stack.count < limits.depth else { throw tooDeep(parser.range.lowerBound) }
        let start = contentStart(of: parser.range)
        let own = try properties(of: parser)
        let anchor = properties[Int(own)].anchor
        if let anchor { openAnchors[anchor, default: 0] += 1 }
        stack.append(Frame(index: records.count, isFlow: kind.isFlow, anchor: anchor, end: start))
        records.append(
            EventTape.Record(
                kind: kind, start: UInt32(start), end: UInt32(start), value: 0, length: 0, next: 0, properties: own))
    }

    private mutating func close(at offset: Int) throws(Failure) {
        guard let frame = stack.popLast() else { return }
        if let anchor = frame.anchor {
            let open = openAnchors[anchor, default: 1]
            openAnchors[anchor] = open > 1 ? open - 1 : nil
        }
        let end = frame.isFlow ? offset : frame.end
        records[frame.index].end = max(records[frame.index].start, UInt32(end))
        records[frame.index].next = UInt32(records.count)
        try add(Anchored(index: frame.index, expandedCount: frame.expandedCount, height: frame.height + 1))
    }

    /// Counts a finished node for the collection that it stands in, and keeps what aliases may name.
    private mutating func add(_ node: Anchored) throws(Failure) {
        let record = records[node.index]
        if stack.count + node.height > limits.depth { throw tooDeep(Int(record.start)) }
        if record.properties != 0, record.kind != .alias, let anchor = properties[Int(record.properties)].anchor {
            anchors[anchor] = node
        }
        guard !stack.isEmpty else { return }
        let top = stack.count - 1
        stack[top].expandedCount += node.expandedCount
        stack[top].height = max(stack[top].height, node.height)
        stack[top].end = Int(record.end)
        // Each sum stays below twice the limit, so it cannot overflow.
        if stack[top].expandedCount > limits.expandedNodes {
            throw Failure(
                code: .limit, summary: "aliases stand for more than \(limits.expandedNodes) nodes",
                offset: Int(record.start), hint: "write the repeated parts out, or split the file")
        }
    }

    private func tooDeep(_ offset: Int) -> Failure {
        Failure(code: .limit, summary: "nested deeper than \(limits.depth) levels", offset: offset)
    }

    /// Where the content starts in a node's range: libyaml's starts with the anchor and the tag. No content can begin
    /// with their signs, so they are recognised by sight.
    private func contentStart(of range: Range<Int>) -> Int {
        var index = range.lowerBound
        let end = range.upperBound
        while index < end, bytes[index] == UInt8(ascii: "&") || bytes[index] == UInt8(ascii: "!") {
            let isVerbatim =
                index + 1 < end && bytes[index] == UInt8(ascii: "!") && bytes[index + 1] == UInt8(ascii: "<")
            while index < end, !isBlankOrBreak(at: index), isVerbatim || bytes[index] != UInt8(ascii: ",") {
                index += 1
            }
            while index < end, isBlankOrBreak(at: index) || bytes[index] == UInt8(ascii: "#") {
                if bytes[index] == UInt8(ascii: "#") {
                    while index < end, bytes[index] != 0x0A, bytes[index] != 0x0D { index += 1 }
                } else {
                    index += 1
                }
            }
        }
        return index
    }

    private func isBlankOrBreak(at index: Int) -> Bool {
        switch bytes[index] {
        case 0x20, 0x09, 0x0A, 0x0D: true
        default: false
        }
    }

    /// libyaml's message in the words of somebody who looks at the file.
    private static func explained(_ failure: ParseFailure) -> Failure {
        if failure.isEncoding {
            return Failure(
                code: .encoding, summary: "not UTF-8 text: \(failure.problem)", offset: failure.offset,
                hint: "save the file as UTF-8")
        }
        let hint: String? =
            switch failure.problem {
            case "found character that cannot start any token":
                "a tab cannot indent, and '@', '`' and '%' cannot start a value: use spaces, or quote the value"
            case "mapping values are not allowed in this context":
                "a value that contains ': ' needs quotes; or the indentation is off"
            case "could not find expected ':'", "did not find expected key":
                "check the indentation here and on the line above; a template ({{ … }}) is no YAML"
            default: nil
            }
        return Failure(code: .syntax, summary: "not YAML: \(failure.problem)", offset: failure.offset, hint: hint)
    }
}
