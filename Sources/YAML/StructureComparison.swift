extension YAMLStream {
    /// What a changed text has that the original with these edits would not have; `nil` when there is nothing.
    ///
    /// - Parameters:
    ///   - changes: the ranges of changed scalars in the original, with their new values.
    package static func difference(
        between original: [YAMLDocument], and bytes: [UInt8], changes: [Range<Int>: String], edits: [StructureEdit],
        file: String
    ) throws(YAMLError) -> String? {
        if edits.isEmpty { return try difference(between: original, and: bytes, changes: changes, file: file) }
        let documents = try parse(bytes, file: file)
        guard documents.count == original.count else { return "another number of documents" }
        var comparison = StructureComparison(changes: changes, edits: edits)
        for (old, new) in zip(original, documents) {
            switch (old.root, new.root) {
            case (nil, nil): break
            case (let old?, let new?): if let difference = comparison.compare(old, new) { return difference }
            default: return "a document came or went"
            }
        }
        return comparison.seen == changes.count + Set(edits.map(\.node)).count
            ? nil : "a value that was to change is missing"
    }
}

private struct StructureComparison {
    let changes: [Range<Int>: String]
    let edits: [YAMLNode: [StructureEdit]]
    var seen = 0

    init(changes: [Range<Int>: String], edits: [StructureEdit]) {
        self.changes = changes
        self.edits = Dictionary(grouping: edits, by: \.node)
    }

    /// The original's depth bounds the recursion.
    mutating func compare(_ old: YAMLNode, _ new: YAMLNode) -> String? {
        if let edits = edits[old] {
            seen += 1
            return compare(old, new, edits)
        }
        guard old.tag == new.tag, old.anchor == new.anchor else { return "a tag or an anchor differs" }
        switch (old.content, new.content) {
        case (.scalar(let text, let style), .scalar(let newText, let newStyle)):
            guard let wanted = changes[old.range] else {
                return text == newText && style == newStyle ? nil : "another value differs"
            }
            seen += 1
            let tail = style.isBlock ? text.reversed().prefix { $0 == "\n" }.count : 0
            let isSameStyle = style == newStyle || style == .plain && newStyle == .doubleQuoted
            let isRight =
                newText == wanted + String(repeating: "\n", count: tail) && isSameStyle
                && (newStyle != .plain || old.tag != nil || PlainScalar.isString(wanted))
            return isRight ? nil : "the new value reads '\(newText.prefix(80))'"
        case (.alias(let target), .alias(let newTarget)):
            return target.anchor == newTarget.anchor ? nil : "an alias means another anchor"
        case (.sequence(let items, let isFlow), .sequence(let newItems, let isNewFlow)):
            guard items.count == newItems.count, isFlow == isNewFlow else { return "a list differs" }
            for (old, new) in zip(items, newItems) { if let difference = compare(old, new) { return difference } }
            return nil
        case (.mapping(let pairs, let isFlow), .mapping(let newPairs, let isNewFlow)):
            guard isFlow == isNewFlow else { return "a mapping is of another kind" }
            return compare(pairs, newPairs)
        default: return "a node is of another kind"
        }
    }

    private mutating func compare(_ pairs: [YAMLPair], _ newPairs: [YAMLPair]) -> String? {
        guard pairs.count == newPairs.count else { return "a mapping differs" }
        for (old, new) in zip(pairs, newPairs) {
            if let difference = compare(old.key, new.key) ?? compare(old.value, new.value) { return difference }
        }
        return nil
    }

    private mutating func compare(_ old: YAMLNode, _ new: YAMLNode, _ edits: [StructureEdit]) -> String? {
        var kept = old.pairs ?? []
        var rest = new.pairs ?? []
        for edit in edits {
            switch edit {
            case .fill(_, let value, _): return value.isSame(as: new) ? nil : "the new value reads otherwise"
            case .clear:
                guard case .mapping(let pairs, _) = new.content else { return "a mapping went" }
                return pairs.isEmpty ? nil : "something is left that was to go"
            case .replace(_, let value):
                return old.anchor == new.anchor && value.isSame(as: new, anchor: old.anchor)
                    ? nil : "the new value reads otherwise"
            case .refill(let pairs, _):
                guard case .mapping(_, isFlow: true) = new.content, old.tag == new.tag, old.anchor == new.anchor,
                    PlainValue.mapping(pairs).isSame(asPairsOf: new)
                else { return "the new pairs read otherwise" }
                return nil
            case .append(let values, _):
                guard case .sequence(let items, let isFlow) = old.content,
                    case .sequence(let newItems, let isNewFlow) = new.content,
                    isFlow == isNewFlow, newItems.count == items.count + values.count,
                    zip(values, newItems.dropFirst(items.count)).allSatisfy({ $0.isSame(as: $1) })
                else { return "a list differs" }
                for (old, new) in zip(items, newItems) { if let difference = compare(old, new) { return difference } }
                return nil
            case .insert(let values, _):
                guard case .sequence(let items, isFlow: false) = old.content,
                    case .sequence(let newItems, isFlow: false) = new.content,
                    newItems.count == items.count + values.count
                else { return "a list differs" }
                var rest = newItems[...]
                for place in 0...items.count {
                    for value in values where value.before == place {
                        guard let item = rest.popFirst(), value.value.isSame(as: item) else {
                            return "a new item differs"
                        }
                    }
                    guard place < items.count else { break }
                    guard let item = rest.popFirst() else { return "a list differs" }
                    if let difference = compare(items[place], item) { return difference }
                }
                return rest.isEmpty ? nil : "a list differs"
            case .remove(let keys, _): kept.removeAll { pair in pair.key.text.map(keys.contains) ?? false }
            case .add(let pairs, _):
                for pair in pairs {
                    guard let place = rest.firstIndex(where: { $0.key.text == pair.key }),
                        pair.value.isSame(as: rest[place].value)
                    else { return "'\(pair.key)' is not there as intended" }
                    rest.remove(at: place)
                }
            }
        }
        guard old.tag == new.tag, old.anchor == new.anchor, case .mapping(_, let isFlow) = old.content,
            case .mapping(_, let isNewFlow) = new.content, isFlow == isNewFlow
        else { return "a mapping is of another kind" }
        return compare(kept, rest)
    }
}

extension PlainValue {
    func isSame(as node: YAMLNode, anchor: String? = nil) -> Bool {
        if node.tag != nil || node.anchor != anchor { return false }
        switch (self, node.content) {
        case (.text(let text), .scalar(let value, let style)):
            return text == value && (style != .plain || PlainScalar.isString(value))
        case (.plain(let text), .scalar(let value, .plain)): return text == value
        case (.list(let values), .sequence(let items, _)):
            return values.count == items.count && zip(values, items).allSatisfy { $0.isSame(as: $1) }
        case (.mapping, .mapping): return isSame(asPairsOf: node)
        default: return false
        }
    }

    func isSame(asPairsOf node: YAMLNode) -> Bool {
        guard case .mapping(let pairs) = self, case .mapping(let found, _) = node.content else { return false }
        return pairs.count == found.count
            && zip(pairs, found).allSatisfy { $0.key == $1.key.text && $0.value.isSame(as: $1.value) }
    }
}
