import CYAML
import Glibc

/// What sort of event libyaml came to; its texts are asked of the parser.
enum EventKind {
    case streamEnd
    case documentStart
    case documentEnd
    case alias
    case scalar(YAMLScalarStyle)
    case sequenceStart(isFlow: Bool)
    case sequenceEnd
    case mappingStart(isFlow: Bool)
    case mappingEnd
}

/// What libyaml objects to, and where.
struct ParseFailure: Error {
    var isEncoding: Bool
    var problem: String
    var offset: Int
}

/// Owns libyaml's parser over bytes that the caller keeps in place while this lives.
///
/// libyaml marks positions in code points and leaves a byte order mark out of the count. The parser is therefore given
/// the text after the mark, and every position is turned into a byte offset by a cursor that moves with the events:
/// they come almost in order, so the whole stream costs one pass.
struct EventParser: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// The current event: its texts are libyaml's, and copied only when they are asked for.
    private let event: UnsafeMutablePointer<yaml_event_t>
    private let bytes: UnsafeBufferPointer<UInt8>
    /// Where the text starts: 0, or 3 after a byte order mark.
    private let base: Int
    private let isASCII: Bool
    private var cursor: (codePoint: Int, byte: Int)
    /// The current event's bytes as libyaml marks them, anchor and tag included.
    private(set) var range = 0..<0

    /// - Parameter bytes: the whole stream, UTF-8.
    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        parser = .allocate(capacity: 1)
        event = .allocate(capacity: 1)
        event.initialize(to: yaml_event_t())
        self.bytes = bytes
        base = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF ? 3 : 0
        isASCII = Self.isASCII(UnsafeBufferPointer(rebasing: bytes[base...]))
        cursor = (0, base)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            event.deallocate()
            return nil
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress.map { $0 + base }, bytes.count - base)
    }

    private static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var all: UInt8 = 0
        for byte in bytes { all |= byte }
        return all < 0x80
    }

    deinit {
        yaml_event_delete(event)
        yaml_parser_delete(parser)
        event.deallocate()
        parser.deallocate()
    }

    /// Goes on to the next event. Its texts are valid until the next call.
    mutating func next() throws(ParseFailure) -> EventKind {
        while true {
            yaml_event_delete(event)
            guard yaml_parser_parse(parser, event) == 1 else { throw failure() }
            guard let kind else { continue }
            let start = byteOffset(of: event.pointee.start_mark.index)
            range = start..<max(start, byteOffset(of: event.pointee.end_mark.index))
            return kind
        }
    }

    private var kind: EventKind? {
        switch event.pointee.type {
        case YAML_STREAM_END_EVENT: .streamEnd
        case YAML_DOCUMENT_START_EVENT: .documentStart
        case YAML_DOCUMENT_END_EVENT: .documentEnd
        case YAML_ALIAS_EVENT: .alias
        case YAML_SCALAR_EVENT: .scalar(Self.style(of: event.pointee.data.scalar.style))
        case YAML_SEQUENCE_START_EVENT:
            .sequenceStart(isFlow: event.pointee.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE)
        case YAML_SEQUENCE_END_EVENT: .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            .mappingStart(isFlow: event.pointee.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE)
        case YAML_MAPPING_END_EVENT: .mappingEnd
        default: nil
        }
    }

    /// The value of a scalar event; it may hold NUL. Valid until the next event.
    private var valueBytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: event.pointee.data.scalar.value, count: event.pointee.data.scalar.length)
    }

    var value: String { String(decoding: valueBytes, as: UTF8.self) }

    func appendValue(to texts: inout [UInt8]) { texts.append(contentsOf: valueBytes) }

    /// Whether the event has an anchor or a tag.
    var hasProperties: Bool { rawTag != nil || rawAnchor != nil }

    var tag: String? { Self.string(rawTag) }

    /// The anchor that the event defines, or the name that an alias uses.
    var anchor: String? { Self.string(rawAnchor) }

    private var rawTag: UnsafeMutablePointer<yaml_char_t>? {
        switch event.pointee.type {
        case YAML_SCALAR_EVENT: event.pointee.data.scalar.tag
        case YAML_SEQUENCE_START_EVENT: event.pointee.data.sequence_start.tag
        case YAML_MAPPING_START_EVENT: event.pointee.data.mapping_start.tag
        default: nil
        }
    }

    private var rawAnchor: UnsafeMutablePointer<yaml_char_t>? {
        switch event.pointee.type {
        case YAML_SCALAR_EVENT: event.pointee.data.scalar.anchor
        case YAML_SEQUENCE_START_EVENT: event.pointee.data.sequence_start.anchor
        case YAML_MAPPING_START_EVENT: event.pointee.data.mapping_start.anchor
        case YAML_ALIAS_EVENT: event.pointee.data.alias.anchor
        default: nil
        }
    }

    /// Whether the scalar's value is the recorded one, without a copy of either.
    func hasValue(_ record: EventTape.Record, of tape: EventTape) -> Bool { tape.holds(record, valueBytes) }

    func hasValue(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { $0.isSame(as: valueBytes) }
    }

    func hasProperties(_ properties: EventTape.Properties) -> Bool {
        Self.holds(rawTag, properties.tag) && Self.holds(rawAnchor, properties.anchor)
    }

    private static func holds(_ pointer: UnsafeMutablePointer<yaml_char_t>?, _ text: String?) -> Bool {
        guard let pointer else { return text == nil }
        return text == String(cString: pointer)
    }

    private static func style(of style: yaml_scalar_style_t) -> YAMLScalarStyle {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
        case YAML_LITERAL_SCALAR_STYLE: .literal
        case YAML_FOLDED_SCALAR_STYLE: .folded
        default: .plain
        }
    }

    private static func string(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private mutating func byteOffset(of codePoint: Int) -> Int {
        if isASCII { return min(base + codePoint, bytes.count) }
        var (at, byte) = cursor
        while at < codePoint, byte < bytes.count {
            byte += 1
            while byte < bytes.count, bytes[byte] & 0xC0 == 0x80 { byte += 1 }
            at += 1
        }
        while at > codePoint, byte > base {
            byte -= 1
            while byte > base, bytes[byte] & 0xC0 == 0x80 { byte -= 1 }
            at -= 1
        }
        cursor = (at, byte)
        return byte
    }

    private mutating func failure() -> ParseFailure {
        let raw = parser.pointee
        let problem = raw.problem.map { String(cString: $0) } ?? "out of memory"
        if raw.error == YAML_READER_ERROR {
            // The reader counts bytes, from behind the byte order mark.
            return ParseFailure(
                isEncoding: true, problem: problem, offset: min(base + max(0, raw.problem_offset), bytes.count))
        }
        return ParseFailure(isEncoding: false, problem: problem, offset: byteOffset(of: raw.problem_mark.index))
    }
}
