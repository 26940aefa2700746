import Text

/// A body that some hosts send as a form: the JSON is in its field `payload`.
enum FormBody {
    /// The JSON of a request; `nil` where it is a form without it.
    static func content(of request: WebhookRequest) -> [UInt8]? {
        guard request.contentType == "application/x-www-form-urlencoded" else { return request.body }
        let name = Array("payload=".utf8)
        let field = request.body.split(separator: UInt8(ascii: "&")).first { $0.starts(with: name) }
        return field.flatMap { decode($0.dropFirst(name.count)) }
    }

    /// - Returns: `nil` where a `%` is not followed by two digits.
    private static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(Hexadecimal.value),
                    let low = rest.popFirst().flatMap(Hexadecimal.value)
                else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return bytes
    }
}
