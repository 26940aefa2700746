import OCI

/// The annotations of an image that decisions are made by (`Annotation.decisive`); others are left out.
///
/// An agent knows hundreds of thousands of images for months, so they are kept in one piece of memory: some 230 bytes for an image
/// of Slipway's own, where a dictionary of texts takes 1,500.
package struct ImageAnnotations: Sendable, Hashable {
    private static let keys = Annotation.decisive.sorted()
    /// Bytes that a value may have. Whoever pushes an image can write megabytes.
    private static let limit = 1_024

    /// For each key, in the order of `keys`: its place there, the value's length in two bytes (the low one first), the value in UTF-8.
    private var packed: [UInt8] = []

    package init() {}

    package init(_ all: [String: String]) {
        for (place, key) in Self.keys.enumerated() {
            if let value = all[key], value.utf8.count <= Self.limit { append(place, value) }
        }
    }

    package var isEmpty: Bool { packed.isEmpty }

    package subscript(key: String) -> String? {
        get {
            for part in parts where Self.keys[part.key] == key { return text(part.value) }
            return nil
        }
        set {
            var all = all
            all[key] = newValue
            self = ImageAnnotations(all)
        }
    }

    /// As a dictionary.
    package var all: [String: String] {
        Dictionary(parts.map { (Self.keys[$0.key], text($0.value)) }) { first, _ in first }
    }

    /// Adds those of another; its own values count where both have a key.
    mutating func fill(from other: ImageAnnotations) {
        self = ImageAnnotations(all.merging(other.all) { own, _ in own })
    }

    /// Bytes of memory that they take beside the record.
    var size: Int { packed.isEmpty ? 0 : 32 + packed.capacity }

    private mutating func append(_ place: Int, _ value: String) {
        let value = Array(value.utf8)
        packed.append(UInt8(place))
        packed.append(UInt8(truncatingIfNeeded: value.count))
        packed.append(UInt8(truncatingIfNeeded: value.count >> 8))
        packed.append(contentsOf: value)
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: packed[range], as: UTF8.self) }

    private var parts: some Sequence<(key: Int, value: Range<Int>)> {
        sequence(state: 0) { [packed] place -> (key: Int, value: Range<Int>)? in
            guard place + 3 <= packed.count else { return nil }
            let start = place + 3
            let end = start + Int(packed[place + 1]) + Int(packed[place + 2]) << 8
            defer { place = end }
            return (Int(packed[place]), start..<end)
        }
    }
}

extension ImageAnnotations: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, String)...) {
        self.init(Dictionary(elements) { _, last in last })
    }
}
