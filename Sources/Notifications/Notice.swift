import Cryptography
import Text

/// Something that people are told.
///
/// Texts come from repositories, registries and hosts. They are bounded here, and lose what would steer a terminal, forge a line or
/// turn the direction of writing; each channel escapes what means something to it.
package struct Notice: Codable, Sendable, Equatable {
    package struct Fact: Codable, Sendable, Equatable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = printable(name, limit: 60)
            self.value = printable(value, limit: 300)
        }
    }

    /// Its own: the same whenever it is sent again, so that receivers can tell a repetition.
    package let id: String
    package let kind: NoticeKind
    /// In seconds since 1970.
    package let time: Int64
    /// Empty where it is about the agent.
    package let repository: String
    /// The pipeline, the workload: what it is about in the repository.
    package let subject: String?
    /// One line.
    package let title: String
    /// Some lines; may be empty.
    package let text: String
    /// What a person can do.
    package let hint: String?
    package let facts: [Fact]
    /// A page that shows more.
    package let link: String?
    /// What a beginning and its end have in common.
    package let incident: String?
    /// How many notices were passed over before this one.
    package var dropped: Int?

    package static let textLimit = 3_000
    private static let hintLimit = 600
    private static let lineLimit = 40
    private static let factLimit = 10
    /// PagerDuty takes 255 characters.
    private static let incidentLimit = 200

    package init(
        _ kind: NoticeKind, of repository: String = "", subject: String? = nil, title: String, text: String = "",
        hint: String? = nil, facts: [Fact] = [], link: String? = nil, incident: String? = nil, at time: Int64
    ) {
        id = Encoding.hexadecimal((0..<16).map { _ in UInt8.random(in: .min ... .max) })
        self.kind = kind
        self.time = time
        self.repository = printable(repository, limit: 200)
        self.subject = subject.map { printable($0, limit: 200) }
        self.title = printable(title, limit: 300)
        self.text = Self.lines(text)
        self.hint = hint.flatMap { $0.isEmpty ? nil : Self.lines($0, limit: Self.hintLimit) }
        self.facts = Array(facts.prefix(Self.factLimit))
        self.link = link
        self.incident = incident.map(Self.bounded)
    }

    package var severity: NoticeSeverity { kind.severity }

    /// Whether it ends what another one began.
    package var isEnd: Bool { kind.beginning != nil }

    /// What is said below it: what a person can do, and that something is missing.
    package var remarks: String? {
        let missing = dropped.map {
            "\($0) earlier \($0 == 1 ? "notification was" : "notifications were") dropped: there were too many."
        }
        let all = [hint.map { "Hint: \($0)" }, missing].compactMap(\.self)
        return all.isEmpty ? nil : all.joined(separator: "\n")
    }

    /// All of it as plain text, with the title.
    package var summary: String {
        var paragraphs = [title]
        if !text.isEmpty { paragraphs.append(text) }
        if !facts.isEmpty { paragraphs.append(facts.map { "\($0.name): \($0.value)" }.joined(separator: "\n")) }
        if let remarks { paragraphs.append(remarks) }
        if let link { paragraphs.append(link) }
        return paragraphs.joined(separator: "\n\n")
    }

    private static func lines(_ text: String, limit: Int = textLimit) -> String {
        var rest = limit
        var lines: [String] = []
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).prefix(lineLimit)
        where rest > 0 {
            let line = printable(line, limit: rest)
            rest -= line.unicodeScalars.count + 1
            lines.append(line)
        }
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.joined(separator: "\n")
    }

    private static func bounded(_ key: String) -> String {
        guard key.utf8.count > incidentLimit || !key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return key }
        let start = String(decoding: key.utf8.filter { (0x21...0x7e).contains($0) }.prefix(100), as: UTF8.self)
        return "\(start)-\(Encoding.hexadecimal(SHA256.hash(Array(key.utf8))).prefix(32))"
    }
}
