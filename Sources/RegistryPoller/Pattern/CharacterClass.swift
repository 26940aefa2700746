/// A set of characters, as `[a-z]`, `\d` and `.` make them: a bit for each ASCII character, and a rule for the others.
struct CharacterClass: Hashable, Sendable {
    /// Characters 0 to 63 and 64 to 127.
    var low: UInt64 = 0
    var high: UInt64 = 0
    /// Beyond ASCII, before `isNegated`.
    private(set) var ranges: [ClosedRange<UInt32>] = []
    private(set) var categories: [UnicodeCategories] = []
    private var isNegated = false

    static func range(_ first: UInt32, _ last: UInt32) -> CharacterClass {
        var result = CharacterClass()
        result.insert(first, last)
        return result
    }

    static let everything = range(0, 0x10_FFFF)
    static let digits = range(0x30, 0x39)
    /// Go's `\s`: no vertical tab.
    static let blanks = CharacterClass("\t\n\u{0C}\r ")
    static let word = CharacterClass("_").union(digits).union(range(0x41, 0x5A)).union(range(0x61, 0x7A))

    init() {}

    init(_ characters: String) {
        for scalar in characters.unicodeScalars { insert(scalar.value, scalar.value) }
    }

    mutating func insert(_ first: UInt32, _ last: UInt32) {
        if first < 128 {
            for value in first...min(last, 127) {
                if value < 64 { low |= 1 << UInt64(value) } else { high |= 1 << UInt64(value - 64) }
            }
        }
        if last >= 128 { ranges.append(max(first, 128)...last) }
    }

    mutating func insert(_ unicode: UnicodeCategories) {
        for value in UInt32(0)..<128 where unicode.contains(value) { insert(value, value) }
        categories.append(unicode)
    }

    /// Both sets. Only sets without negation beyond ASCII can be joined; `negated` is the last thing done to one.
    func union(_ other: CharacterClass) -> CharacterClass {
        var result = self
        result.low |= other.low
        result.high |= other.high
        if other.isNegated {
            // `[\Wx]`: the complement of ASCII characters is everything beyond ASCII.
            result.ranges.append(128...0x10_FFFF)
        } else {
            result.ranges += other.ranges
            result.categories += other.categories
        }
        return result
    }

    var negated: CharacterClass {
        var result = self
        result.low = ~low
        result.high = ~high
        result.isNegated.toggle()
        return result
    }

    /// With the other case of each letter: `(?i)`.
    var folded: CharacterClass {
        var result = self
        let letters: UInt64 = 0x07FF_FFFE
        result.high |= (high & letters) << 32 | (high >> 32) & letters
        // The two letters beyond ASCII that fold to ASCII ones: the Kelvin sign and the long s.
        for (scalar, letter) in [(UInt32(0x212A), UInt32(0x6B)), (0x17F, 0x73)] {
            if contains(scalar) { for other in [letter, letter - 32] { result.insert(other, other) } }
            if result.containsASCII(UInt8(letter)) { result.ranges.append(scalar...scalar) }
        }
        // A range of more letters than this holds both cases of most of them already.
        for range in ranges where range.count <= 512 {
            for value in range {
                for other in Self.cases(of: value) { result.insert(other, other) }
            }
        }
        return result
    }

    private static func cases(of value: UInt32) -> [UInt32] {
        guard let scalar = Unicode.Scalar(value) else { return [] }
        let properties = scalar.properties
        return [properties.lowercaseMapping, properties.uppercaseMapping, properties.titlecaseMapping].compactMap {
            let scalars = $0.unicodeScalars
            return scalars.count == 1 ? scalars.first.map(\.value) : nil
        }
    }

    func containsASCII(_ byte: UInt8) -> Bool {
        byte < 64 ? low >> UInt64(byte) & 1 != 0 : high >> UInt64(byte - 64) & 1 != 0
    }

    func contains(_ value: UInt32) -> Bool {
        if value < 128 { return containsASCII(UInt8(value)) }
        return (ranges.contains { $0.contains(value) } || categories.contains { $0.contains(value) }) != isNegated
    }

    /// Whether anything beyond ASCII may be in it.
    var mayHoldOthers: Bool { isNegated || !ranges.isEmpty || !categories.isEmpty }
}

/// General categories of Unicode: `\pL`, `\p{Lu}`, `\P{Nd}`.
struct UnicodeCategories: Hashable, Sendable {
    private var mask: UInt32
    private var isNegated = false

    private static let names: [(name: String, category: Unicode.GeneralCategory)] = [
        ("Lu", .uppercaseLetter), ("Ll", .lowercaseLetter), ("Lt", .titlecaseLetter), ("Lm", .modifierLetter),
        ("Lo", .otherLetter), ("Mn", .nonspacingMark), ("Mc", .spacingMark), ("Me", .enclosingMark),
        ("Nd", .decimalNumber), ("Nl", .letterNumber), ("No", .otherNumber), ("Pc", .connectorPunctuation),
        ("Pd", .dashPunctuation), ("Ps", .openPunctuation), ("Pe", .closePunctuation), ("Pi", .initialPunctuation),
        ("Pf", .finalPunctuation), ("Po", .otherPunctuation), ("Sm", .mathSymbol), ("Sc", .currencySymbol),
        ("Sk", .modifierSymbol), ("So", .otherSymbol), ("Zs", .spaceSeparator), ("Zl", .lineSeparator),
        ("Zp", .paragraphSeparator), ("Cc", .control), ("Cf", .format), ("Co", .privateUse), ("Cs", .surrogate),
    ]

    /// `nil` when there is no such category.
    init?(named name: String) {
        mask = 0
        for (index, entry) in Self.names.enumerated()
        where name == entry.name || name == "Any" || (name.utf8.count == 1 && entry.name.hasPrefix(name)) {
            mask |= 1 << UInt32(index)
        }
        // Any is also what is not assigned.
        if name == "Any" { mask = .max }
        if mask == 0 { return nil }
    }

    var negated: UnicodeCategories {
        var result = self
        result.isNegated.toggle()
        return result
    }

    func contains(_ value: UInt32) -> Bool {
        guard let scalar = Unicode.Scalar(value) else { return isNegated }
        let category = scalar.properties.generalCategory
        let index = Self.names.firstIndex { $0.category == category } ?? 31
        return (mask >> UInt32(index) & 1 != 0) != isNegated
    }
}
