/// A numbered series of tags, as people count releases by hand: `v3` → `v4`, `1.4.2` → `1.4.3`, `build-7` → `build-8`.
///
/// A tag that a kaniko manifest names literally can be given to one image only: nodes keep what they once pulled
/// under a tag, and nobody can roll back to an overwritten one. When such a tag is taken, the next number of its
/// series is used. Names that are no number of a series (`latest`, a commit id, a date with a time) have none.
package struct TagSeries: Hashable, Sendable {
    /// All of the tag before its last number.
    package let prefix: String
    /// The last number.
    package let number: Int

    /// - Returns: `nil` when the tag belongs to no series: no trailing number, a number with leading zeros or of more
    ///   than nine digits, or letters run together with digits as in a hexadecimal commit id.
    package init?(_ tag: String) {
        let bytes = Array(tag.utf8)
        let digits = bytes.reversed().prefix { (0x30...0x39).contains($0) }.count
        guard digits > 0, digits <= 9 else { return nil }
        let head = bytes.dropLast(digits)
        let tail = bytes.suffix(digits)
        if digits > 1, tail.first == UInt8(ascii: "0") { return nil }
        guard TagSeries.isSeriesPrefix(Array(head)) else { return nil }
        guard let number = Int(String(decoding: tail, as: UTF8.self)) else { return nil }
        self.prefix = String(decoding: head, as: UTF8.self)
        self.number = number
    }

    private init(prefix: String, number: Int) {
        self.prefix = prefix
        self.number = number
    }

    package var tag: String { prefix + String(number) }

    package func with(number: Int) -> TagSeries { TagSeries(prefix: prefix, number: number) }

    /// The highest number of this series among `tags`.
    package func highest(in tags: some Sequence<String>) -> Int? {
        tags.lazy.compactMap(TagSeries.init).filter { $0.prefix == prefix }.map(\.number).max()
    }

    /// A prefix is empty, a `v`, words that end in a separator (`build-`, `release_`), and numbers with dots (`v1.4.`).
    private static func isSeriesPrefix(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        // Leading words, each of letters and closed by a separator.
        while let end = rest.firstIndex(where: { !isLetter($0) }), end > rest.startIndex,
            rest[end] == UInt8(ascii: "-") || rest[end] == UInt8(ascii: "_") || rest[end] == UInt8(ascii: ".")
        {
            rest = rest[rest.index(after: end)...]
        }
        if rest.first == UInt8(ascii: "v") || rest.first == UInt8(ascii: "V") { rest = rest.dropFirst() }
        // Numbers, each closed by a dot.
        while !rest.isEmpty {
            let count = rest.prefix { (0x30...0x39).contains($0) }.count
            guard count > 0, count <= 9 else { return false }
            rest = rest.dropFirst(count)
            guard rest.first == UInt8(ascii: ".") else { return false }
            rest = rest.dropFirst()
        }
        return true
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
}
