/// The texts of URLs, as far as the builder has to know them.
enum RemoteName {
    /// Without what may be secret: user, query and fragment.
    static func shown(_ url: String) -> String {
        let plain = url.prefix { $0 != "?" && $0 != "#" }
        let parts = plain.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[1].isEmpty, let at = parts[2].lastIndex(of: "@") else { return String(plain) }
        let host = parts[2][parts[2].index(after: at)...]
        return ([parts[0], parts[1], host] + parts.dropFirst(3)).joined(separator: "/")
    }

    /// The host without user and port, in lower case; `nil` where there is none.
    static func host(of url: String) -> String? {
        var authority: Substring
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        if parts.count >= 3, parts[0].hasSuffix(":"), parts[1].isEmpty {
            authority = parts[2].prefix { $0 != "?" && $0 != "#" }
        } else if let colon = url.firstIndex(of: ":") {
            // user@host:path
            authority = url[..<colon]
        } else {
            return nil
        }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        if authority.first == "[" {
            authority = authority.dropFirst().prefix { $0 != "]" }
        } else {
            authority = authority.prefix { $0 != ":" }
        }
        return authority.isEmpty ? nil : authority.lowercased()
    }

    /// What a downloaded file is called: the last name of the URL's path; `nil` when it has none.
    static func fileName(of url: String) -> String? {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        let path = decoded(String(parts[3].prefix { $0 != "?" && $0 != "#" }))
        guard let last = path.split(separator: "/").last(where: { $0 != "." }), last != "..",
            !last.utf8.contains(0), last.utf8.count <= 255
        else { return nil }
        return String(last)
    }

    /// A user and a password in a URL of the web would stay readable in the image's history.
    static func refuseCredentials(in url: String) throws(BuildError) {
        guard url.lowercased().hasPrefix("http") else { return }
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[1].isEmpty, parts[2].contains("@") else { return }
        throw BuildError(
            .dockerfile, "the URL \(shown(url)) holds a user or a password", cause: "the image's history would show it",
            hint: "give the secret HTTP_AUTH_TOKEN_HOST (for git: GIT_AUTH_TOKEN.HOST) instead, by --secret")
    }

    /// Percent-encoding removed; what is none is kept.
    static func decoded(_ text: String) -> String {
        guard text.utf8.contains(0x25) else { return text }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x25, index + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                result.append(value)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
    }
}
