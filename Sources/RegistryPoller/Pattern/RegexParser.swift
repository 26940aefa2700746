import Text

/// Reads RE2's syntax as Go's `regexp` does (flags `syntax.Perl`), and refuses what it refuses.
///
/// https://github.com/google/re2/wiki/Syntax, https://pkg.go.dev/regexp/syntax
struct RegexParser {
    /// What is wrong, and at which character of the pattern (from 1).
    struct Failure: Error {
        let cause: String
        let position: Int
        var hint: String?
    }

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var flags = Flags()
    private var depth = 0
    /// One a group; `nil` when it has no name. The first is the whole match.
    private(set) var groups: [String?] = [nil]

    private struct Flags {
        var ignoresCase = false
        var multiline = false
        var dotMatchesNewline = false
        var isUngreedy = false
    }

    private static let deepest = 500
    private static let copies = 1_000

    init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

    mutating func parse() throws(Failure) -> RegexNode {
        let node = try alternation()
        if position < scalars.count { throw failure("there is a ')' without a '('") }
        return node
    }

    private func failure(_ cause: String, at place: Int? = nil, hint: String? = nil) -> Failure {
        Failure(cause: cause, position: (place ?? position) + 1, hint: hint)
    }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private func peek(_ offset: Int) -> Unicode.Scalar? {
        position + offset < scalars.count ? scalars[position + offset] : nil
    }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    // MARK: Structure

    private mutating func alternation() throws(Failure) -> RegexNode {
        depth += 1
        if depth > Self.deepest { throw failure("groups are nested more than \(Self.deepest) deep") }
        defer { depth -= 1 }
        var branches: [RegexNode] = [try concatenation()]
        while skip("|") { branches.append(try concatenation()) }
        return branches.count == 1 ? branches[0] : .alternation(branches)
    }

    private mutating func concatenation() throws(Failure) -> RegexNode {
        var nodes: [RegexNode] = []
        // Go refuses `a**`; a group or a character in between makes it another thing.
        var afterRepetition = false
        while let scalar = next, scalar != "|", scalar != ")" {
            if let (minimum, maximum, isCounted) = try repetition() {
                let place = position
                if afterRepetition {
                    throw failure(
                        "a repetition of a repetition", at: place - 1,
                        hint: "possessive quantifiers and doubled ones are not in RE2's syntax; put a group around one")
                }
                guard let last = nodes.popLast() else {
                    throw failure("there is nothing before the '\(scalar)' to repeat", at: place - 1)
                }
                let isGreedy = skip("?") == flags.isUngreedy
                let node = RegexNode.repetition(
                    last, minimum: minimum, maximum: maximum, isGreedy: isGreedy, isCounted: isCounted)
                if isCounted, !node.allows(copies: Self.copies) {
                    throw failure("more than \(Self.copies) copies are asked for", at: place - 1)
                }
                nodes.append(node)
                afterRepetition = true
                continue
            }
            afterRepetition = false
            nodes += try element(scalar)
        }
        return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .concatenation(nodes)
    }

    /// `*`, `+`, `?` or a well-formed `{n}`, `{n,}`, `{n,m}`; other braces are literal.
    private mutating func repetition() throws(Failure) -> (Int, Int?, isCounted: Bool)? {
        switch next {
        case "*":
            position += 1
            return (0, nil, false)
        case "+":
            position += 1
            return (1, nil, false)
        case "?":
            position += 1
            return (0, 1, false)
        case "{":
            let start = position
            position += 1
            guard let minimum = number() else { break }
            var maximum: Int? = minimum
            if skip(",") { maximum = next == "}" ? nil : number() ?? -1 }
            guard skip("}"), maximum != -1 else {
                position = start
                return nil
            }
            guard minimum <= Self.copies, (maximum ?? minimum) <= Self.copies, minimum <= maximum ?? minimum else {
                throw failure("the numbers in braces go up, and to \(Self.copies) at most", at: start)
            }
            return (minimum, maximum, true)
        default:
            return nil
        }
        position -= 1
        return nil
    }

    /// Digits, without zeros in front; more than there may be is one more than that.
    private mutating func number() -> Int? {
        let start = position
        var value = 0
        while let digit = next?.value, digit &- 0x30 < 10 {
            value = min(value * 10 + Int(digit - 0x30), Self.copies + 1)
            position += 1
        }
        if position == start || (position - start > 1 && scalars[start] == "0") {
            position = start
            return nil
        }
        return value
    }

    /// One node, none for flags, several for `\Q…\E`: a repetition behind it is of the last one.
    private mutating func element(_ scalar: Unicode.Scalar) throws(Failure) -> [RegexNode] {
        switch scalar {
        case "(": return try group().map { [$0] } ?? []
        case "[": return [.characters(try bracket())]
        case ".":
            position += 1
            return [.characters(flags.dotMatchesNewline ? .everything : CharacterClass("\n").negated)]
        case "^":
            position += 1
            return [.assertion(flags.multiline ? .beginLine : .beginText)]
        case "$":
            position += 1
            return [.assertion(flags.multiline ? .endLine : .endText)]
        case "\\":
            if peek(1) == "Q" { return quoted() }
            return [try escape()]
        default:
            position += 1
            return [literal(scalar.value)]
        }
    }

    private func literal(_ value: UInt32) -> RegexNode {
        guard flags.ignoresCase else { return .literal(value) }
        let both = CharacterClass.range(value, value).folded
        return both == .range(value, value) ? .literal(value) : .characters(both)
    }

    // MARK: Groups

    private mutating func group() throws(Failure) -> RegexNode? {
        let start = position
        position += 1
        let before = flags
        var index: Int?
        if skip("?") {
            if next == "P" || next == "<", let name = try groupName(from: start) {
                groups.append(name)
                index = groups.count - 1
            } else if try !groupFlags(from: start) {
                return nil
            }
        } else {
            groups.append(nil)
            index = groups.count - 1
        }
        let inner = try alternation()
        guard skip(")") else { throw failure("a '(' has no ')'", at: start) }
        flags = before
        return index.map { .capture($0, inner) } ?? inner
    }

    /// `P<name>` or `<name>`; `nil` when it is neither and no lookbehind.
    private mutating func groupName(from start: Int) throws(Failure) -> String? {
        if next == "<", peek(1) == "=" || peek(1) == "!" { throw lookaround(start) }
        if next == "P", peek(1) != "<" {
            throw failure(
                "'(?P' begins a named group only before '<'", at: start,
                hint: "backreferences are not in RE2's syntax: they cannot be matched in linear time")
        }
        position += next == "P" ? 2 : 1
        var name = ""
        while let scalar = next, scalar != ">" {
            guard CharacterClass.word.contains(scalar.value) else {
                throw failure("a group's name consists of letters, digits and '_'")
            }
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard skip(">"), !name.isEmpty else { throw failure("a group's name is missing or has no end", at: start) }
        return name
    }

    private func lookaround(_ start: Int) -> Failure {
        failure(
            "lookahead and lookbehind are not offered", at: start,
            hint: "they cannot be matched in linear time; choose with a filter and leave out with an exclusion")
    }

    /// `(?i)` and `(?i:`; says whether a group follows.
    private mutating func groupFlags(from start: Int) throws(Failure) -> Bool {
        var isOff = false
        var count = 0
        while let scalar = next {
            position += 1
            switch scalar {
            case "i": flags.ignoresCase = !isOff
            case "m": flags.multiline = !isOff
            case "s": flags.dotMatchesNewline = !isOff
            case "U": flags.isUngreedy = !isOff
            case "-":
                if isOff { throw failure("the flags have two '-'", at: start) }
                isOff = true
                count = 0
                continue
            case ":", ")":
                if isOff, count == 0 { throw failure("there is no flag behind the '-'", at: start) }
                return scalar == ":"
            case "=", "!": throw lookaround(start)
            case ">":
                throw failure(
                    "atomic groups are not offered", at: start, hint: "nothing is tried twice here: leave out the '?>'")
            default:
                throw failure(
                    "'(?\(scalar)' is not in RE2's syntax", at: start,
                    hint: "there are (?:…), (?P<name>…) and the flags i, m, s, U")
            }
            count += 1
        }
        throw failure("a '(' has no ')'", at: start)
    }

    // MARK: Escapes

    private mutating func escape() throws(Failure) -> RegexNode {
        let start = position
        switch peek(1) {
        case "A": return after(2, .assertion(.beginText))
        case "z": return after(2, .assertion(.endText))
        case "b": return after(2, .assertion(.wordBoundary))
        case "B": return after(2, .assertion(.noWordBoundary))
        default:
            if let named = try classEscape() { return .characters(named) }
            return literal(try characterEscape(from: start))
        }
    }

    private mutating func quoted() -> [RegexNode] {
        position += 2
        var nodes: [RegexNode] = []
        while let scalar = next {
            if scalar == "\\", peek(1) == "E" {
                position += 2
                break
            }
            nodes.append(literal(scalar.value))
            position += 1
        }
        return nodes
    }

    private mutating func after(_ count: Int, _ node: RegexNode) -> RegexNode {
        position += count
        return node
    }

    /// `\d`, `\W`, `\pL`, `\P{Lu}` …
    private mutating func classEscape() throws(Failure) -> CharacterClass? {
        let start = position
        guard next == "\\", let kind = peek(1) else { return nil }
        let found: CharacterClass
        switch kind {
        case "d", "D": found = .digits
        case "s", "S": found = .blanks
        case "w", "W": found = .word
        case "p", "P":
            position += 2
            var name = ""
            if skip("{") {
                while let scalar = next, scalar != "}" {
                    name.unicodeScalars.append(scalar)
                    position += 1
                }
                guard skip("}") else { throw failure("a '\\p{' has no '}'", at: start) }
            } else if let scalar = next {
                name.unicodeScalars.append(scalar)
                position += 1
            }
            let isNegated = name.hasPrefix("^")
            guard let categories = UnicodeCategories(named: isNegated ? String(name.dropFirst()) : name) else {
                throw failure(
                    "there is no category of characters called '\(printable(name))'", at: start,
                    hint: "general categories such as \\pL, \\p{Lu}, \\p{Nd} are offered, scripts are not")
            }
            var result = CharacterClass()
            result.insert((kind == "P") != isNegated ? categories.negated : categories)
            return flags.ignoresCase ? result.folded : result
        default: return nil
        }
        position += 2
        let both = flags.ignoresCase ? found.folded : found
        return kind.properties.isUppercase ? both.negated : both
    }

    private mutating func characterEscape(from start: Int) throws(Failure) -> UInt32 {
        position += 1
        guard let scalar = next else { throw failure("a '\\' ends the pattern", at: start) }
        position += 1
        switch scalar {
        case "1"..."7":
            // One digit would be a backreference.
            if let digit = next, ("0"..."7").contains(digit) { return octal(scalar.value - 0x30, digits: 1) }
            throw failure(
                "backreferences are not offered", at: start, hint: "they cannot be matched in linear time")
        case "0": return octal(0, digits: 2)
        case "x": return try hexadecimal(from: start)
        case "a": return 7
        case "f": return 12
        case "n": return 10
        case "r": return 13
        case "t": return 9
        case "v": return 11
        default:
            guard scalar.isASCII, !CharacterClass.word.contains(scalar.value) || scalar == "_" else {
                throw failure("'\\\(printable(String(scalar)))' is not in RE2's syntax", at: start)
            }
            return scalar.value
        }
    }

    private mutating func octal(_ first: UInt32, digits: Int) -> UInt32 {
        var value = first
        for _ in 0..<(first == 0 ? digits : 2) {
            guard let digit = next, ("0"..."7").contains(digit) else { break }
            value = value * 8 + digit.value - 0x30
            position += 1
        }
        return value
    }

    private mutating func hexadecimal(from start: Int) throws(Failure) -> UInt32 {
        func digit(_ scalar: Unicode.Scalar?) -> UInt32? {
            guard let scalar, scalar.isASCII else { return nil }
            return Character(scalar).hexDigitValue.map(UInt32.init)
        }
        var value: UInt32 = 0
        var count = 0
        let isBraced = skip("{")
        while let found = digit(next), isBraced || count < 2 {
            value = value * 16 + found
            if value > 0x10_FFFF { throw failure("there is no such character", at: start) }
            count += 1
            position += 1
        }
        guard isBraced ? count > 0 && skip("}") : count == 2 else {
            throw failure("'\\x' takes two hexadecimal digits, or some in braces", at: start)
        }
        return value
    }

    // MARK: Brackets

    private mutating func bracket() throws(Failure) -> CharacterClass {
        let start = position
        position += 1
        let isNegated = skip("^")
        var result = CharacterClass()
        var isFirst = true
        while isFirst || next != "]" {
            guard let scalar = next else { throw failure("a '[' has no ']'", at: start) }
            isFirst = false
            if scalar == "[", peek(1) == ":", let named = try posixClass() {
                result = result.union(named)
                continue
            }
            if let named = try classEscape() {
                result = result.union(named)
                continue
            }
            let place = position
            let first = try bracketCharacter(start)
            var last = first
            if next == "-", let following = peek(1), following != "]" {
                position += 1
                last = try bracketCharacter(start)
                if last < first { throw failure("a range of characters goes backwards", at: place) }
            }
            let range = CharacterClass.range(first, last)
            result = result.union(flags.ignoresCase ? range.folded : range)
        }
        position += 1
        return isNegated ? result.negated : result
    }

    private mutating func bracketCharacter(_ start: Int) throws(Failure) -> UInt32 {
        guard let scalar = next else { throw failure("a '[' has no ']'", at: start) }
        if scalar == "\\" { return try characterEscape(from: position) }
        position += 1
        return scalar.value
    }

    /// `[:alpha:]`, `[:^digit:]`; `nil` when there is no `:]`.
    private mutating func posixClass() throws(Failure) -> CharacterClass? {
        let start = position
        var index = position + 2
        while index + 1 < scalars.count, !(scalars[index] == ":" && scalars[index + 1] == "]") { index += 1 }
        guard index + 1 < scalars.count else { return nil }
        var name = String(String.UnicodeScalarView(scalars[(position + 2)..<index]))
        let isNegated = name.hasPrefix("^")
        if isNegated { name.removeFirst() }
        let upper = CharacterClass.range(0x41, 0x5A)
        let lower = CharacterClass.range(0x61, 0x7A)
        let punctuation = CharacterClass.range(0x21, 0x2F).union(.range(0x3A, 0x40)).union(.range(0x5B, 0x60))
            .union(.range(0x7B, 0x7E))
        let found: CharacterClass
        switch name {
        case "alnum": found = upper.union(lower).union(.digits)
        case "alpha": found = upper.union(lower)
        case "ascii": found = .range(0, 0x7F)
        case "blank": found = CharacterClass("\t ")
        case "cntrl": found = CharacterClass.range(0, 0x1F).union(.range(0x7F, 0x7F))
        case "digit": found = .digits
        case "graph": found = .range(0x21, 0x7E)
        case "lower": found = lower
        case "print": found = .range(0x20, 0x7E)
        case "punct": found = punctuation
        case "space": found = CharacterClass("\t\n\u{0B}\u{0C}\r ")
        case "upper": found = upper
        case "word": found = .word
        case "xdigit": found = CharacterClass.digits.union(.range(0x41, 0x46)).union(.range(0x61, 0x66))
        default: throw failure("there is no class of characters called '[:\(printable(name)):]'", at: start)
        }
        position = index + 2
        let both = flags.ignoresCase ? found.folded : found
        return isNegated ? both.negated : both
    }
}
