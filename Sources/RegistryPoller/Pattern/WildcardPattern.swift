import Text

/// A pattern of Go's `path.Match`, as Argo CD Image Updater's `ignore-tags` has it: `*` and `?` stand for what is no
/// slash, `[a-z]` and `[^a-z]` for one character, `\` takes the meaning away.
///
/// https://pkg.go.dev/path#Match
package struct WildcardPattern: Hashable, Sendable, CustomStringConvertible {
    private enum Part: Hashable {
        case character(UInt32)
        case any
        case star
        case set([ClosedRange<UInt32>], isNegated: Bool)
    }

    package let text: String
    /// Whether `*`, `?` and `[^…]` stand for slashes, too, as in git's pathspecs.
    private let crossesSlashes: Bool
    private let parts: [Part]

    package var description: String { text }

    package init(_ text: String, crossesSlashes: Bool = false) throws(PolicyError) {
        func refuse(_ cause: String) -> PolicyError {
            PolicyError(.invalid, "'\(printable(text))' cannot be used as a pattern", cause: cause)
        }
        self.text = text
        self.crossesSlashes = crossesSlashes
        var parts: [Part] = []
        let scalars = Array(text.unicodeScalars)
        guard scalars.count <= 1_024 else { throw refuse("it is longer than 1024 characters") }
        var position = 0
        while position < scalars.count {
            let scalar = scalars[position]
            position += 1
            switch scalar {
            case "*": if parts.last != .star { parts.append(.star) }
            case "?": parts.append(.any)
            case "\\":
                guard position < scalars.count else { throw refuse("a '\\' ends it") }
                parts.append(.character(scalars[position].value))
                position += 1
            case "[":
                guard let set = Self.set(scalars, &position) else {
                    throw refuse("a '[' has no ']' or holds no characters")
                }
                parts.append(set)
            default: parts.append(.character(scalar.value))
            }
        }
        self.parts = parts
    }

    private static func set(_ scalars: [Unicode.Scalar], _ position: inout Int) -> Part? {
        func character() -> UInt32? {
            guard position < scalars.count, scalars[position] != "-", scalars[position] != "]" else { return nil }
            if scalars[position] == "\\" { position += 1 }
            guard position < scalars.count else { return nil }
            position += 1
            return scalars[position - 1].value
        }
        var ranges: [ClosedRange<UInt32>] = []
        let isNegated = position < scalars.count && scalars[position] == "^"
        if isNegated { position += 1 }
        while position < scalars.count {
            if scalars[position] == "]", !ranges.isEmpty {
                position += 1
                return .set(ranges, isNegated: isNegated)
            }
            guard let first = character() else { return nil }
            var last = first
            if position < scalars.count, scalars[position] == "-" {
                position += 1
                guard let end = character() else { return nil }
                last = end
            }
            // A range that goes backwards holds nothing, and is no error.
            ranges.append(last < first ? 0xFFFF_FFFF...0xFFFF_FFFF : first...last)
        }
        return nil
    }

    package func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { matches($0) }
    }

    func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let scalars = String(decoding: text, as: UTF8.self).unicodeScalars.map(\.value)
        var part = 0
        var position = 0
        // Where to go on when it fails: the last star, one character further.
        var star: (part: Int, position: Int)?
        while position < scalars.count {
            if part < parts.count, parts[part] == .star {
                star = (part, position)
                part += 1
            } else if part < parts.count, matches(parts[part], scalars[position]) {
                part += 1
                position += 1
            } else if let last = star, crossesSlashes || scalars[last.position] != 0x2F {
                star = (last.part, last.position + 1)
                part = last.part + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        return parts[part...].allSatisfy { $0 == .star }
    }

    private func matches(_ part: Part, _ value: UInt32) -> Bool {
        switch part {
        case .character(let character): character == value
        case .any: crossesSlashes || value != 0x2F
        case .star: false
        case .set(let ranges, let isNegated): ranges.contains { $0.contains(value) } != isNegated
        }
    }
}
