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

    /// What makes a comment that speaks of an image policy no marker; `nil` for a marker.
    static func problem(of comment: ArraySlice<UInt8>) -> String? {
        if Marker(comment: comment) != nil { return nil }
        let form =
            "the comment has to be one JSON object like {\"$imagepolicy\": \"namespace:name:tag\"}, with nothing around it"
        guard let start = comment.firstIndex(of: UInt8(ascii: "{")), let end = comment.lastIndex(of: UInt8(ascii: "}")),
            start < end, let setter = decoded(comment[start...end])
        else { return form }
        let parts = setter.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 3, !["tag", "name", "digest"].contains(parts[2]) {
            return
                "':\(parts[2].prefix(40))' is no part of an image: write ':tag', ':name' or ':digest', or nothing behind the "
                + "policy for the whole image"
        }
        if !(2...3).contains(parts.count) || parts[0].isEmpty || parts[1].isEmpty {
            return "'\(setter.prefix(80))' names no image policy: write namespace:name"
        }
        return form
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
