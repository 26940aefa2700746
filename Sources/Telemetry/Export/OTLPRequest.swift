import FoundationEssentials

/// The JSON of an `ExportTraceServiceRequest`: ids as hexadecimal digits, 64-bit numbers as text, enumerations as numbers (OTLP 1.x,
/// "JSON Protobuf Encoding").
struct OTLPRequest: Encodable {
    private let resourceSpans: [ResourceSpans]

    /// - Parameters:
    ///   - resource: the attributes of this process.
    ///   - version: of what makes the spans.
    init(_ spans: [SpanRecord], resource: [String: String], version: String) {
        resourceSpans = [
            ResourceSpans(
                resource: Resource(
                    attributes: resource.sorted { $0.key < $1.key }.map {
                        KeyValue(key: $0.key, value: Value(.text($0.value)))
                    }),
                scopeSpans: [ScopeSpans(scope: Scope(name: "slipway", version: version), spans: spans.map(Item.init))])
        ]
    }

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return [UInt8](try encoder.encode(self))
    }

    private struct ResourceSpans: Encodable {
        let resource: Resource
        let scopeSpans: [ScopeSpans]
    }

    private struct Resource: Encodable { let attributes: [KeyValue] }

    private struct ScopeSpans: Encodable {
        let scope: Scope
        let spans: [Item]
    }

    private struct Scope: Encodable {
        let name: String
        let version: String
    }

    private struct Item: Encodable {
        let traceId: String
        let spanId: String
        let parentSpanId: String?
        let flags: UInt32
        let name: String
        let kind: Int
        let startTimeUnixNano: String
        let endTimeUnixNano: String
        let attributes: [KeyValue]
        let links: [Link]?
        let status: Status?

        init(_ span: SpanRecord) {
            traceId = span.context.trace.hexadecimal
            spanId = SpanContext.hexadecimal(span.context.span)
            parentSpanId = span.parent.map { SpanContext.hexadecimal($0.span) }
            flags = Link.flags(of: span.context, isRemote: span.parent?.isRemote ?? false)
            name = span.name
            kind = span.kind.rawValue
            startTimeUnixNano = "\(span.start)"
            endTimeUnixNano = "\(span.end)"
            attributes = span.attributes.sorted { $0.key < $1.key }.map {
                KeyValue(key: $0.key, value: Value($0.value))
            }
            links = span.links.isEmpty ? nil : span.links.map(Link.init)
            status = span.failure.map { Status(code: 2, message: $0.message) }
        }
    }

    private struct Link: Encodable {
        let traceId: String
        let spanId: String
        let flags: UInt32

        init(_ context: SpanContext) {
            traceId = context.trace.hexadecimal
            spanId = SpanContext.hexadecimal(context.span)
            flags = Self.flags(of: context, isRemote: context.isRemote)
        }

        /// The trace flags, and whether the parent is remote (`SpanFlags` of trace.proto).
        static func flags(of context: SpanContext, isRemote: Bool) -> UInt32 {
            (context.isSampled ? 1 : 0) | 0x100 | (isRemote ? 0x200 : 0)
        }
    }

    private struct Status: Encodable {
        let code: Int
        let message: String
    }

    private struct KeyValue: Encodable {
        let key: String
        let value: Value
    }

    private struct Value: Encodable {
        private let value: AttributeValue

        init(_ value: AttributeValue) { self.value = value }

        private enum Keys: String, CodingKey { case stringValue, intValue, boolValue, arrayValue, values }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            switch value {
            case .text(let text): try container.encode(text, forKey: .stringValue)
            case .integer(let number): try container.encode("\(number)", forKey: .intValue)
            case .flag(let flag): try container.encode(flag, forKey: .boolValue)
            case .texts(let texts):
                var array = container.nestedContainer(keyedBy: Keys.self, forKey: .arrayValue)
                try array.encode(texts.map { Value(.text($0)) }, forKey: .values)
            }
        }
    }
}

/// What a collector answers: it may have taken only a part.
struct OTLPAnswer: Decodable {
    struct PartialSuccess: Decodable {
        /// A 64-bit number: text or a number.
        let rejected: Int

        private enum Keys: String, CodingKey { case rejectedSpans }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            if let text = try? container.decode(String.self, forKey: .rejectedSpans) {
                rejected = Int(text) ?? 0
            } else {
                rejected = (try? container.decode(Int.self, forKey: .rejectedSpans)) ?? 0
            }
        }
    }

    let partialSuccess: PartialSuccess?

    /// Spans that were not taken.
    static func rejected(in body: [UInt8]) -> Int {
        (try? JSONDecoder().decode(OTLPAnswer.self, from: Data(body)))?.partialSuccess?.rejected ?? 0
    }
}
