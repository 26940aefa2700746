import FoundationEssentials

/// `{"$imagepolicy": "namespace:name[:tag|:name|:digest]"}`, the text of a Flux v2 marker.
struct Marker: Equatable {
    let namespace: String
    let name: String
    let field: ImageTarget.Field

    /// - Parameter comment: a whole comment with its `#`. Text around the JSON object, or a value in it that is no
    /// string,
    ///   makes it an ordinary comment.
    init?(comment: ArraySlice<UInt8>) {
        let isPadding = { (byte: UInt8) in byte == UInt8(ascii: "#") || byte == 0x20 || byte == 0x09 }
        var text = comment.drop(while: isPadding)
        while let last = text.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
        guard text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}"),
            let setter = Self.usual(text) ?? Self.decoded(text)
        else { return nil }
        let parts = setter.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        (namespace, name) = (parts[0], parts[1])
        switch parts.count == 3 ? parts[2] : nil {
        case nil: field = .reference(prefix: "")
        case "tag": field = .tag(name: nil)
        case "name": field = .name
        case "digest": field = .digest
        default: return nil
        }
    }

    /// The form that nearly every marker has, without a JSON parser.
    private static func usual(_ text: ArraySlice<UInt8>) -> String? {
        for opening in [#"{"$imagepolicy": ""#, #"{"$imagepolicy":""#] where text.starts(with: opening.utf8) {
            let value = text.dropFirst(opening.utf8.count).dropLast()
            guard value.last == UInt8(ascii: "\"") else { return nil }
            let body = value.dropLast()
            let isSimple = body.allSatisfy { (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
            return isSimple ? String(decoding: body, as: UTF8.self) : nil
        }
        return nil
    }

    private static func decoded(_ text: ArraySlice<UInt8>) -> String? {
        guard text.count <= 4096 else { return nil }
        return (try? JSONDecoder().decode([String: String].self, from: Data(text)))?["$imagepolicy"]
    }
}
