import Forge
import OCI

/// What the agent notes at the end of a pull request's description, in a comment that hosts do not show:
///
///     <!-- slipway-update: 1f2e3d4c5b6a 0a1b2c3d4e5f auto-merge=on@1a2b3c4 -->
///
/// It names the pull request's change: one digest for each update, over the file, the place and the new value. So the change is
/// known again whatever commit carries it, and an agent with an empty disk knows what people refused.
struct PullRequestMarker: Equatable, Sendable {
    enum AutoMerge: Equatable, Sendable {
        /// It was turned on for this head. Where it is off now, a person turned it off.
        case on(head: String)
        /// It is left to people.
        case off
    }

    /// The updates, sorted.
    private(set) var changes: [String]
    var autoMerge: AutoMerge?
    /// The agent closed it: nobody refused it.
    var isWithdrawn = false

    private static let opening = "<!-- slipway-update:"
    private static let closing = "-->"
    private static let digestLength = 12

    /// - Parameter limit: how many updates are named one by one; more are named by one digest over all.
    init(of updates: [CycleReport.Update], limit: Int = PullRequestLimits().changes) {
        let digests = Set(updates.map { Self.digest([$0.file, $0.workload, $0.container, $0.new]) }).sorted()
        changes = digests.count <= limit ? digests : [Self.digest(digests)]
    }

    /// The marker of a description; `nil` where there is none.
    init?(in body: String) {
        guard let line = body.split(whereSeparator: \.isNewline).last(where: Self.isMarker) else { return nil }
        changes = []
        for word in Self.trimmed(line).dropFirst(Self.opening.count).dropLast(Self.closing.count).split(separator: " ")
        {
            if word.hasPrefix("auto-merge=on@") {
                autoMerge = .on(head: String(word.dropFirst(14)))
            } else if word == "auto-merge=off" {
                autoMerge = .off
            } else if word == "withdrawn" {
                isWithdrawn = true
            } else if word.utf8.count == Self.digestLength {
                changes.append(String(word))
            }
        }
    }

    /// A marker that names nothing.
    init() { changes = [] }

    /// The description with this marker at its end, in place of another one.
    ///
    /// - Parameter limit: bytes that the host takes.
    func appended(to body: String, limit: Int = PullRequestLimits().description) -> String {
        var words = [Self.opening] + changes
        switch autoMerge {
        case .on(let head): words.append("auto-merge=on@\(head)")
        case .off: words.append("auto-merge=off")
        case nil: break
        }
        if isWithdrawn { words.append("withdrawn") }
        let marker = (words + [Self.closing]).joined(separator: " ")
        var text = Self.text(of: body)
        if text.utf8.count + marker.utf8.count + 2 > limit {
            text = Self.cut(text, to: limit - marker.utf8.count - 2)
        }
        return text.isEmpty ? marker : text + "\n\n" + marker
    }

    /// What people read of a description.
    static func text(of body: String) -> String {
        guard body.contains(opening) else { return body }
        var text = body.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .filter { !isMarker($0) }.joined(separator: "\n")
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }

    private static func isMarker(_ line: Substring) -> Bool {
        let line = trimmed(line)
        return line.hasPrefix(opening) && line.hasSuffix(closing)
    }

    private static func trimmed(_ line: Substring) -> Substring {
        var line = line
        while let last = line.last, last.isWhitespace { line.removeLast() }
        return line.drop(while: \.isWhitespace)
    }

    /// Whole characters in at most so many bytes.
    private static func cut(_ text: String, to count: Int) -> String {
        var end = text.utf8.index(text.startIndex, offsetBy: max(0, count), limitedBy: text.endIndex) ?? text.endIndex
        while end > text.startIndex, end.samePosition(in: text) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }

    private static func digest(_ parts: [String]) -> String {
        // With their lengths: no two lists give one text.
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined(separator: ",")
        return String(Digest.sha256(of: Array(text.utf8)).encoded.prefix(digestLength))
    }
}
