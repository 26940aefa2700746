import Text

/// The text of a tag with fields in braces, as `tags:` of a build declares it: `{branch}-{commit.short}`.
///
/// | field | value |
/// |---|---|
/// | `{branch}` | the branch, characters outside `[A-Za-z0-9_.-]` replaced by `-` |
/// | `{commit}` `{commit.short}` | the commit id, whole and its first seven digits |
/// | `{commit.time}` `{commit.date}` | committer time in UTC as `20201231235959` and `20201231` |
/// | `{build.number}` | one more than the highest number that the repository's tags have in this place |
package struct TagTemplate: Hashable, Sendable {
    package enum Part: Hashable, Sendable {
        case text(String)
        case branch, commit, shortCommit, commitTime, commitDate, buildNumber
    }

    package let text: String
    package let parts: [Part]

    /// The values that the fields take.
    package struct Values: Sendable {
        package var branch: String
        package var commit: String
        /// Seconds since 1970, of the committer.
        package var commitTime: Int64

        package init(branch: String, commit: String, commitTime: Int64) {
            self.branch = branch
            self.commit = commit
            self.commitTime = commitTime
        }
    }

    package struct Invalid: Error, Sendable {
        package let reason: String
    }

    private static let fields: [String: Part] = [
        "branch": .branch, "commit": .commit, "commit.short": .shortCommit, "commit.time": .commitTime,
        "commit.date": .commitDate, "build.number": .buildNumber,
    ]

    package init(_ text: String) throws(Invalid) {
        var parts: [Part] = []
        var literal = ""
        var rest = text[...]
        while let character = rest.first {
            guard character == "{" else {
                literal.append(character)
                rest = rest.dropFirst()
                continue
            }
            guard let close = rest.firstIndex(of: "}") else {
                throw Invalid(reason: "tag template '\(text)': '{' is never closed")
            }
            let name = String(rest[rest.index(after: rest.startIndex)..<close])
            guard let part = Self.fields[name] else {
                let known = Self.fields.keys.sorted().map { "{\($0)}" }.joined(separator: ", ")
                throw Invalid(reason: "tag template '\(text)': no field '{\(name)}'; there are \(known)")
            }
            if !literal.isEmpty { parts.append(.text(literal)) }
            literal = ""
            parts.append(part)
            rest = rest[rest.index(after: close)...]
        }
        if !literal.isEmpty { parts.append(.text(literal)) }
        guard !parts.isEmpty else { throw Invalid(reason: "a tag template is empty") }
        guard parts.filter({ $0 == .buildNumber }).count <= 1 else {
            throw Invalid(reason: "tag template '\(text)': {build.number} may stand once")
        }
        self.text = text
        self.parts = parts
    }

    /// Whether the template is a plain tag without fields.
    package var isLiteral: Bool {
        parts.allSatisfy { if case .text = $0 { true } else { false } }
    }

    package var countsBuilds: Bool { parts.contains(.buildNumber) }

    /// The tag for `values`, given the tags that exist already (for the build number).
    package func render(_ values: Values, existing: some Sequence<String>) throws(Invalid) -> String {
        let (before, after) = surroundings(of: values)
        guard let after else { return try checked(before) }
        return try checked(before + String(Self.next(before, after, existing)) + after)
    }

    /// The text before and after the build number; all of it, and `nil`, where there is none.
    func surroundings(of values: Values) -> (before: String, after: String?) {
        var before = ""
        var after: String?
        for part in parts {
            let text: String
            switch part {
            case .text(let literal): text = literal
            case .branch: text = Self.sanitized(values.branch)
            case .commit: text = values.commit
            case .shortCommit: text = String(values.commit.prefix(7))
            case .commitTime: text = UTCDate(secondsSince1970: values.commitTime).compact
            case .commitDate: text = String(UTCDate(secondsSince1970: values.commitTime).compact.prefix(8))
            case .buildNumber:
                after = ""
                continue
            }
            if after == nil { before += text } else { after? += text }
        }
        return (before, after)
    }

    private func checked(_ tag: String) throws(Invalid) -> String {
        guard Self.isTag(tag) else {
            throw Invalid(reason: "tag template '\(text)' gives '\(tag)', which is no valid tag")
        }
        return tag
    }

    static func next(_ before: String, _ after: String, _ existing: some Sequence<String>) -> Int {
        let numbers = existing.lazy.compactMap { tag -> Int? in
            guard tag.hasPrefix(before), tag.hasSuffix(after), tag.utf8.count > before.utf8.count + after.utf8.count
            else { return nil }
            let middle = tag.utf8.dropFirst(before.utf8.count).dropLast(after.utf8.count)
            guard middle.count <= 9, middle.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return Int(String(decoding: Array(middle), as: UTF8.self))
        }
        return (numbers.max() ?? 0) + 1
    }

    /// Branch names hold slashes and more that tags may not.
    static func sanitized(_ text: String) -> String {
        var bytes = text.utf8.map { byte in isTagByte(byte) ? byte : UInt8(ascii: "-") }
        if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: ".") {
            bytes[0] = UInt8(ascii: "_")
        }
        return String(decoding: bytes.prefix(100), as: UTF8.self)
    }

    private static func isTagByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"): true
        default: false
        }
    }

    /// The distribution specification's tag grammar: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
    private static func isTag(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= 128 else { return false }
        return first != UInt8(ascii: ".") && first != UInt8(ascii: "-") && bytes.allSatisfy(isTagByte)
    }
}
