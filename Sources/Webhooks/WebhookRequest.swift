/// A request of a sender, before anything of it is believed.
package struct WebhookRequest: Sendable {
    package let method: String
    /// What follows the receiver's name in the path; empty where nothing does. A secret of those senders that have no other way.
    package let pathSecret: String
    /// In the order in which they came, names in any case.
    private let headers: [(name: String, value: String)]
    /// As it came: signatures are over these bytes.
    package let body: [UInt8]

    package init(
        method: String, pathSecret: String = "", headers: [(name: String, value: String)], body: [UInt8]
    ) {
        self.method = method
        self.pathSecret = pathSecret
        self.headers = headers
        self.body = body
    }

    /// A header that may be there once; `nil` where it is missing, empty, or there several times, for then nobody can say which counts.
    package func header(_ name: String) -> String? {
        let name = name.lowercased()
        let all = headers.filter { $0.name.lowercased() == name }
        guard all.count == 1, let value = all.first.map({ Self.trimmed($0.value) }), !value.isEmpty else { return nil }
        return value
    }

    /// A media type without its parameters, in lower case.
    var contentType: String {
        Self.trimmed((header("Content-Type") ?? "").lowercased().prefix { $0 != ";" })
    }

    /// Without the blanks that HTTP allows around a value (RFC 9110, 5.6.3).
    private static func trimmed(_ text: some StringProtocol) -> String {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        let start = text.drop(while: isBlank)
        return String(start.prefix(upTo: start.lastIndex { !isBlank($0) }.map(start.index(after:)) ?? start.startIndex))
    }
}
