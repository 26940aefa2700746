/// A pattern in which `*` stands for any text, also none, and every other character for itself: Flux v1's and Keel's globs.
///
/// https://github.com/ryanuber/go-glob/blob/v1.0.0/glob.go
package struct GlobPattern: Hashable, Sendable, CustomStringConvertible {
    package let text: String
    /// What stands before, between and after the stars.
    private let literals: [[UInt8]]

    package init(_ text: String) {
        self.text = text
        literals = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
    }

    package var description: String { text }

    /// Whether every text matches.
    package var matchesEverything: Bool { literals.count > 1 && literals.allSatisfy(\.isEmpty) }

    /// Whether one text alone matches.
    package var isLiteral: Bool { literals.count == 1 }

    package func matches(_ text: String) -> Bool {
        if matchesEverything { return true }
        var text = text
        return text.withUTF8 { matches($0) }
    }

    /// The first and the last literal are anchored; those between are found leftmost, which is right because a star
    /// takes any text: the cost is bounded by text × pattern, whatever they are.
    func matches(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = literals.first, let last = literals.last else { return bytes.isEmpty }
        if literals.count == 1 { return bytes.elementsEqual(first) }
        guard bytes.count >= first.count + last.count, bytes.prefix(first.count).elementsEqual(first),
            bytes.suffix(last.count).elementsEqual(last)
        else { return false }
        var position = first.count
        let end = bytes.count - last.count
        for literal in literals[1..<(literals.count - 1)] where !literal.isEmpty {
            while position + literal.count <= end,
                !bytes[position..<(position + literal.count)].elementsEqual(literal)
            {
                position += 1
            }
            guard position + literal.count <= end else { return false }
            position += literal.count
        }
        return true
    }
}
