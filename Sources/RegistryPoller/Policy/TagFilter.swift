import Text

/// One thing that a tag has to pass.
enum TagFilter: Hashable, Sendable {
    case glob(GlobPattern)
    case regexp(RegularExpression)
    case exclude(RegularExpression)
    case ignore(WildcardPattern)
    /// Signatures, attestations and bills of materials are left out.
    case artifacts

    var refusal: String {
        switch self {
        case .glob(let pattern): "does not match '\(pattern)'"
        case .regexp(let expression): "does not match '\(printable(expression.pattern))'"
        case .exclude(let expression): "excluded by '\(printable(expression.pattern))'"
        case .ignore(let pattern): "ignored by '\(printable(pattern.text))'"
        case .artifacts: "a signature, an attestation or another artifact about an image"
        }
    }
}

/// What of a tag the order looks at.
struct Extraction: Hashable, Sendable {
    let expression: RegularExpression
    let template: ExtractionTemplate
}

/// Why a tag is out.
enum Refusal: Hashable, Sendable {
    case latest
    case notATag
    case filter(Int)
    /// The extraction's expression has no match.
    case noMatch
    case emptyExtract
    case longExtract
    case problem
    case order(OrderRefusal)
}

/// Passes tags through a policy's filters. It holds the memory that matching needs.
final class TagScreen {
    private enum Gate {
        case glob(GlobPattern)
        case match(RegexMatcher)
        /// The expression is the one that extracts: what it finds serves both.
        case extraction
        case exclude(RegexMatcher)
        case ignore(WildcardPattern)
        case artifacts
    }

    private let policy: ImagePolicy
    private let gates: [Gate]
    private let extractor: RegexMatcher?
    private let parts: [ExtractionTemplate.Part]
    /// The group that is all that the template takes.
    private let onlyGroup: Int?
    private let refusesLatest: Bool
    private let refusesEmpty: Bool
    /// The tag that was let through last has its groups in the extractor already.
    private var isCaptured = false
    /// What was extracted: one buffer is written while the other one holds the best so far.
    private var scratch: UnsafeMutableBufferPointer<UInt8>
    private var kept: UnsafeMutableBufferPointer<UInt8>

    private static let longest = 8_192

    init(_ policy: ImagePolicy, tags: Int = 1) {
        self.policy = policy
        gates = policy.filters.map { filter in
            switch filter {
            case .glob(let pattern): .glob(pattern)
            case .regexp(let expression):
                expression == policy.extraction?.expression
                    ? .extraction : .match(RegexMatcher(expression, texts: tags))
            case .exclude(let expression): .exclude(RegexMatcher(expression, texts: tags))
            case .ignore(let pattern): .ignore(pattern)
            case .artifacts: .artifacts
            }
        }
        extractor = policy.extraction.map { RegexMatcher($0.expression, texts: tags) }
        parts = policy.extraction?.template.parts ?? []
        if parts.count == 1, case .group(let groups) = parts[0], groups.count == 1 {
            onlyGroup = groups[0]
        } else {
            onlyGroup = nil
        }
        refusesLatest = policy.refusesLatest
        refusesEmpty = policy.dialect == .slipway
        scratch = .allocate(capacity: Self.longest)
        kept = .allocate(capacity: Self.longest)
    }

    deinit {
        scratch.deallocate()
        kept.deallocate()
    }

    /// A pattern needed more steps than all of them may take together: nothing that was found is to be relied on.
    var isExhausted: Bool {
        extractor?.isExhausted == true
            || gates.contains {
                switch $0 {
                case .match(let matcher), .exclude(let matcher): matcher.isExhausted
                case .glob, .extraction, .ignore, .artifacts: false
                }
            }
    }

    /// Why a tag is out; `nil` when it passes. Extraction is `extract(_:)`'s, which takes the same tag next.
    func refusal(of tag: UnsafeBufferPointer<UInt8>) -> Refusal? {
        isCaptured = false
        if !Self.isTag(tag) { return .notATag }
        if refusesLatest, Self.isLatest(tag) { return .latest }
        for (index, gate) in gates.enumerated() {
            let passes =
                switch gate {
                case .glob(let pattern): pattern.matches(tag)
                case .match(let matcher): matcher.matches(tag)
                case .extraction: captures(tag)
                case .exclude(let matcher): !matcher.matches(tag)
                case .ignore(let pattern): !pattern.matches(tag)
                case .artifacts: !TagExclusion.isArtifact(tag)
                }
            if !passes { return .filter(index) }
        }
        return nil
    }

    /// Whether what says which tags are wanted leaves a tag out. What says which are not wanted does not count: to exclude the
    /// tag in use is no wish to go back.
    func isUnwanted(_ tag: UnsafeBufferPointer<UInt8>) -> Bool {
        for gate in gates {
            switch gate {
            case .glob(let pattern): if !pattern.matches(tag) { return true }
            case .match(let matcher): if !matcher.matches(tag) { return true }
            case .extraction, .exclude, .ignore, .artifacts: break
            }
        }
        return extractor.map { !$0.capture(tag) } ?? false
    }

    enum Extract {
        case text(UnsafeBufferPointer<UInt8>)
        case refused(Refusal)
    }

    private func captures(_ tag: UnsafeBufferPointer<UInt8>) -> Bool {
        isCaptured = extractor?.capture(tag) == true
        return isCaptured
    }

    /// What the order looks at of a tag that passes. A text that is not the tag's own stays where it is until the next call, or, after
    /// `keep()`, until the next `keep()`.
    func extract(_ tag: UnsafeBufferPointer<UInt8>) -> Extract {
        guard let extractor else { return .text(tag) }
        guard isCaptured || extractor.capture(tag) else { return .refused(.noMatch) }
        if let onlyGroup, let range = extractor.group(onlyGroup), !range.isEmpty {
            // A part of the tag needs no place of its own.
            return .text(UnsafeBufferPointer(rebasing: tag[range]))
        }
        var count = 0
        let buffer = scratch
        for part in parts {
            switch part {
            case .text(let bytes):
                guard count + bytes.count <= buffer.count else { return .refused(.longExtract) }
                for byte in bytes {
                    buffer[count] = byte
                    count += 1
                }
            case .group(let groups):
                guard let range = extractor.group(firstOf: groups) else { continue }
                guard count + range.count <= buffer.count else { return .refused(.longExtract) }
                for position in range {
                    buffer[count] = tag[position]
                    count += 1
                }
            }
        }
        if count == 0, refusesEmpty { return .refused(.emptyExtract) }
        return .text(UnsafeBufferPointer(start: UnsafePointer(buffer.baseAddress), count: count))
    }

    func keep() { swap(&scratch, &kept) }

    /// Whether the order would look at a tag at all, and at what.
    func text(of tag: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        guard refusal(of: tag) == nil, case .text(let text) = extract(tag) else { return nil }
        return text
    }

    private static func isLatest(_ tag: UnsafeBufferPointer<UInt8>) -> Bool {
        tag.count == 6 && zip(tag, "latest".utf8).allSatisfy { $0 | 0x20 == $1 }
    }

    /// Letters, digits and `_`, behind the first one also `.` and `-`; 128 at most.
    private static func isTag(_ tag: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = tag.baseAddress, tag.count <= 128, let first = tag.first, first != UInt8(ascii: "."),
            first != UInt8(ascii: "-")
        else { return false }
        // Eight at a time; the last eight may have been looked at in part.
        let width = MemoryLayout<UInt64>.size
        guard tag.count >= width else { return tag.allSatisfy(isTagCharacter) }
        var position = 0
        while true {
            let word = UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self)
            guard areTagCharacters(word) else { return false }
            if position + width == tag.count { return true }
            position = min(position + width, tag.count - width)
        }
    }

    private static func isTagCharacter(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
    }

    /// The same of eight bytes at once: the high bit of each is what is known of it, and none of the sums carries.
    private static func areTagCharacters(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let high = ones << 7
        guard word & high == 0 else { return false }
        @inline(__always)
        func within(_ word: UInt64, _ first: UInt64, _ last: UInt64) -> UInt64 {
            (word &+ (0x80 &- first) &* ones) & ~(word &+ (0x7f &- last) &* ones)
        }
        let isLetter = within(word | ones << 5, 0x61, 0x7a)
        let isDigit = within(word, 0x30, 0x39)
        let isOther = within(word, 0x2d, 0x2e) | within(word, 0x5f, 0x5f)
        return (isLetter | isDigit | isOther) & high == high
    }
}

extension ImagePolicy {
    /// A refusal in words.
    func words(_ refusal: Refusal) -> String {
        switch refusal {
        case .latest: "'latest' is chosen only by 'glob:latest'"
        case .notATag: "not a tag: letters, digits, '_', '.' and '-', not more than 128"
        case .filter(let index): filters[index].refusal
        case .noMatch: "does not match '\(printable(extraction?.expression.pattern ?? ""))'"
        case .emptyExtract: "'\(printable(extraction?.template.text ?? ""))' extracts nothing from it"
        case .longExtract: "'\(printable(extraction?.template.text ?? ""))' extracts too much from it"
        case .problem: "its image cannot be used"
        case .order(let refusal): words(refusal)
        }
    }
}
