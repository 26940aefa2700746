import Text

/// Names a build for ever: `20261130082800-00001-7k3f9x`. Sorts by time, and is safe in file names and URLs.
package struct BuildID: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    package let description: String

    /// - Returns: `nil` for what is no name of a build; so nobody's text becomes a path.
    package init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [14, 5, 6],
            parts.joined().allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) })
        else { return nil }
        description = text
    }

    private init(made text: String) { description = text }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = BuildID(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "this is no name of a build")
        }
        self = id
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package static func < (one: Self, other: Self) -> Bool { one.description < other.description }

    /// Makes names that are each greater than the one before, also within a second and when the clock is set back.
    struct Series {
        private var second = ""
        private var number = 0

        /// - Parameter last: the greatest name there is.
        init(after last: BuildID? = nil) {
            guard let last else { return }
            second = String(last.description.prefix(14))
            number = Int(last.description.dropFirst(15).prefix(5)) ?? 0
        }

        mutating func next(now: Int64) -> BuildID {
            let time = UTCDate(secondsSince1970: now).compact
            if time > second { (second, number) = (time, 0) }
            number = min(number + 1, 99_999)
            let digits = String(number)
            let letters = Array("0123456789abcdefghjkmnpqrstvwxyz")
            let random = String((0..<6).compactMap { _ in letters.randomElement() })
            return BuildID(made: "\(second)-\(String(repeating: "0", count: 5 - digits.count))\(digits)-\(random)")
        }
    }
}
