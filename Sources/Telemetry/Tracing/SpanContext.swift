import Cryptography

/// Names a trace: 16 bytes, not all zero.
package struct TraceID: Sendable, Hashable {
    let high: UInt64
    let low: UInt64

    var hexadecimal: String { SpanContext.hexadecimal(high) + SpanContext.hexadecimal(low) }
}

/// What names a span, and whether its trace is recorded.
package struct SpanContext: Sendable, Hashable {
    package let trace: TraceID
    /// Not zero.
    let span: UInt64
    package let isSampled: Bool
    /// Whether another process made the span.
    var isRemote = false

    init(trace: TraceID, span: UInt64, isSampled: Bool) {
        self.trace = trace
        self.span = span
        self.isSampled = isSampled
    }

    /// Reads a `traceparent` header; `nil` when it is malformed (W3C Trace Context, section 3.2).
    package init?(traceparent: String) {
        let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].utf8.count == 2, parts[0] != "ff", parts.count == 4 || parts[0] != "00",
            parts[1].utf8.count == 32, parts[2].utf8.count == 16, parts[3].utf8.count == 2,
            Self.number(parts[0]) != nil, let high = Self.number(parts[1].prefix(16)),
            let low = Self.number(parts[1].suffix(16)), let span = Self.number(parts[2]),
            let flags = Self.number(parts[3]), high | low != 0, span != 0
        else { return nil }
        self.init(trace: TraceID(high: high, low: low), span: span, isSampled: flags & 1 == 1)
        isRemote = true
    }

    /// Only lower-case digits count.
    private static func number(_ digits: Substring) -> UInt64? {
        guard digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { return nil }
        return UInt64(digits, radix: 16)
    }

    static func hexadecimal(_ number: UInt64) -> String {
        Encoding.hexadecimal((0..<8).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) })
    }
}
