/// Changes of a document's structure: pairs that come and go, items that come. They keep the way their surroundings are
/// written.
package enum StructureEdit: Sendable {
    /// Pairs behind those of a mapping that does not have these keys. The mapping is written, be it empty (`{}`).
    case add([PlainValue.Pair], to: YAMLNode)
    /// The pairs with these keys, from a mapping that keeps others.
    case remove(Set<String>, from: YAMLNode)
    /// Items behind those of a list.
    case append([PlainValue], to: YAMLNode)
    /// Items before those with these numbers of a list in lines, or at its end, in their order.
    case insert([(value: PlainValue, before: Int)], in: YAMLNode)
    /// A value in the place of one that is not written (`annotations:`), or is empty.
    case fill(YAMLNode, with: PlainValue, keyOf: YAMLNode)
    /// An empty mapping in the place of one whose last pairs go.
    case clear(YAMLNode, keyOf: YAMLNode)
    /// A value in the place of a scalar, whatever lines that stands on; of a block scalar not.
    case replace(YAMLNode, with: PlainValue)
    /// Pairs in the place of all those of a mapping in braces.
    case refill([PlainValue.Pair], in: YAMLNode)

    var node: YAMLNode {
        switch self {
        case .add(_, let node), .remove(_, let node), .append(_, let node), .insert(_, let node), .fill(let node, _, _),
            .clear(let node, _),
            .replace(let node, _), .refill(_, let node):
            node
        }
    }
}

/// Makes the splices of structure edits.
package struct StructureWriter {
    private let bytes: [UInt8]
    private let lineBreak: String

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        let first = bytes.firstIndex { $0 == 0x0A || $0 == 0x0D }
        lineBreak =
            if let first, bytes[first] == 0x0D {
                first + 1 < bytes.count && bytes[first + 1] == 0x0A ? "\r\n" : "\r"
            } else {
                "\n"
            }
    }

    package func splices(for edit: StructureEdit) throws(ScalarSplice.Refusal) -> [Splice] {
        guard !edit.node.isAlias else { throw ScalarSplice.Refusal(reason: "it is an alias: the anchor is elsewhere") }
        if case .mapping(_, isFlow: true) = edit.node.content, bytes[edit.node.range.lowerBound] != UInt8(ascii: "{") {
            throw ScalarSplice.Refusal(reason: "it is a pair in a list, without braces")
        }
        switch edit {
        case .add(let pairs, let node): return [try adding(pairs, to: node)]
        case .remove(let keys, let node): return try removing(keys, from: node)
        case .append(let items, let node): return [try appending(items, to: node)]
        case .insert(let items, let node): return try inserting(items, into: node)
        case .fill(let node, let value, let key): return [try filling(node, with: value, key: key)]
        case .clear(let node, let key): return try clearing(node, key: key)
        case .replace(let node, let value): return [try replacing(node, with: value)]
        case .refill(let pairs, let node): return [try refilling(node, with: pairs)]
        }
    }

    // MARK: Mappings

    private func adding(_ new: [PlainValue.Pair], to node: YAMLNode) throws(ScalarSplice.Refusal) -> Splice {
        guard case .mapping(let pairs, let isFlow) = node.content else {
            throw ScalarSplice.Refusal(reason: "it is no mapping")
        }
        if isFlow {
            return flowSplice(
                flowText(new, like: pairs.first), after: pairs.last?.value, key: pairs.last?.key, in: node)
        }
        guard !pairs.isEmpty else { throw ScalarSplice.Refusal(reason: "it has no pairs") }
        // Where the mapping starts, not its first key: that may stand on a line below its `?`.
        let indent = try column(of: node)
        // Behind the last pair whose value ends on its line; what follows a block text may be its blank lines.
        let anchor = pairs.last { !($0.value.style?.isBlock ?? false) || $0.value.isAlias } ?? pairs[pairs.count - 1]
        return try blockSplice(
            PlainValue.mapping(new), indent: indent,
            after: anchor.value.isAlias ? anchor.value : last(of: anchor.value),
            key: anchor.key)
    }

    private func appending(_ new: [PlainValue], to node: YAMLNode) throws(ScalarSplice.Refusal) -> Splice {
        guard case .sequence(let items, let isFlow) = node.content else {
            throw ScalarSplice.Refusal(reason: "it is no list")
        }
        if isFlow {
            let quoted = items.first?.pairs?.first?.key.style == .doubleQuoted
            return flowSplice(
                new.map { $0.flow(quoted: quoted) }.joined(separator: ", "), after: items.last, key: nil, in: node)
        }
        guard let item = items.last else { throw ScalarSplice.Refusal(reason: "it has no items") }
        let line = LineIndex.line(around: node.range.lowerBound, in: bytes)
        let prefix = bytes[line.lowerBound..<node.range.lowerBound]
        guard prefix.allSatisfy({ $0 == 0x20 }), bytes[node.range.lowerBound] == UInt8(ascii: "-") else {
            throw ScalarSplice.Refusal(reason: "its items do not start on lines of their own")
        }
        return try blockSplice(PlainValue.list(new), indent: prefix.count, after: last(of: item), key: nil)
    }

    private func inserting(
        _ new: [(value: PlainValue, before: Int)], into node: YAMLNode
    ) throws(ScalarSplice.Refusal) -> [Splice] {
        guard case .sequence(let items, isFlow: false) = node.content else {
            throw ScalarSplice.Refusal(reason: "it is no list of lines")
        }
        var splices: [Splice] = []
        for (place, group) in Dictionary(grouping: new, by: \.before).sorted(by: { $0.key < $1.key }) {
            let values = group.map(\.value)
            guard items.indices.contains(place) else {
                splices.append(try appending(values, to: node))
                continue
            }
            let line = LineIndex.line(around: items[place].range.lowerBound, in: bytes)
            let prefix = bytes[line.lowerBound..<items[place].range.lowerBound]
            let indent = prefix.prefix { $0 == 0x20 }.count
            guard prefix.dropFirst(indent).first == UInt8(ascii: "-"),
                prefix.dropFirst(indent + 1).allSatisfy({ $0 == 0x20 })
            else { throw ScalarSplice.Refusal(reason: "its items do not start on lines of their own") }
            let space = String(repeating: " ", count: indent)
            let lines = PlainValue.list(values).block(indent: indent, unit: 2)
            let text = space + lines.joined(separator: lineBreak) + lineBreak
            splices.append(Splice(range: line.lowerBound..<line.lowerBound, bytes: Array(text.utf8)))
        }
        return splices
    }

    private func flowText(_ pairs: [PlainValue.Pair], like pair: YAMLPair?) -> String {
        let quoted = pair?.key.style == .doubleQuoted
        return pairs.map { "\(PlainValue.scalar($0.key, quoted: quoted)): \($0.value.flow(quoted: quoted))" }
            .joined(separator: ", ")
    }

    private func refilling(_ node: YAMLNode, with new: [PlainValue.Pair]) throws(ScalarSplice.Refusal) -> Splice {
        guard case .mapping(let pairs, isFlow: true) = node.content, let first = pairs.first, let final = pairs.last
        else { throw ScalarSplice.Refusal(reason: "it is no mapping in braces") }
        for pair in pairs { try refuseProperties(of: pair) }
        return Splice(
            range: first.key.range.lowerBound..<end(of: final), bytes: Array(flowText(new, like: first).utf8))
    }

    /// What stands before a key would be left behind; what an anchor names is used elsewhere.
    private func refuseProperties(of pair: YAMLPair) throws(ScalarSplice.Refusal) {
        if pair.key.anchor != nil || pair.value.anchor != nil && !pair.value.isAlias {
            throw ScalarSplice.Refusal(reason: "'\(pair.key.text ?? "")' defines an anchor")
        }
        if pair.key.tag != nil {
            throw ScalarSplice.Refusal(reason: "'\(pair.key.text ?? "")' has a tag before it")
        }
    }

    /// A key's tag or anchor stands before its range: what goes up to there must not take it along.
    private func refuseProperties(ofKept pair: YAMLPair) throws(ScalarSplice.Refusal) {
        if pair.key.tag != nil || pair.key.anchor != nil && !pair.key.isAlias {
            throw ScalarSplice.Refusal(reason: "the key behind it, '\(pair.key.text ?? "")', has a tag or an anchor")
        }
    }

    /// A key with a question mark, which would be left behind.
    private func refuseExplicit(_ key: YAMLNode) throws(ScalarSplice.Refusal) {
        let rest = bytes[key.range.upperBound...].drop { $0 == 0x20 || $0 == 0x09 }
        guard rest.first == UInt8(ascii: ":"), key.isAlias || !(key.style?.isBlock ?? true) else {
            throw ScalarSplice.Refusal(reason: "a key, '\(key.text ?? "")', is written with a question mark")
        }
    }

    private func end(of pair: YAMLPair) -> Int { max(pair.value.range.upperBound, pair.key.range.upperBound) }

    private func flowSplice(_ text: String, after value: YAMLNode?, key: YAMLNode?, in node: YAMLNode) -> Splice {
        guard let value else {
            return Splice(range: node.range.lowerBound + 1..<node.range.lowerBound + 1, bytes: Array(text.utf8))
        }
        let end = max(value.range.upperBound, key?.range.upperBound ?? 0)
        return Splice(range: end..<end, bytes: Array(", \(text)".utf8))
    }

    /// Whole lines behind the line on which a value ends.
    private func blockSplice(
        _ new: PlainValue, indent: Int, after value: YAMLNode, key: YAMLNode?
    ) throws(ScalarSplice.Refusal) -> Splice {
        var end = max(value.range.upperBound, key?.range.upperBound ?? 0)
        var lead = ""
        if !isLineStart(end) {
            while end < bytes.count, breakLength(at: end) == 0 { end += 1 }
            if end == bytes.count {
                try refuseUnterminated(value)
                lead = lineBreak
            } else {
                end += breakLength(at: end)
            }
        }
        if lead.isEmpty { try refuseTabs(from: end) }
        let space = String(repeating: " ", count: indent)
        let text = space + new.block(indent: indent, unit: 2).joined(separator: lineBreak)
        return Splice(range: end..<end, bytes: Array((lead + text + (lead.isEmpty ? lineBreak : "")).utf8))
    }

    /// To a plain text, blanks that follow it on lines of their own may hold tabs only right of where it stands.
    private func refuseTabs(from offset: Int) throws(ScalarSplice.Refusal) {
        var index = offset
        while index < bytes.count {
            if bytes[index] == 0x09 {
                throw ScalarSplice.Refusal(
                    reason: "below it stands a line that starts with blanks and a tab: remove it")
            }
            guard bytes[index] == 0x20 || breakLength(at: index) > 0 else { return }
            index += max(1, breakLength(at: index))
        }
    }

    /// A block text at the end of a file without a final line break would get one, when something comes behind it.
    private func refuseUnterminated(_ value: YAMLNode) throws(ScalarSplice.Refusal) {
        guard case .scalar(_, let style) = value.content, style.isBlock else { return }
        let header = bytes[value.range].prefix { $0 != 0x0A && $0 != 0x0D && $0 != UInt8(ascii: "#") }
        if !header.contains(UInt8(ascii: "-")) {
            throw ScalarSplice.Refusal(reason: "the file ends in its block text, without a line break: add one")
        }
    }

    /// The node that ends last in a tree.
    private func last(of node: YAMLNode) -> YAMLNode {
        var node = node
        while !node.isAlias {
            switch node.content {
            case .mapping(let pairs, false): if let next = pairs.last?.value { node = next } else { return node }
            case .sequence(let items, false): if let next = items.last { node = next } else { return node }
            default: return node
            }
        }
        return node
    }

    private func column(of node: YAMLNode) throws(ScalarSplice.Refusal) -> Int {
        let line = LineIndex.line(around: node.range.lowerBound, in: bytes)
        let prefix = bytes[line.lowerBound..<node.range.lowerBound]
        guard prefix.allSatisfy({ $0 == 0x20 || $0 == UInt8(ascii: "-") }) else {
            throw ScalarSplice.Refusal(reason: "its keys do not stand at the start of lines")
        }
        return prefix.count
    }

    // MARK: Removal

    private func removing(_ keys: Set<String>, from node: YAMLNode) throws(ScalarSplice.Refusal) -> [Splice] {
        guard case .mapping(let pairs, let isFlow) = node.content else {
            throw ScalarSplice.Refusal(reason: "it is no mapping")
        }
        func goes(_ pair: YAMLPair) -> Bool { pair.key.text.map(keys.contains) ?? false }
        if isFlow { return try removingFlow(pairs, goes) }
        var splices: [Splice] = []
        for (index, pair) in pairs.enumerated() where goes(pair) {
            let key = pair.key.text ?? ""
            let end = self.end(of: pair)
            try refuseProperties(of: pair)
            try refuseExplicit(pair.key)
            let line = LineIndex.line(around: pair.key.range.lowerBound, in: bytes)
            if bytes[line.lowerBound..<pair.key.range.lowerBound].allSatisfy({ $0 == 0x20 }) {
                splices.append(
                    Splice(range: line.lowerBound..<lineEnd(after: last(of: pair.value), orAt: end), bytes: []))
            } else if index + 1 < pairs.count {
                try refuseProperties(ofKept: pairs[index + 1])
                try refuseExplicit(pairs[index + 1].key)
                let next = pairs[index + 1].key.range.lowerBound
                guard !bytes[end..<next].contains(UInt8(ascii: "#")) else {
                    throw ScalarSplice.Refusal(reason: "a comment stands behind '\(key)', which starts a list's item")
                }
                splices.append(Splice(range: pair.key.range.lowerBound..<next, bytes: []))
            } else {
                throw ScalarSplice.Refusal(reason: "'\(key)' is the only key of its item")
            }
        }
        return splices
    }

    /// Pairs that stand side by side go together, with the commas between them and the kept ones.
    private func removingFlow(_ pairs: [YAMLPair], _ goes: (YAMLPair) -> Bool) throws(ScalarSplice.Refusal) -> [Splice]
    {
        var splices: [Splice] = []
        var index = 0
        while index < pairs.count {
            let first = index
            while index < pairs.count, goes(pairs[index]) {
                try refuseProperties(of: pairs[index])
                index += 1
            }
            if first < index {
                let range: Range<Int>
                if index < pairs.count {
                    try refuseProperties(ofKept: pairs[index])
                    range = pairs[first].key.range.lowerBound..<pairs[index].key.range.lowerBound
                } else if first > 0 {
                    range = end(of: pairs[first - 1])..<end(of: pairs[index - 1])
                } else {
                    throw ScalarSplice.Refusal(reason: "nothing would be left of it")
                }
                splices.append(Splice(range: range, bytes: []))
            }
            index += 1
        }
        return splices
    }

    /// Behind the line break of the line on which a value ends.
    private func lineEnd(after value: YAMLNode, orAt offset: Int) -> Int {
        var end = max(offset, value.range.upperBound)
        if isLineStart(end) { return end }
        while end < bytes.count, breakLength(at: end) == 0 { end += 1 }
        if end < bytes.count { end += breakLength(at: end) }
        return end
    }

    /// The bytes of a line break; 0 where there is none. YAML 1.1, and with it libyaml, takes NEL, LS and PS for breaks:
    /// what stands behind them is another line.
    private func breakLength(at index: Int) -> Int {
        func has(_ rest: UInt8..., at place: Int) -> Bool {
            place + rest.count <= bytes.count && bytes[place..<place + rest.count].elementsEqual(rest)
        }
        switch bytes[index] {
        case 0x0A: return 1
        case 0x0D: return has(0x0A, at: index + 1) ? 2 : 1
        case 0xC2: return has(0x85, at: index + 1) ? 2 : 0
        case 0xE2: return has(0x80, 0xA8, at: index + 1) || has(0x80, 0xA9, at: index + 1) ? 3 : 0
        default: return 0
        }
    }

    /// Whether a line break stands right before.
    private func isLineStart(_ index: Int) -> Bool {
        (1...3).contains { length in index >= length && breakLength(at: index - length) == length }
    }

    private func clearing(_ node: YAMLNode, key: YAMLNode) throws(ScalarSplice.Refusal) -> [Splice] {
        guard case .mapping(let pairs, let isFlow) = node.content, let first = pairs.first, let final = pairs.last
        else {
            throw ScalarSplice.Refusal(reason: "it is no mapping")
        }
        if isFlow {
            for pair in pairs { try refuseProperties(of: pair) }
            guard !bytes[node.range.lowerBound..<first.key.range.lowerBound].contains(UInt8(ascii: "?")) else {
                throw ScalarSplice.Refusal(reason: "its first key is written with a question mark")
            }
            return [Splice(range: first.key.range.lowerBound..<end(of: final), bytes: [])]
        }
        guard node.anchor == nil, node.tag == nil else {
            throw ScalarSplice.Refusal(reason: "it has an anchor or a tag")
        }
        let colon = key.range.upperBound
        var start = LineIndex.line(around: node.range.lowerBound, in: bytes).lowerBound
        guard colon < start, bytes[colon] == UInt8(ascii: ":"),
            bytes[start..<node.range.lowerBound].allSatisfy({ $0 == 0x20 })
        else { throw ScalarSplice.Refusal(reason: "it is written in an unusual way") }
        // The pairs' lines go, comments above them stay, and the braces come behind the key's colon.
        let end = lineEnd(after: last(of: final.value), orAt: self.end(of: final))
        if !isLineStart(end) {
            // The file ended without a line break, and goes on to.
            start -= 1
            if bytes[start] == 0x0A, start > colon + 1, bytes[start - 1] == 0x0D { start -= 1 }
        }
        return [
            Splice(range: colon + 1..<colon + 1, bytes: Array(" {}".utf8)), Splice(range: start..<end, bytes: []),
        ]
    }

    // MARK: Values

    private func replacing(_ node: YAMLNode, with value: PlainValue) throws(ScalarSplice.Refusal) -> Splice {
        guard let style = node.style, !node.isAlias, !style.isBlock, !node.range.isEmpty, node.tag == nil else {
            throw ScalarSplice.Refusal(reason: "it is no simple value")
        }
        return Splice(range: node.range, bytes: Array(value.flow(quoted: style == .doubleQuoted).utf8))
    }

    private func filling(
        _ node: YAMLNode, with value: PlainValue, key: YAMLNode
    ) throws(ScalarSplice.Refusal) -> Splice {
        guard node.isNull, node.tag == nil, node.anchor == nil else {
            throw ScalarSplice.Refusal(reason: "something is written there")
        }
        if !node.range.isEmpty {
            return Splice(range: node.range, bytes: Array(value.flow(quoted: false).utf8))
        }
        let colon = key.range.upperBound
        guard bytes[colon...].first == UInt8(ascii: ":") else {
            throw ScalarSplice.Refusal(reason: "its key is written in an unusual way")
        }
        // In a block, the value that is not written stands right behind its colon and nothing else does; in braces, before
        // what comes next.
        let next = bytes[(colon + 1)...].first
        guard node.range.lowerBound == colon + 1,
            next == nil || next == 0x20 || next == 0x09 || breakLength(at: colon + 1) > 0
        else {
            return Splice(
                range: colon + 1..<colon + 1, bytes: Array(" \(value.flow(quoted: key.style == .doubleQuoted))".utf8))
        }
        return try blockSplice(value, indent: try column(of: key) + 2, after: key, key: nil)
    }
}
