import Glibc

/// A node of a document, as it stands in the text: aliases are nodes of their own, merge keys are ordinary keys,
/// nothing is resolved to numbers or booleans.
///
/// A view of what was read: cheap to copy, and equal only to the same node of the same reading. `content`, `pairs` and
/// `items` make new arrays each time; the look-up by key does not.
package struct YAMLNode: Sendable {
    package enum Content: Sendable {
        case scalar(String, YAMLScalarStyle)
        case sequence([YAMLNode], isFlow: Bool)
        case mapping([YAMLPair], isFlow: Bool)
        /// `*name`, with the node that the name stood for at this place.
        case alias(YAMLNode)
    }

    let tape: EventTape
    let index: Int

    var record: EventTape.Record { tape.records[index] }

    package var content: Content {
        let record = record
        switch record.kind {
        case .plain, .singleQuoted, .doubleQuoted, .literal, .folded:
            return .scalar(tape.text(record), record.kind.style)
        case .blockSequence, .flowSequence: return .sequence(children, isFlow: record.kind.isFlow)
        case .blockMapping, .flowMapping: return .mapping(childPairs, isFlow: record.kind.isFlow)
        case .alias: return .alias(YAMLNode(tape: tape, index: Int(record.value)))
        }
    }

    /// The node's bytes in the stream, without anchor and tag. A quoted scalar's range holds its quotes, a block
    /// scalar's its header and all its lines, a flow collection's its brackets; a block collection's ends with its last
    /// child; a value that is not written has an empty range.
    package var range: Range<Int> {
        let record = record
        return Int(record.start)..<Int(record.end)
    }

    /// The full tag where one is written, `tag:yaml.org,2002:str` for `!!str`; "!" for the non-specific tag.
    package var tag: String? { tape.properties[Int(record.properties)].tag }

    /// The anchor defined here, or for an alias the name that it uses.
    package var anchor: String? { tape.properties[Int(record.properties)].anchor }

    private var children: [YAMLNode] {
        var result: [YAMLNode] = []
        let end = Int(record.next)
        var child = index + 1
        while child < end {
            result.append(YAMLNode(tape: tape, index: child))
            child = Int(tape.records[child].next)
        }
        return result
    }

    private var childPairs: [YAMLPair] {
        var result: [YAMLPair] = []
        let end = Int(record.next)
        var key = index + 1
        while key < end {
            let value = Int(tape.records[key].next)
            result.append(
                YAMLPair(key: YAMLNode(tape: tape, index: key), value: YAMLNode(tape: tape, index: value)))
            key = Int(tape.records[value].next)
        }
        return result
    }
}

extension YAMLNode: Hashable {
    package static func == (left: YAMLNode, right: YAMLNode) -> Bool {
        left.index == right.index && left.tape === right.tape
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(tape))
        hasher.combine(index)
    }
}

package enum YAMLScalarStyle: Sendable, Hashable {
    case plain, singleQuoted, doubleQuoted, literal, folded

    package var isBlock: Bool { self == .literal || self == .folded }
}

package struct YAMLPair: Sendable {
    package let key: YAMLNode
    package let value: YAMLNode
}

/// One document of a stream.
package struct YAMLDocument: Sendable {
    /// `nil` for a document without content.
    package let root: YAMLNode?
    /// Position in the stream, from 0.
    package let index: Int
    /// From the document's start (its `---`, or its first node) to its end.
    package let range: Range<Int>
}

extension Array where Element == YAMLDocument {
    /// The scalars with these ranges, keys among them. Aliases are not entered: an anchor's scalar is found at its place.
    package func scalars(at ranges: some Collection<Range<Int>>) -> [Range<Int>: YAMLNode] {
        let wanted = Set(ranges)
        let sorted = wanted.sorted { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }
        var found: [Range<Int>: YAMLNode] = [:]
        var place = 0
        for document in self {
            guard let root = document.root else { continue }
            while place < sorted.count, sorted[place].lowerBound < document.range.lowerBound { place += 1 }
            guard place < sorted.count else { break }
            guard sorted[place].lowerBound <= document.range.upperBound else { continue }
            let first = sorted[place].lowerBound
            for index in root.index..<Int(root.record.next) {
                let record = root.tape.records[index]
                guard record.kind.isScalar, Int(record.start) >= first else { continue }
                let range = Int(record.start)..<Int(record.end)
                if wanted.contains(range) { found[range] = YAMLNode(tape: root.tape, index: index) }
            }
        }
        return found
    }
}

extension YAMLNode {
    /// The node itself, or what an alias stands for.
    package var resolved: YAMLNode {
        let record = record
        return record.kind == .alias ? YAMLNode(tape: tape, index: Int(record.value)) : self
    }

    package var isAlias: Bool { record.kind == .alias }

    /// The text of a scalar (through an alias), whatever its style; `nil` for collections.
    package var text: String? {
        let record = resolved.record
        return record.kind.isScalar ? tape.text(record) : nil
    }

    package var style: YAMLScalarStyle? {
        let record = resolved.record
        return record.kind.isScalar ? record.kind.style : nil
    }

    /// The items of a sequence (through an alias); `nil` for other nodes.
    package var items: [YAMLNode]? {
        let node = resolved
        return node.record.kind.isSequence ? node.children : nil
    }

    /// The pairs of a mapping (through an alias) as written, merge keys among them; `nil` for other nodes.
    package var pairs: [YAMLPair]? {
        let node = resolved
        return node.record.kind.isMapping ? node.childPairs : nil
    }

    /// Whether the value is null: not written, `~`, or `null`, plain and without another tag.
    package var isNull: Bool {
        let node = resolved
        let record = node.record
        guard record.kind == .plain else { return false }
        if record.properties != 0, let tag = node.tag { return tag == "tag:yaml.org,2002:null" }
        guard record.length <= 4 else { return false }
        let value = tape.text(record)
        return value.isEmpty || value == "~" || value == "null" || value == "Null" || value == "NULL"
    }

    /// The value of a key of this mapping, through aliases and merge keys (`<<`); `nil` when there is none or when this
    /// is no mapping. Of keys written twice the last counts, as the parsers of Go take it.
    package subscript(key: String) -> YAMLNode? {
        var key = key
        return key.withUTF8 { value(of: $0) }
    }

    private func value(of key: UnsafeBufferPointer<UInt8>) -> YAMLNode? {
        let node = resolved
        let record = node.record
        guard record.kind.isMapping else { return nil }
        var found: Int?
        var merges: [YAMLPair] = []
        var place = node.index + 1
        while place < Int(record.next) {
            let valuePlace = Int(tape.records[place].next)
            var keyRecord = tape.records[place]
            if keyRecord.kind == .alias { keyRecord = tape.records[Int(keyRecord.value)] }
            if keyRecord.kind.isScalar {
                if tape.holds(keyRecord, key) { found = valuePlace }
                if keyRecord.kind == .plain, keyRecord.length == 2 {
                    let pair = YAMLPair(
                        key: YAMLNode(tape: tape, index: place), value: YAMLNode(tape: tape, index: valuePlace))
                    if pair.isMerge { merges.append(pair) }
                }
            }
            place = Int(tape.records[valuePlace].next)
        }
        if let found { return YAMLNode(tape: tape, index: found) }
        for pair in merges {
            for source in pair.value.items ?? [pair.value] {
                if let value = source.value(of: key) { return value }
            }
        }
        return nil
    }

    /// Visits the values of mappings and the items of sequences below this node, as written: aliases and keys are not
    /// entered. What `enters` refuses, by its bytes, is passed over with all that it holds, and costs next to nothing.
    package func visit(
        where enters: (Range<Int>) -> Bool, _ body: (YAMLNode, _ parent: YAMLNode, _ isBlockItem: Bool) -> Void
    ) {
        let record = record
        guard record.kind.isMapping || record.kind.isSequence else { return }
        var place = index + 1
        while place < Int(record.next) {
            if record.kind.isMapping { place = Int(tape.records[place].next) }
            let value = tape.records[place]
            if enters(Int(value.start)..<Int(value.end)) {
                let node = YAMLNode(tape: tape, index: place)
                body(node, self, record.kind == .blockSequence)
                node.visit(where: enters, body)
            }
            place = Int(value.next)
        }
    }

    /// Every key with its value, merged ones after the mapping's own, each key once.
    package var mergedPairs: [YAMLPair] {
        var result: [YAMLPair] = []
        var seen: Set<String> = []
        collect(into: &result, &seen)
        return result
    }

    private func collect(into result: inout [YAMLPair], _ seen: inout Set<String>) {
        guard let pairs else { return }
        // The last value of a key that is written twice stands at its first place.
        var places: [String: Int] = [:]
        for pair in pairs where !pair.isMerge {
            guard let key = pair.key.text else { continue }
            if let place = places[key] {
                result[place] = YAMLPair(key: result[place].key, value: pair.value)
            } else if seen.insert(key).inserted {
                places[key] = result.count
                result.append(pair)
            }
        }
        for pair in pairs where pair.isMerge {
            for source in pair.value.items ?? [pair.value] { source.collect(into: &result, &seen) }
        }
    }

    /// The second pair of the first key that this mapping holds twice.
    package var duplicateKey: YAMLPair? {
        guard let pairs, pairs.count > 1 else { return nil }
        var seen: Set<String> = []
        return pairs.first { pair in
            guard let key = pair.key.text else { return false }
            return !seen.insert(key).inserted
        }
    }
}

extension YAMLPair {
    /// `<<`, plain and untagged, as YAML 1.1 defines it.
    package var isMerge: Bool {
        let record = key.record
        guard record.kind == .plain, record.length == 2, key.text == "<<" else { return false }
        let tag = key.tag
        return tag == nil || tag == "tag:yaml.org,2002:merge"
    }
}
