import Agent

/// One range of bytes that is asked for (RFC 9110 section 14).
enum ByteRange: Sendable, Equatable {
    case from(Int, through: Int?)
    /// So many at the end.
    case last(Int)

    /// - Parameter header: the `Range` header.
    /// - Returns: `nil` where the whole is to be sent: another unit, several ranges, or what is no range.
    init?(_ header: String) {
        guard header.lowercased().hasPrefix("bytes=") else { return nil }
        let sides = header.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            .map { $0.filter { $0 != " " && $0 != "\t" } }
        guard sides.count == 2, sides.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            return nil
        }
        switch (Self.number(sides[0]), Self.number(sides[1])) {
        case (let first?, let last?) where first <= last: self = .from(first, through: last)
        case (let first?, nil) where sides[1].isEmpty: self = .from(first, through: nil)
        case (nil, let count?) where sides[0].isEmpty: self = .last(count)
        default: return nil
        }
    }

    /// A number that is larger than any is as the largest.
    private static func number(_ text: String) -> Int? { text.isEmpty ? nil : Int(text) ?? .max }

    /// Which bytes of so many it means.
    ///
    /// - Throws: when there are none.
    func bounds(of count: Int) throws(ControlError) -> Range<Int> {
        let range: Range<Int>
        switch self {
        case .from(let first, let last):
            range = min(first, count)..<min(count, (last ?? .max) == .max ? count : (last ?? count) + 1)
        case .last(let length): range = (count - min(length, count))..<count
        }
        guard !range.isEmpty else {
            throw ControlError(.noSuchRange, "the log has \(count) bytes", place: "Range")
        }
        return range
    }
}
