/// `.gitmodules`: https://git-scm.com/docs/gitmodules
enum SubmoduleFile {
    /// Addresses by path.
    static func addresses(_ bytes: [UInt8]) -> [String: String] {
        var found: [String: String] = [:]
        var path: String?
        var address: String?
        func end() {
            if let path, let address { found[path] = address }
            path = nil
            address = nil
        }
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let text = trimmed(line)
            if text.hasPrefix("[") {
                end()
                continue
            }
            guard let equals = text.firstIndex(of: "=") else { continue }
            let value = Self.value(trimmed(text[text.index(after: equals)...]))
            switch trimmed(text[..<equals]).lowercased() {
            case "path": path = value.hasSuffix("/") ? String(value.dropLast()) : value
            case "url": address = value
            default: break
            }
        }
        end()
        return found
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }

    /// Quotes and escapes removed, and a comment behind.
    private static func value(_ text: Substring) -> String {
        var result = ""
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if isEscaped {
                result.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if !isQuoted, character == "#" || character == ";" {
                break
            } else {
                result.append(character)
            }
        }
        return isQuoted ? result : String(trimmed(result[...]))
    }

    /// `../other.git` is beside the repository that says so.
    static func resolve(_ address: String, against remote: String) -> String {
        guard address.hasPrefix("./") || address.hasPrefix("../") else { return address }
        var base = remote[...]
        while base.hasSuffix("/") { base.removeLast() }
        var rest = address[...]
        while true {
            if rest.hasPrefix("./") {
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("../") {
                rest = rest.dropFirst(3)
                guard let cut = base.lastIndex(where: { $0 == "/" || $0 == ":" }) else { break }
                base = base[..<cut]
            } else {
                break
            }
        }
        return base + "/" + rest
    }
}
