import OCI

/// Where a step stands: by this, the entries of one step in the course of time are found.
struct StepSite: Sendable, Hashable {
    let dockerfile: String
    let stage: String
    let index: Int
    let platform: Platform

    /// The tag of the newest entry of the site in the shared cache.
    var tag: String {
        var hasher = KeyHasher()
        hasher.add(["slipway.site.1", dockerfile, stage, "\(index)", platform.description])
        return "at-" + hasher.finish().encoded
    }

    var line: String { [dockerfile, stage, "\(index)", platform.description].joined(separator: " ") }
}

/// What a step's key was made of, in words: enough to say later what made another key. Values of variables and contents
/// of files are only there as short hashes.
struct StepRecord: Sendable, Equatable {
    enum Kind: String, Sendable, CaseIterable {
        case site, platform, base, below, times, text, part, variable, stage, file
    }

    private struct Part {
        let kind: Kind
        let name: String
        let value: String

        /// - Returns: `nil` for a line that is none: it comes from another version, or from elsewhere.
        init?(line: Substring) {
            let fields = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, let kind = Kind(rawValue: String(fields[0])) else { return nil }
            self.kind = kind
            name = StepRecord.unescaped(fields[1])
            value = StepRecord.unescaped(fields[2])
        }
    }

    /// One line for each part, three fields with tabs between them. It is kept as it is written: a step may take a hundred thousand files.
    private(set) var text = ""

    init() {}

    init(text: String) { self.text = text }

    mutating func note(_ kind: Kind, _ name: String, _ value: String) {
        text += kind.rawValue
        text += "\t"
        text += Self.escaped(name)
        text += "\t"
        text += Self.escaped(value)
        text += "\n"
    }

    /// Enough to tell two values apart, and too little to get one back from.
    static func short(_ text: String) -> String { String(Digest.sha256(of: Array(text.utf8)).encoded.prefix(12)) }

    // MARK: Text

    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x5c }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\t": result += "\\t"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar.value < 0x20 ? " " : scalar)
            }
        }
        return result
    }

    private static func unescaped(_ text: Substring) -> String {
        guard text.utf8.contains(0x5c) else { return String(text) }
        var result = ""
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if isEscaped {
                result.unicodeScalars.append(scalar == "t" ? "\t" : scalar == "n" ? "\n" : scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    // MARK: Comparison

    private func parts(_ kind: Kind) -> some Sequence<Part> {
        let start = kind.rawValue + "\t"
        return text.split(separator: "\n").lazy.filter { $0.hasPrefix(start) }.compactMap { Part(line: $0) }
    }

    func value(_ kind: Kind) -> String? { parts(kind).first { _ in true }?.value }

    private func values(_ kind: Kind) -> [(name: String, value: String)] { parts(kind).map { ($0.name, $0.value) } }

    /// How near an older record is: the same instruction counts most, then the same place.
    func likeness(to other: StepRecord) -> Int {
        var likeness = 0
        if value(.text) == other.value(.text) { likeness += 8 }
        if value(.site) == other.value(.site) { likeness += 6 }
        if likeness == 0 { return 0 }
        for kind in [Kind.platform, .base, .below, .times] where value(kind) == other.value(kind) { likeness += 1 }
        return likeness
    }

    /// The first thing that is not as it was in an older record; `nil` when nothing is.
    func difference(from old: StepRecord) -> String? {
        if let now = value(.platform), let then = old.value(.platform), now != then {
            return "the platform is \(now), and was \(then)"
        }
        if value(.text) != old.value(.text) {
            return "the instruction was '\(Self.shown(old.value(.text) ?? ""))'"
        }
        if value(.base) != old.value(.base) {
            return "the base image is \(value(.base) ?? "none"), and was \(old.value(.base) ?? "none")"
        }
        if value(.below) != old.value(.below) { return "what is below it differs: a step before it gave another layer" }
        if value(.times) != old.value(.times) {
            return
                "the newest time that it may tell is \(value(.times) ?? "none"), and was \(old.value(.times) ?? "none")"
        }
        return difference(.part, old) { name in name }
            ?? difference(.variable, old) { name in "the variable \(name)" }
            ?? difference(.stage, old) { name in "what it takes from \(name)" }
            ?? difference(.file, old) { name in name }
    }

    private func difference(_ kind: Kind, _ old: StepRecord, _ shown: (String) -> String) -> String? {
        let before = Dictionary(old.values(kind).map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let after = values(kind)
        for (name, value) in after {
            guard let was = before[name] else { return "\(shown(name)) is new" }
            guard was != value else { continue }
            if kind == .file { return "\(shown(name)): \(Self.change(from: was, to: value))" }
            return kind == .part ? "\(shown(name)) is '\(value)', and was '\(was)'" : "\(shown(name)) differs"
        }
        let now = Set(after.map(\.name))
        if let gone = old.values(kind).first(where: { !now.contains($0.name) }) { return "\(shown(gone.name)) is gone" }
        return nil
    }

    /// Files are noted as `type mode content`.
    private static func change(from old: String, to new: String) -> String {
        let (old, new) = (
            old.split(separator: " ", maxSplits: 2).map(String.init),
            new.split(separator: " ", maxSplits: 2).map(String.init)
        )
        guard old.count == 3, new.count == 3 else { return "it differs" }
        if old[0] != new[0] { return "it is a \(new[0]), and was a \(old[0])" }
        if old[2] != new[2] { return old[0] == "link" ? "it leads to another place" : "its content differs" }
        if old[1] != new[1] { return "its mode is \(new[1]), and was \(old[1])" }
        return "it differs"
    }

    private static func shown(_ text: String) -> String {
        text.utf8.count > 120 ? text.prefix(100) + "…" : text
    }
}
