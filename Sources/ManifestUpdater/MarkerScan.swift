import YAML

/// Flux v2's markers: a comment behind a value that names the image policy which decides it.
extension Scanner {
    mutating func scanMarkers(in root: YAMLNode, document: Int) {
        let workload = Manifest.all(in: root).first?.id ?? WorkloadID(namespace: "default", kind: "", name: "")
        var found: [(YAMLNode, Marker)] = []
        Self.visit(root) { node, isItem in
            guard case .scalar(_, let style) = node.content, !node.isNull else { return }
            var comment = Self.lineComment(after: node, style: style, in: bytes)
            if comment == nil, isItem { comment = Self.headComment(before: node, in: bytes) }
            if let comment, let marker = Marker(comment: bytes[comment]) { found.append((node, marker)) }
        }
        for (node, marker) in found {
            add(
                ImageTarget(
                    file: file, documentIndex: document, workload: workload, container: "",
                    image: Self.trimmed(node.text ?? ""), field: marker.field, valueRange: node.range,
                    location: location(of: node), policy: nil,
                    source: .flux2Marker(namespace: marker.namespace, name: marker.name),
                    held: .imagePolicy(namespace: marker.namespace, name: marker.name)))
        }
    }

    /// Visits the values of mappings and the items of block sequences, as written: aliases are not entered.
    private static func visit(_ node: YAMLNode, _ body: (YAMLNode, _ isItem: Bool) -> Void) {
        switch node.content {
        case .mapping(let pairs, _):
            for pair in pairs {
                body(pair.value, false)
                visit(pair.value, body)
            }
        case .sequence(let items, let isFlow):
            for item in items {
                body(item, !isFlow)
                visit(item, body)
            }
        case .scalar, .alias: break
        }
    }

    /// The comment on the value's line: behind the value, or behind a block scalar's header.
    private static func lineComment(after node: YAMLNode, style: YAMLScalarStyle, in bytes: [UInt8]) -> Range<Int>? {
        var index = style.isBlock ? node.range.lowerBound : node.range.upperBound
        if style.isBlock {
            while index < bytes.count, ![0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
        }
        let start = index
        func skipBlanks() { while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 } }
        skipBlanks()
        if index < bytes.count, bytes[index] == UInt8(ascii: ",") {
            index += 1
            skipBlanks()
        }
        guard index > start, index < bytes.count, bytes[index] == UInt8(ascii: "#") else { return nil }
        return index..<LineIndex.line(around: index, in: bytes).upperBound
    }

    /// The comment lines right above a sequence's item, when they are one line.
    private static func headComment(before node: YAMLNode, in bytes: [UInt8]) -> Range<Int>? {
        let line = LineIndex.line(around: node.range.lowerBound, in: bytes)
        guard let above = comment(above: line, in: bytes), comment(above: above.line, in: bytes) == nil else {
            return nil
        }
        return above.text
    }

    private static func comment(above line: Range<Int>, in bytes: [UInt8]) -> (line: Range<Int>, text: Range<Int>)? {
        var end = line.lowerBound
        if end > 0, bytes[end - 1] == 0x0A { end -= 1 }
        if end > 0, end < line.lowerBound ? bytes[end - 1] == 0x0D : false { end -= 1 }
        guard end < line.lowerBound else { return nil }
        let above = LineIndex.line(around: end, in: bytes)
        guard let start = above.first(where: { bytes[$0] != 0x20 && bytes[$0] != 0x09 }), start < above.upperBound,
            bytes[start] == UInt8(ascii: "#")
        else { return nil }
        return (above, start..<above.upperBound)
    }
}
