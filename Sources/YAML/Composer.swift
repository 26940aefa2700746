/// Builds the trees of a stream from libyaml's events, within limits. The nesting lives in a stack of its own, so that
/// hostile depth costs an error and never the thread's stack.
struct Composer {
    struct Failure: Error {
        var code: YAMLError.Code
        var summary: String
        var offset: Int
        var hint: String?
    }

    private struct Frame {
        var isMapping: Bool
        var isFlow: Bool
        var start: Int
        var tag: String?
        var anchor: String?
        var items: [YAMLNode] = []
        var pairs: [YAMLPair] = []
        var key: YAMLNode?
        var expandedCount = 1
        var height = 0
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private let limits: YAMLLimits
    private var stack: [Frame] = []
    private var root: YAMLNode?
    private var anchors: [String: YAMLNode] = [:]
    private var openAnchors: [String: Int] = [:]
    private var nodeCount = 0
    private var aliasCount = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: YAMLLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func documents() throws(Failure) -> [YAMLDocument] {
        guard var parser = EventParser(bytes) else {
            throw Failure(code: .limit, summary: "out of memory", offset: 0)
        }
        var documents: [YAMLDocument] = []
        var start = 0
        while true {
            let kind: EventKind
            do {
                kind = try parser.next()
            } catch {
                throw Self.explained(error)
            }
            switch kind {
            case .streamEnd: return documents
            case .documentStart:
                (root, start) = (nil, parser.range.lowerBound)
                anchors.removeAll(keepingCapacity: true)
                openAnchors.removeAll(keepingCapacity: true)
            case .documentEnd:
                let isEmpty =
                    root.map { $0.range.isEmpty && $0.text == "" && $0.anchor == nil && $0.tag == nil } ?? true
                documents.append(
                    YAMLDocument(
                        root: isEmpty ? nil : root, index: documents.count,
                        range: start..<max(start, parser.range.upperBound)))
            case .alias: try addAlias(parser)
            case .scalar(let style): try addScalar(style, parser)
            case .sequenceStart(let isFlow): try open(parser, isMapping: false, isFlow: isFlow)
            case .mappingStart(let isFlow): try open(parser, isMapping: true, isFlow: isFlow)
            case .sequenceEnd, .mappingEnd: try close(at: parser.range.upperBound)
            }
        }
    }

    private mutating func count(_ parser: borrowing EventParser) throws(Failure) {
        nodeCount += 1
        if nodeCount > limits.nodes {
            throw Failure(
                code: .limit, summary: "more than \(limits.nodes) nodes", offset: parser.range.lowerBound,
                hint: "split the file")
        }
    }

    private mutating func addScalar(_ style: YAMLScalarStyle, _ parser: borrowing EventParser) throws(Failure) {
        try count(parser)
        let start = contentStart(of: parser.range)
        try add(
            YAMLNode(
                content: .scalar(parser.value, style), range: start..<max(start, parser.range.upperBound),
                tag: parser.tag,
                anchor: parser.anchor, expandedCount: 1, height: 1))
    }

    private mutating func addAlias(_ parser: borrowing EventParser) throws(Failure) {
        try count(parser)
        aliasCount += 1
        let name = parser.anchor ?? ""
        let offset = parser.range.lowerBound
        if aliasCount > limits.aliases {
            throw Failure(code: .limit, summary: "more than \(limits.aliases) aliases", offset: offset)
        }
        // An open anchor hides an earlier, closed one of the same name.
        if openAnchors[name] != nil {
            throw Failure(
                code: .alias, summary: "alias '*\(name)' stands inside the node that it names", offset: offset)
        }
        guard let target = anchors[name] else {
            throw Failure(
                code: .alias, summary: "alias '*\(name)' has no anchor '&\(name)' before it in this document",
                offset: offset)
        }
        try add(
            YAMLNode(
                content: .alias(target), range: parser.range, tag: nil, anchor: name,
                expandedCount: target.expandedCount, height: target.height))
    }

    private mutating func open(_ parser: borrowing EventParser, isMapping: Bool, isFlow: Bool) throws(Failure) {
        try count(parser)
        guard stack.count < limits.depth else { throw tooDeep(parser.range.lowerBound) }
        let anchor = parser.anchor
        if let anchor { openAnchors[anchor, default: 0] += 1 }
        var frame = Frame(
            isMapping: isMapping, isFlow: isFlow, start: contentStart(of: parser.range), tag: parser.tag, anchor: anchor
        )
        // Most mappings have a few pairs: one allocation instead of three.
        if isMapping { frame.pairs.reserveCapacity(4) }
        stack.append(frame)
    }

    private mutating func close(at offset: Int) throws(Failure) {
        guard let frame = stack.popLast() else { return }
        let lastChild = frame.isMapping ? frame.pairs.last?.value : frame.items.last
        let end = frame.isFlow ? offset : lastChild?.range.upperBound ?? frame.start
        if let anchor = frame.anchor {
            let open = openAnchors[anchor, default: 1]
            openAnchors[anchor] = open > 1 ? open - 1 : nil
        }
        try add(
            YAMLNode(
                content: frame.isMapping
                    ? .mapping(frame.pairs, isFlow: frame.isFlow) : .sequence(frame.items, isFlow: frame.isFlow),
                range: frame.start..<max(frame.start, end), tag: frame.tag, anchor: frame.anchor,
                expandedCount: frame.expandedCount, height: frame.height + 1))
    }

    private mutating func add(_ node: YAMLNode) throws(Failure) {
        if stack.count + node.height > limits.depth { throw tooDeep(node.range.lowerBound) }
        if let anchor = node.anchor, !node.isAlias { anchors[anchor] = node }
        guard !stack.isEmpty else {
            root = node
            return
        }
        let top = stack.count - 1
        stack[top].expandedCount += node.expandedCount
        stack[top].height = max(stack[top].height, node.height)
        // Each sum stays below twice the limit, so it cannot overflow.
        if stack[top].expandedCount > limits.expandedNodes {
            throw Failure(
                code: .limit, summary: "aliases stand for more than \(limits.expandedNodes) nodes",
                offset: node.range.lowerBound, hint: "write the repeated parts out, or split the file")
        }
        if !stack[top].isMapping {
            stack[top].items.append(node)
        } else if let key = stack[top].key {
            stack[top].pairs.append(YAMLPair(key: key, value: node))
            stack[top].key = nil
        } else {
            stack[top].key = node
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
