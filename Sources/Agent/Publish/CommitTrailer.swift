import Text

/// The machine-readable end of the agent's own commit messages, one line for each change:
///
///     Slipway-Update: apps/web.yaml default:deployment/web app acme/web:v3 acme/web:v4
///
/// File, workload, container, old and new image, with a blank between two; what would be taken for a blank or a line end in
/// them is percent-encoded. It tells the agent's own commits from people's: they never cause a build.
package enum CommitTrailer {
    package static let key = "Slipway-Update"

    /// What a trailer says.
    package struct Change: Hashable, Sendable {
        package var file: String
        package var workload: String
        package var container: String
        package var old: String
        package var new: String
    }

    package static func line(_ update: CycleReport.Update) -> String {
        let fields = [update.file, update.workload, update.container, update.old, update.new]
        return "\(key): " + fields.map(encoded).joined(separator: " ")
    }

    private static let commandKey = "Slipway-Command"

    /// That a person asked for the changes, by which command, and who.
    static func lines(_ command: PersonalCommand) -> [String] {
        var lines = ["\(commandKey): \(command.verb)"]
        if let user = command.user, !user.allSatisfy(\.isWhitespace) {
            lines.append("Slipway-User: " + user.map { $0.isNewline ? " " : String($0) }.joined())
        }
        return lines
    }

    /// Whether a commit carries out what a person asked for by a command.
    static func isCommand(_ message: String) -> Bool {
        block(message).contains { $0.hasPrefix("\(commandKey): ") }
    }

    /// Whether a commit message ends with a block of trailers that holds one of ours.
    package static func isOwn(_ message: String) -> Bool {
        block(message).contains { $0.hasPrefix("\(key): ") }
    }

    /// The changes that a commit message of the agent's tells.
    package static func changes(in message: String) -> [Change] {
        block(message).filter { $0.hasPrefix("\(key): ") }.compactMap { line in
            let fields = line.dropFirst(key.count + 2).split(separator: " ", omittingEmptySubsequences: false)
            guard fields.count == 5 else { return nil }
            let values = fields.map(decoded)
            return Change(file: values[0], workload: values[1], container: values[2], old: values[3], new: values[4])
        }
    }

    /// The message with trailers at its end, in one block with those that it has already (`Signed-off-by`).
    static func appended(_ lines: [String], to body: String) -> String {
        var body = body
        while let last = body.last, last.isWhitespace { body.removeLast() }
        let block = block(body)
        let isBlock =
            block.count < body.split(separator: "\n", omittingEmptySubsequences: false).count
            && !block.isEmpty && block.allSatisfy(isTrailer)
        return body + (isBlock ? "\n" : "\n\n") + lines.joined(separator: "\n") + "\n"
    }

    /// The lines of the last paragraph.
    private static func block(_ message: String) -> [Substring] {
        let lines = message.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.reversed().drop { $0.isEmpty }.prefix { !$0.isEmpty }.reversed()
    }

    private static func isTrailer(_ line: Substring) -> Bool {
        guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else { return false }
        return line[..<colon].utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || byte == UInt8(ascii: "-")
        } && line[line.index(after: colon)...].hasPrefix(" ")
    }

    private static func encoded(_ text: String) -> String {
        text.isEmpty ? "%" : PercentEncoding.encode(text) { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "%") }
    }

    private static func decoded(_ text: Substring) -> String {
        text == "%" ? "" : PercentEncoding.decode(text) ?? String(text)
    }
}
