import Diagnostics

/// The patterns of a `.dockerignore` file, or of `--exclude`.
///
/// A path is excluded when the last pattern that matches it or one of its parents is not a negation (`!`).
package struct IgnoreMatcher: Sendable {
    private let patterns: [IgnorePattern]

    /// Reads an ignore file.
    ///
    /// - Throws: `.pattern` for a lone `!` and for malformed patterns, with the line.
    package init(file bytes: [UInt8], name: String = ".dockerignore") throws(DockerfileError) {
        let source = SourceText(bytes, file: name)
        guard bytes.count <= Dockerfile.sizeLimit, source.lineCount <= 100_000 else {
            throw DockerfileError(.limit, "the ignore file \(name) is too long")
        }
        var patterns: [IgnorePattern] = []
        for number in 1..<source.lineCount + 1 {
            let line = source.content(ofLine: number)
            if line.first == 0x23 { continue }
            var text = Whitespace.trim(line)
            if text.isEmpty { continue }
            let isNegated = text.first == 0x21
            if isNegated { text = Whitespace.trim(text.dropFirst()) }
            do throws(DockerfileError) {
                guard !text.isEmpty else {
                    throw DockerfileError(.pattern, "a '!' without a pattern", near: "!")
                }
                var cleaned = PathRules.clean(Array(text))
                if cleaned.count > 1, cleaned[0] == 0x2f { cleaned.removeFirst() }
                patterns.append(try IgnorePattern(cleaned, isNegated: isNegated))
            } catch {
                throw error.located(
                    in: source, SourceRange(start: .init(file: name, line: number), endLine: number))
            }
        }
        self.patterns = patterns
    }

    /// Takes patterns one by one, as `--exclude` gives them.
    ///
    /// - Throws: `.pattern`, without a place.
    package init(patterns texts: [String]) throws(DockerfileError) {
        var patterns: [IgnorePattern] = []
        for text in texts {
            let trimmed = Whitespace.trim(text)
            if trimmed.isEmpty { continue }
            var bytes = PathRules.clean(Array(trimmed.utf8))
            let isNegated = bytes.first == 0x21
            if isNegated { bytes.removeFirst() }
            guard !bytes.isEmpty else { throw DockerfileError(.pattern, "a '!' without a pattern", near: text) }
            patterns.append(try IgnorePattern(bytes, isNegated: isNegated))
        }
        self.patterns = patterns
    }

    package var isEmpty: Bool { patterns.isEmpty }

    /// Some pattern starts with `!`: then what lies in an excluded folder may be kept nonetheless.
    package var hasNegations: Bool { patterns.contains { $0.isNegated } }

    /// Whether a path below the root is excluded; without a slash at its start.
    package func excludes(_ path: String) -> Bool { excludes(Array(path.utf8)) }

    package func excludes(_ path: [UInt8]) -> Bool {
        guard !patterns.isEmpty, !path.isEmpty, path != [0x2e] else { return false }
        // From the last pattern on: the first that says something decides.
        return patterns.last { $0.matches(path) }.map { !$0.isNegated } ?? false
    }

    /// A pattern takes away all there is at the root.
    var excludesRoot: Bool {
        patterns.contains { !$0.isNegated && [[0x2a], [0x2a, 0x2a], [0x2a, 0x2a, 0x2f, 0x2a]].contains($0.text) }
    }
}

/// One cleaned pattern.
private struct IgnorePattern: Sendable {
    private enum Element: Sendable, Equatable {
        case scalar(GlobElement)
        /// Any number of whole path elements, with their slashes: `**/` within a pattern.
        case folders
        /// Everything: `**` at the end.
        case rest
    }

    private enum Form {
        case exact
        /// `dir/**`
        case prefix([UInt8])
        /// `**/name`, `**name`
        case suffix([UInt8])
        case general([Element])
    }

    let text: [UInt8]
    let isNegated: Bool
    private let form: Form

    init(_ text: [UInt8], isNegated: Bool) throws(DockerfileError) {
        self.text = text
        self.isNegated = isNegated
        let string = String(decoding: text, as: UTF8.self)
        let parts = try GlobElement.parse(string)
        let hasSpecials =
            parts.joined().contains { if case .literal = $0 { false } else { true } } || text.contains(0x5c)
        guard hasSpecials else {
            form = .exact
            return
        }
        let literalTail = text.drop { $0 == 0x2a }
        let stars = text.count - literalTail.count
        func isLiteral(_ bytes: some Sequence<UInt8>) -> Bool {
            !bytes.contains { $0 == 0x2a || $0 == 0x3f || $0 == 0x5b || $0 == 0x5d || $0 == 0x5c }
        }
        if stars == 2, isLiteral(literalTail) {
            form = .suffix(Array(literalTail))
        } else if text.count > 2, text.suffix(2) == [0x2a, 0x2a], isLiteral(text.dropLast(2)) {
            form = .prefix(text.dropLast(2))
        } else {
            form = .general(try Self.elements(string))
        }
    }

    /// Cuts the pattern at its `**`; the pieces between are globs.
    private static func elements(_ pattern: String) throws(DockerfileError) -> [Element] {
        var result: [Element] = []
        let scalars = Array(pattern.unicodeScalars)
        var index = 0
        var piece = ""
        func flush() throws(DockerfileError) {
            for (number, part) in try GlobElement.parse(piece).enumerated() {
                if number > 0 { result.append(.scalar(.literal("/"))) }
                result += part.map(Element.scalar)
            }
            piece = ""
        }
        while index < scalars.count {
            let scalar = scalars[index]
            if scalar == "\\" || scalar == "[" {
                // An escape or a set, to its end: what is in it is no wildcard.
                let end = scalar == "\\" ? min(index + 2, scalars.count) : Self.setEnd(scalars, index)
                for scalar in scalars[index..<end] { piece.unicodeScalars.append(scalar) }
                index = end
            } else if scalar == "*", index + 1 < scalars.count, scalars[index + 1] == "*" {
                try flush()
                index += 2
                if index < scalars.count, scalars[index] == "/" { index += 1 }
                result.append(index == scalars.count ? .rest : .folders)
            } else {
                piece.unicodeScalars.append(scalar)
                index += 1
            }
        }
        try flush()
        return result
    }

    private static func setEnd(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
        var index = start + 1
        while index < scalars.count, scalars[index] != "]" { index += scalars[index] == "\\" ? 2 : 1 }
        return min(index + 1, scalars.count)
    }

    /// Whether it matches a path or one of its parents.
    func matches(_ path: [UInt8]) -> Bool {
        switch form {
        case .exact: Self.isPathOrParent(text, path)
        case .prefix(let prefix): path.starts(with: prefix)
        case .suffix(let suffix): Self.ends(path, suffix)
        case .general(let elements): Self.matches(elements, path)
        }
    }

    private static func isPathOrParent(_ text: some Collection<UInt8>, _ path: [UInt8]) -> Bool {
        path.starts(with: text) && (path.count == text.count || path[text.count] == 0x2f)
    }

    private static func ends(_ path: [UInt8], _ suffix: [UInt8]) -> Bool {
        if suffix.first == 0x2f, isPathOrParent(suffix.dropFirst(), path) { return true }
        var end = path.count
        while true {
            if path[..<end].suffix(suffix.count).elementsEqual(suffix) { return true }
            guard let slash = path[..<end].lastIndex(of: 0x2f) else { return false }
            end = slash
        }
    }

    /// Follows all alternatives at once, for the parents in passing: time is the product of both lengths at most.
    private static func matches(_ elements: [Element], _ path: [UInt8]) -> Bool {
        // `state[i]`: the first i elements have matched. `.folders` has a second state, inside of it, in `inside`.
        var state = [Bool](repeating: false, count: elements.count + 1)
        var inside = state
        func close(_ state: inout [Bool], _ inside: inout [Bool]) {
            for index in elements.indices where state[index] {
                switch elements[index] {
                case .scalar(.any), .rest: state[index + 1] = true
                case .folders:
                    state[index + 1] = true
                    inside[index] = true
                default: break
                }
            }
        }
        state[0] = true
        close(&state, &inside)
        for scalar in String(decoding: path, as: UTF8.self).unicodeScalars {
            if scalar == "/", state[elements.count] { return true }
            var next = [Bool](repeating: false, count: elements.count + 1)
            var nextInside = next
            var isAlive = false
            for index in elements.indices where state[index] || inside[index] {
                switch elements[index] {
                case .scalar(.any) where state[index]:
                    if scalar != "/" { next[index] = true }
                case .scalar(.one):
                    if scalar != "/" { next[index + 1] = true }
                case .scalar(let element):
                    if element.matchesOne(scalar) { next[index + 1] = true }
                case .rest: next[index] = true
                case .folders:
                    guard inside[index] else { break }
                    nextInside[index] = true
                    if scalar == "/" { next[index + 1] = true }
                }
                isAlive = isAlive || next[index] || next[index + 1] || nextInside[index]
            }
            guard isAlive else { return false }
            close(&next, &nextInside)
            state = next
            inside = nextInside
        }
        return state[elements.count]
    }
}
