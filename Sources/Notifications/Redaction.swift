import Text

/// Takes secrets out of what others say: hosts quote what they were sent, and libraries the URLs that they were given.
struct Redaction: Sendable {
    /// The longest first, so that none is left in part.
    private let secrets: [String]

    /// What is shorter is too likely a word.
    private static let shortest = 6

    /// - Parameter urls: of which all behind the host is secret.
    init(_ secrets: [String] = [], urls: [String] = []) {
        let all = secrets + urls.flatMap(Self.parts)
        self.secrets = Set(all.filter { $0.utf8.count >= Self.shortest })
            .sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
    }

    /// The URL, and what of it says something alone.
    private static func parts(of url: String) -> [String] {
        guard let scheme = url.firstRange(of: "://") else { return [url] }
        let rest = url[scheme.upperBound...]
        guard let slash = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return [] }
        let tail = rest[slash...]
        let pieces = tail.split { "/?&=".contains($0) }.map(String.init)
        return [url, String(tail), String(tail.dropFirst())] + pieces.filter { $0.utf8.count >= 16 }
    }

    /// One line of foreign text, for a message.
    func line(_ text: String, limit: Int = 200) -> String {
        var text = String(text.prefix(4_096))
        for secret in secrets { text = text.replacing(secret, with: "[secret]") }
        return printable(text.split(whereSeparator: \.isNewline).joined(separator: " "), limit: limit)
    }
}
