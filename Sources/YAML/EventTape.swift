import Glibc

/// A whole stream as libyaml told it, flat: one record a node, in the order of the text, every collection right before
/// its children. Trees are views of it (`YAMLNode`), so reading a file costs no allocation a node.
final class EventTape: Sendable {
    enum Kind: UInt8 {
        case plain, singleQuoted, doubleQuoted, literal, folded
        case alias
        case blockSequence, flowSequence, blockMapping, flowMapping

        init(_ style: YAMLScalarStyle) {
            self =
                switch style {
                case .plain: .plain
                case .singleQuoted: .singleQuoted
                case .doubleQuoted: .doubleQuoted
                case .literal: .literal
                case .folded: .folded
                }
        }

        var isScalar: Bool { rawValue <= Kind.folded.rawValue }
        var isSequence: Bool { self == .blockSequence || self == .flowSequence }
        var isMapping: Bool { self == .blockMapping || self == .flowMapping }
        var isFlow: Bool { self == .flowSequence || self == .flowMapping }

        /// Of scalars only.
        var style: YAMLScalarStyle {
            switch self {
            case .singleQuoted: .singleQuoted
            case .doubleQuoted: .doubleQuoted
            case .literal: .literal
            case .folded: .folded
            default: .plain
            }
        }
    }

    /// Offsets and indexes fit into 32 bits: the limits on size and nodes see to that.
    struct Record {
        var kind: Kind
        /// The node's bytes, without anchor and tag.
        var start: UInt32
        var end: UInt32
        /// Of a scalar: where its value is in `texts`, and its length. Of an alias: what it stands for.
        var value: UInt32
        var length: UInt32
        /// The record behind this node and all that it holds.
        var next: UInt32
        /// In `properties`; the first of them is empty and means none.
        var properties: UInt32
    }

    struct Properties {
        var tag: String?
        var anchor: String?
    }

    let records: [Record]
    let texts: [UInt8]
    let properties: [Properties]

    init(records: [Record], texts: [UInt8], properties: [Properties]) {
        self.records = records
        self.texts = texts
        self.properties = properties
    }

    func text(_ record: Record) -> String {
        texts.withUnsafeBufferPointer {
            String(
                decoding: UnsafeBufferPointer(rebasing: $0[Int(record.value)..<Int(record.value) + Int(record.length)]),
                as: UTF8.self)
        }
    }

    /// Whether the scalar's value is this text, without a copy of it.
    func holds(_ record: Record, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard Int(record.length) == text.count else { return false }
        return texts.withUnsafeBufferPointer {
            UnsafeBufferPointer(rebasing: $0[Int(record.value)..<Int(record.value) + text.count]).isSame(as: text)
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    func isSame(as other: UnsafeBufferPointer<UInt8>) -> Bool {
        guard count == other.count else { return false }
        guard let base = baseAddress, let otherBase = other.baseAddress else { return true }
        return memcmp(base, otherBase, count) == 0
    }
}
