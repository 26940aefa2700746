/// What is made of a match: `$name`, `${name}`, `$1`, `${1}`, and `$$` for a dollar, as Go's `Regexp.Expand` reads it.
///
/// A name is as long as it can be: `$1x` is the group called `1x`. A group that there is not is the empty text, and a
/// dollar before anything else stands for itself.
///
/// https://pkg.go.dev/regexp#Regexp.Expand
struct ExtractionTemplate: Hashable, Sendable {
    enum Part: Hashable, Sendable {
        case text([UInt8])
        /// Of several groups of one name the first that took part.
        case group([Int])
    }

    let text: String
    let parts: [Part]
    /// Names that the expression does not have.
    let unknown: [String]

    init(_ text: String, for expression: RegularExpression) {
        self.text = text
        var parts: [Part] = []
        var unknown: [String] = []
        var literal: [UInt8] = []
        let scalars = Array(text.unicodeScalars)
        var position = 0
        while position < scalars.count {
            let scalar = scalars[position]
            position += 1
            guard scalar == "$" else {
                literal += Array(String(scalar).utf8)
                continue
            }
            if position < scalars.count, scalars[position] == "$" {
                literal.append(UInt8(ascii: "$"))
                position += 1
                continue
            }
            guard let name = Self.name(scalars, &position) else {
                literal.append(UInt8(ascii: "$"))
                continue
            }
            if !literal.isEmpty { parts.append(.text(literal)) }
            literal = []
            let groups = Self.groups(called: name, in: expression)
            if groups.isEmpty { unknown.append(name) } else { parts.append(.group(groups)) }
        }
        if !literal.isEmpty { parts.append(.text(literal)) }
        self.parts = parts
        self.unknown = unknown
    }

    private static func name(_ scalars: [Unicode.Scalar], _ position: inout Int) -> String? {
        var index = position
        let isBraced = index < scalars.count && scalars[index] == "{"
        if isBraced { index += 1 }
        let start = index
        while index < scalars.count, isNameCharacter(scalars[index]) { index += 1 }
        if index == start { return nil }
        let name = String(String.UnicodeScalarView(scalars[start..<index]))
        if isBraced {
            guard index < scalars.count, scalars[index] == "}" else { return nil }
            index += 1
        }
        position = index
        return name
    }

    private static func isNameCharacter(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return CharacterClass.word.contains(scalar.value) }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber: true
        default: false
        }
    }

    private static func groups(called name: String, in expression: RegularExpression) -> [Int] {
        if name.utf8.allSatisfy(isDigit), name == "0" || !name.hasPrefix("0") {
            return Int(name).map { expression.groupNames.indices.contains($0) ? [$0] : [] } ?? []
        }
        return expression.groupNames.indices.filter { expression.groupNames[$0] == name }
    }
}
