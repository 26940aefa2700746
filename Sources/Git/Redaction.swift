/// Takes what may be secret out of text that people will read.
enum Redaction {
    /// Removes user information and queries from every URL in a text.
    static func urls(in text: String) -> String {
        guard text.contains("://") else { return text }
        var result = ""
        var rest = text[...]
        while let separator = rest.range(of: "://") {
            result += rest[..<separator.upperBound]
            rest = rest[separator.upperBound...]
            let end = rest.firstIndex { $0.isWhitespace || "'\"<>)".contains($0) } ?? rest.endIndex
            var url = rest[..<end]
            let authorityEnd = url.firstIndex(of: "/") ?? url.endIndex
            if let at = url[..<authorityEnd].lastIndex(of: "@") { url = url[url.index(after: at)...] }
            if let query = url.firstIndex(where: { $0 == "?" || $0 == "#" }) { url = url[..<query] }
            result += url
            rest = rest[end...]
        }
        return result + rest
    }

    /// A server's text for a terminal: no control characters, one line, bounded.
    static func serverText(_ bytes: [UInt8], limit: Int = 2000) -> String {
        let text = String(decoding: bytes.prefix(limit), as: UTF8.self)
        let lines = text.split(whereSeparator: { $0.isNewline || $0 == "\r" })
            .map { line in
                String(
                    String.UnicodeScalarView(line.unicodeScalars.filter { $0.properties.generalCategory != .control }))
            }
            .map { line in String(line.drop(while: \.isWhitespace)) }
            .filter { !$0.isEmpty }
        return urls(in: lines.joined(separator: " / "))
    }
}

extension Substring {
    /// Where a short needle first occurs; the standard library has no such search without Foundation.
    fileprivate func range(of needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
            start = index(after: start)
        }
        return nil
    }
}
