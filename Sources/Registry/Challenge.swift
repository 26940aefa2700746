/// How a registry wants to be convinced: a `WWW-Authenticate` header.
///
/// Grammar: RFC 9110, 11.6.1; the Bearer parameters: https://distribution.github.io/distribution/spec/auth/token/.
struct Challenge: Hashable, Sendable {
    /// In lower case.
    let scheme: String
    /// Names in lower case.
    let parameters: [String: String]

    /// All challenges of one header value; text that is none is passed over.
    static func parse(_ text: String) -> [Challenge] {
        var challenges: [Challenge] = []
        var scheme: String?
        var parameters: [String: String] = [:]
        var rest = Array(text.utf8)[...]

        func isSeparator(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == UInt8(ascii: ",") }
        func finish() {
            if let scheme { challenges.append(Challenge(scheme: scheme, parameters: parameters)) }
            parameters = [:]
        }
        while true {
            rest = rest.drop(while: isSeparator)
            let word = rest.prefix { !isSeparator($0) && $0 != UInt8(ascii: "=") }
            guard !word.isEmpty else {
                // Only a stray "=" can be here, or the end.
                if rest.isEmpty { break }
                rest = rest.dropFirst()
                continue
            }
            rest = rest.dropFirst(word.count)
            let name = String(decoding: word, as: UTF8.self).lowercased()
            guard rest.first == UInt8(ascii: "=") else {
                finish()
                scheme = name
                continue
            }
            rest = rest.dropFirst()
            parameters[name] = value(&rest)
        }
        finish()
        return challenges
    }

    private static func value(_ rest: inout ArraySlice<UInt8>) -> String {
        guard rest.first == UInt8(ascii: "\"") else {
            let token = rest.prefix { $0 != 0x20 && $0 != UInt8(ascii: ",") }
            rest = rest.dropFirst(token.count)
            return String(decoding: token, as: UTF8.self)
        }
        rest = rest.dropFirst()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
            if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                bytes.append(escaped)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
