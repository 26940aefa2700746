import CYAML

/// One event of libyaml with the byte range that it covers.
struct Event {
    enum Kind {
        case streamEnd
        case documentStart
        case documentEnd
        case alias(String)
        case scalar(String, YAMLScalarStyle)
        case sequenceStart(isFlow: Bool)
        case sequenceEnd
        case mappingStart(isFlow: Bool)
        case mappingEnd
    }

    var kind: Kind
    /// Of the event as libyaml marks it, anchor and tag included.
    var range: Range<Int>
    var tag: String?
    var anchor: String?
}

/// What libyaml objects to, and where.
struct ParseFailure: Error {
    var isEncoding: Bool
    var problem: String
    var offset: Int
}

/// Owns libyaml's parser over bytes that the caller keeps in place while this lives.
///
/// libyaml marks positions in code points and leaves a byte order mark out of the count. The parser is therefore given the
/// text after the mark, and every position is turned into a byte offset by a cursor that moves with the events: they come
/// almost in order, so the whole stream costs one pass.
struct EventParser: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let bytes: UnsafeBufferPointer<UInt8>
    /// Where the text starts: 0, or 3 after a byte order mark.
    private let base: Int
    private let isASCII: Bool
    private var cursor: (codePoint: Int, byte: Int)

    /// - Parameter bytes: the whole stream, UTF-8.
    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        parser = .allocate(capacity: 1)
        self.bytes = bytes
        base = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF ? 3 : 0
        isASCII = !bytes[base...].contains { $0 >= 0x80 }
        cursor = (0, base)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            return nil
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress.map { $0 + base }, bytes.count - base)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    mutating func next() throws(ParseFailure) -> Event {
        while true {
            var raw = yaml_event_t()
            guard yaml_parser_parse(parser, &raw) == 1 else { throw failure() }
            defer { yaml_event_delete(&raw) }
            guard let kind = Self.kind(of: raw) else { continue }
            let start = byteOffset(of: raw.start_mark.index)
            let end = byteOffset(of: raw.end_mark.index)
            var event = Event(kind: kind, range: start..<max(start, end))
            switch kind {
            case .scalar:
                event.tag = Self.string(raw.data.scalar.tag)
                event.anchor = Self.string(raw.data.scalar.anchor)
            case .sequenceStart:
                event.tag = Self.string(raw.data.sequence_start.tag)
                event.anchor = Self.string(raw.data.sequence_start.anchor)
            case .mappingStart:
                event.tag = Self.string(raw.data.mapping_start.tag)
                event.anchor = Self.string(raw.data.mapping_start.anchor)
            default: break
            }
            return event
        }
    }

    private static func kind(of raw: yaml_event_t) -> Event.Kind? {
        switch raw.type {
        case YAML_STREAM_END_EVENT: .streamEnd
        case YAML_DOCUMENT_START_EVENT: .documentStart
        case YAML_DOCUMENT_END_EVENT: .documentEnd
        case YAML_ALIAS_EVENT: .alias(string(raw.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            .scalar(
                raw.data.scalar.value.map {
                    String(decoding: UnsafeBufferPointer(start: $0, count: raw.data.scalar.length), as: UTF8.self)
                } ?? "", style(of: raw.data.scalar.style))
        case YAML_SEQUENCE_START_EVENT:
            .sequenceStart(isFlow: raw.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE)
        case YAML_SEQUENCE_END_EVENT: .sequenceEnd
        case YAML_MAPPING_START_EVENT: .mappingStart(isFlow: raw.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE)
        case YAML_MAPPING_END_EVENT: .mappingEnd
        default: nil
        }
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
