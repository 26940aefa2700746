import Cryptography
import Text

/// A mail of plain text: RFC 5322, with MIME (RFC 2045, 2047). All its lines end in CRLF, and none of a foreign text's own line breaks
/// gets there: headers lose them, and the body is in base64.
struct MailMessage: Sendable {
    let from: MailAddress
    let to: [MailAddress]
    let notices: [Notice]

    var bytes: [UInt8] {
        let first = notices.first
        let time = notices.map(\.time).max() ?? 0
        var headers = [
            // RFC 5322 has a number where HTTP says GMT.
            "Date: \(UTCDate(secondsSince1970: time).http.dropLast(3))+0000",
            "From: \(Self.mailbox(from))",
            Self.list("To", to.map(Self.mailbox)),
            Self.header("Subject", subject),
            "Message-ID: <\(first?.id ?? "none")@\(from.domain)>",
        ]
        // What belongs to one failure is one conversation.
        if notices.count == 1, let incident = first?.incident {
            let thread = Encoding.hexadecimal(SHA256.hash(Array(incident.utf8))).prefix(32)
            headers.append("References: <\(thread).incident@\(from.domain)>")
        }
        headers += [
            "Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All", "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64",
        ]
        return Array((headers.joined(separator: "\r\n") + "\r\n\r\n" + Self.body(text)).utf8)
    }

    private var subject: String {
        guard let first = notices.first else { return "Slipway" }
        return "[Slipway] \(first.title)" + (notices.count > 1 ? " (and \(notices.count - 1) more)" : "")
    }

    private var text: String {
        notices.map(\.summary).joined(separator: "\n\n-----\n\n") + "\n"
    }

    /// In lines of 76 characters.
    private static func body(_ text: String) -> String {
        // The text's own line breaks are those of mail, too.
        let bytes = Array(text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n").utf8)
        var rest = Encoding.base64(bytes)[...]
        var lines: [Substring] = []
        while !rest.isEmpty {
            lines.append(rest.prefix(76))
            rest = rest.dropFirst(76)
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    private static func mailbox(_ address: MailAddress) -> String {
        guard let name = address.name else { return address.address }
        return "\(phrase(name)) <\(address.address)>"
    }

    private static func phrase(_ name: String) -> String {
        guard isPlain(name), name.utf8.count <= 60 else { return words(name).joined(separator: "\r\n ") }
        var quoted = ""
        for character in name {
            if character == "\\" || character == "\"" { quoted.append("\\") }
            quoted.append(character)
        }
        return "\"\(quoted)\""
    }

    /// One address a line.
    private static func list(_ name: String, _ items: [String]) -> String {
        "\(name): " + items.joined(separator: ",\r\n ")
    }

    private static func header(_ name: String, _ text: String) -> String {
        let line = printable(text, limit: 400)
        // What looks like an encoded word would be decoded.
        guard !isPlain(line) || line.utf8.count > 70 - name.utf8.count || line.contains("=?") else {
            return "\(name): \(line)"
        }
        return "\(name): " + words(line).joined(separator: "\r\n ")
    }

    private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20..<0x7f).contains($0) } }

    /// RFC 2047, 2: encoded words of 75 characters at most, cut between characters.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var part: [UInt8] = []
        func close() {
            guard !part.isEmpty else { return }
            words.append("=?utf-8?B?\(Encoding.base64(part))?=")
            part = []
        }
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            if part.count + bytes.count > 39 { close() }
            part += bytes
        }
        close()
        return words
    }
}
