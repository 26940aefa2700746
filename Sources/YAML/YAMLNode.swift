/// A node of a document, as it stands in the text: aliases are nodes of their own, merge keys are ordinary keys,
/// nothing is resolved to numbers or booleans. A class, because one node is reached over several aliases and identity
/// matters then.
package final class YAMLNode: Sendable {
    package enum Content: Sendable {
        case scalar(String, YAMLScalarStyle)
        case sequence([YAMLNode], isFlow: Bool)
        case mapping([YAMLPair], isFlow: Bool)
        /// `*name`, with the node that the name stood for at this place.
        case alias(YAMLNode)
    }

    package let content: Content
    /// The node's bytes in the stream, without anchor and tag. A quoted scalar's range holds its quotes, a block
    /// scalar's its header and all its lines, a flow collection's its brackets; a block collection's ends with its last
    /// child; a value that is not written has an empty range.
    package let range: Range<Int>
    /// The full tag where one is written, `tag:yaml.org,2002:str` for `!!str`; "!" for the non-specific tag.
    package let tag: String?
    /// The anchor defined here, or for an alias the name that it uses.
    package let anchor: String?

    /// Nodes below and including this one, and levels, both with aliases replaced by what they name.
    let expandedCount: Int
    let height: Int

    init(content: Content, range: Range<Int>, tag: String?, anchor: String?, expandedCount: Int, height: Int) {
        self.content = content
        self.range = range
        self.tag = tag
        self.anchor = anchor
        self.expandedCount = expandedCount
        self.height = height
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

extension YAMLNode {
    /// The node itself, or what an alias stands for.
    package var resolved: YAMLNode {
        if case .alias(let target) = content { target } else { self }
    }

    package var isAlias: Bool { if case .alias = content { true } else { false } }

    /// The text of a scalar (through an alias), whatever its style; `nil` for collections.
    package var text: String? {
        if case .scalar(let value, _) = resolved.content { value } else { nil }
    }

    package var style: YAMLScalarStyle? {
        if case .scalar(_, let style) = resolved.content { style } else { nil }
    }

    /// The items of a sequence (through an alias); `nil` for other nodes.
    package var items: [YAMLNode]? {
        if case .sequence(let items, _) = resolved.content { items } else { nil }
    }

    /// The pairs of a mapping (through an alias) as written, merge keys among them; `nil` for other nodes.
    package var pairs: [YAMLPair]? {
        if case .mapping(let pairs, _) = resolved.content { pairs } else { nil }
    }

    /// Whether the value is null: not written, `~`, or `null`, plain and without another tag.
    package var isNull: Bool {
        guard case .scalar(let value, .plain) = resolved.content else { return false }
        if let tag = resolved.tag { return tag == "tag:yaml.org,2002:null" }
        return value.isEmpty || value == "~" || value == "null" || value == "Null" || value == "NULL"
    }

    /// The value of a key of this mapping, through aliases and merge keys (`<<`); `nil` when there is none or when this
    /// is no mapping. Of keys written twice the last counts, as the parsers of Go take it.
    package subscript(key: String) -> YAMLNode? {
        guard let pairs else { return nil }
        for pair in pairs.reversed() where pair.key.text == key { return pair.value }
        for pair in pairs where pair.isMerge {
            for source in pair.value.items ?? [pair.value] {
                if let value = source[key] { return value }
            }
        }
        return nil
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
        guard case .scalar("<<", .plain) = key.content else { return false }
        return key.tag == nil || key.tag == "tag:yaml.org,2002:merge"
    }
}
