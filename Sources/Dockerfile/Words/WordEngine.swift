/// One pass over a word. Recursion happens only for `${…}` within `${…}`, and is bounded.
struct WordEngine {
    struct Options: OptionSet {
        let rawValue: Int
        /// Quotes stay in the result (they still group).
        static let rawQuotes = Options(rawValue: 1)
        /// Escape characters stay in the result.
        static let rawEscapes = Options(rawValue: 2)
        /// Quotes are characters like any other.
        static let literalQuotes = Options(rawValue: 4)
        /// An undefined variable stays as it is written.
        static let keepUnset = Options(rawValue: 8)
        /// `words` is asked for afterwards.
        static let splitting = Options(rawValue: 16)
    }

    let bytes: [UInt8]
    let escape: UInt8
    var options: Options = []
    var resultLimit = WordExpander.resultLimit
    private(set) var matched = OrderedNames()
    private(set) var unmatched = OrderedNames()
    private var position = 0
    private var depth = 0
    private var splitter = WordSplitter()

    init(_ bytes: [UInt8], escape: UInt8) {
        self.bytes = bytes
        self.escape = escape
    }

    mutating func run(_ lookup: (String) -> String?) throws(DockerfileError) -> [UInt8] {
        try text(until: nil, rawEscapes: options.contains(.rawEscapes), lookup)
    }

    /// After `run`: the result split at blanks outside of quotes.
    mutating func words() -> [String] { splitter.finish().map { String(decoding: $0, as: UTF8.self) } }

    private func failure(_ summary: String, hint: String? = nil) -> DockerfileError {
        DockerfileError(.expansion, summary, hint: hint)
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// Text up to `stop` (consumed), or to the end for `nil`.
    private mutating func text(
        until stop: UInt8?, rawEscapes: Bool, _ lookup: (String) -> String?
    ) throws(DockerfileError) -> [UInt8] {
        depth += 1
        defer { depth -= 1 }
        guard depth <= WordExpander.depthLimit else {
            throw DockerfileError(.limit, "${…} is nested more than \(WordExpander.depthLimit) levels deep")
        }
        let splits = depth == 1 && options.contains(.splitting)
        var result: [UInt8] = []
        while let byte = current {
            if byte == stop {
                position += 1
                return result
            }
            let piece: [UInt8]
            switch byte {
            case 0x24:
                piece = try dollar(rawEscapes: rawEscapes, lookup)
                if splits { splitter.addSplitting(piece) }
            case 0x27 where !options.contains(.literalQuotes):
                piece = try singleQuoted()
                if splits { splitter.addWhole(piece) }
            case 0x22 where !options.contains(.literalQuotes):
                piece = try doubleQuoted(rawEscapes: rawEscapes, lookup)
                if splits { splitter.addWhole(piece) }
            case 0x3c:
                piece = heredocOperator()
                if splits { splitter.addWhole(piece) }
            case escape:
                position += 1
                var escaped: [UInt8] = rawEscapes ? [escape] : []
                if position < bytes.count { escaped += character() }
                piece = escaped
                if splits { splitter.addWhole(piece) }
            default:
                let start = position
                while let next = current, !Self.isSpecial(next), next != escape, next != stop { position += 1 }
                if position == start { position += 1 }
                piece = Array(bytes[start..<position])
                if splits { splitter.addSplitting(piece) }
            }
            result += piece
            guard result.count <= resultLimit else {
                throw DockerfileError(.limit, "the expanded text is longer than \(resultLimit) bytes")
            }
        }
        if let stop {
            throw failure(
                stop == 0x7d ? "a '}' is missing" : "a '/' is missing in '${…/…/…}'")
        }
        return result
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte == 0x24 || byte == 0x27 || byte == 0x22 || byte == 0x3c
    }

    /// The whole character at the position, consumed.
    private mutating func character() -> ArraySlice<UInt8> {
        let start = position
        position += Scalars.decode(bytes, at: position).width
        return bytes[start..<position]
    }

    private mutating func singleQuoted() throws(DockerfileError) -> [UInt8] {
        guard let end = bytes[(position + 1)...].firstIndex(of: 0x27) else {
            throw failure(
                "a single quote is not closed", hint: "close it with ', or write \\' for the character itself")
        }
        defer { position = end + 1 }
        return Array(options.contains(.rawQuotes) ? bytes[position...end] : bytes[(position + 1)..<end])
    }

    private mutating func doubleQuoted(
        rawEscapes: Bool, _ lookup: (String) -> String?
    ) throws(DockerfileError) -> [UInt8] {
        let keepsQuotes = options.contains(.rawQuotes)
        var result: [UInt8] = keepsQuotes ? [0x22] : []
        position += 1
        while let byte = current {
            switch byte {
            case 0x22:
                position += 1
                if keepsQuotes { result.append(0x22) }
                return result
            case 0x24:
                result += try dollar(rawEscapes: rawEscapes, lookup)
                guard result.count <= resultLimit else {
                    throw DockerfileError(.limit, "the expanded text is longer than \(resultLimit) bytes")
                }
            case escape:
                position += 1
                if rawEscapes { result.append(escape) }
                guard let next = current else { continue }
                if next == 0x22 || next == 0x24 || next == escape {
                    result.append(next)
                    position += 1
                } else {
                    result.append(escape)
                }
            default:
                result.append(byte)
                position += 1
            }
        }
        throw failure("a double quote is not closed", hint: "close it with \", or write \\\" for the character itself")
    }

    /// `<<` and the blanks after it belong to the word that follows: `<< EOF`, `<<- EOF`.
    private mutating func heredocOperator() -> [UInt8] {
        let start = position
        position += 1
        guard current == 0x3c else { return [0x3c] }
        position += 1
        if current == 0x2d { position += 1 }
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0d { position += 1 }
        return Array(bytes[start..<position])
    }

    // MARK: Variables

    private mutating func value(of name: String, _ lookup: (String) -> String?) -> [UInt8]? {
        guard let value = lookup(name) else {
            unmatched.insert(name)
            return nil
        }
        matched.insert(name)
        return Array(value.utf8)
    }

    /// A variable's name at the position; empty when there is none.
    private mutating func name() -> [UInt8] {
        guard let first = current else { return [] }
        let start = position
        let (scalar, width) = Scalars.decode(bytes, at: position)
        if Scalars.isDigit(scalar) {
            while position < bytes.count {
                let (next, width) = Scalars.decode(bytes, at: position)
                guard Scalars.isDigit(next) else { break }
                position += width
            }
        } else if "@*#?-$!0".utf8.contains(first) {
            position += width
        } else {
            while position < bytes.count {
                let (next, width) = Scalars.decode(bytes, at: position)
                guard Scalars.isLetter(next) || Scalars.isDigit(next) || next == "_" else { break }
                position += width
            }
        }
        return Array(bytes[start..<position])
    }

    private mutating func dollar(
        rawEscapes: Bool, _ lookup: (String) -> String?
    ) throws(DockerfileError) -> [UInt8] {
        let start = position
        position += 1
        guard current == 0x7b else {
            let name = name()
            if name.isEmpty { return [0x24] }
            if let value = value(of: String(decoding: name, as: UTF8.self), lookup) { return value }
            return options.contains(.keepUnset) ? [0x24] + name : []
        }
        position += 1
        switch current {
        case nil: throw failure("a '}' is missing")
        case 0x7b, 0x7d, 0x3a: throw failure("'${' is not followed by a variable's name")
        default: break
        }
        let name = String(decoding: name(), as: UTF8.self)
        guard let modifier = current else { throw failure("a '}' is missing") }
        position += 1
        switch modifier {
        case 0x7d:  // ${v}
            if let value = value(of: name, lookup) { return value }
            return options.contains(.keepUnset) ? Array(bytes[start..<position]) : []
        case 0x2f:  // ${v/p/r}, ${v//p/r}
            return try replacing(name, from: start, lookup)
        case 0x3a, 0x2b, 0x2d, 0x3f, 0x23, 0x25:
            return try modified(name, modifier, from: start, lookup)
        default:
            throw unsupported(Array(bytes[(position - 1)..<position]))
        }
    }

    private func unsupported(_ modifier: [UInt8]) -> DockerfileError {
        failure(
            "the modifier \(quoted(String(decoding: modifier, as: UTF8.self))) is not supported in '${…}'",
            hint: "supported are :- :+ :? - + ? # ## % %% / //")
    }

    /// `${v:-w}` and its relatives, `${v#p}` and its.
    private mutating func modified(
        _ name: String, _ first: UInt8, from start: Int, _ lookup: (String) -> String?
    ) throws(DockerfileError) -> [UInt8] {
        var modifier = first
        let emptyIsUnset = first == 0x3a
        if emptyIsUnset {
            guard let next = current else { throw failure("a '}' is missing") }
            position += 1
            modifier = next
            guard next == 0x2b || next == 0x2d || next == 0x3f else { throw unsupported([first, next]) }
        }
        let isPattern = modifier == 0x23 || modifier == 0x25
        var word = try text(until: 0x7d, rawEscapes: isPattern, lookup)
        let found = value(of: name, lookup)
        if found == nil, options.contains(.keepUnset) { return Array(bytes[start..<position]) }
        let isUnset = emptyIsUnset ? found?.isEmpty ?? true : found == nil
        let value = found ?? []
        switch modifier {
        case 0x2d: return isUnset ? word : value
        case 0x2b: return isUnset ? [] : word
        case 0x3f:
            guard isUnset else { return value }
            let fallback = "is not allowed to be \(found == nil ? "unset" : "empty")"
            throw failure(
                "\(name): \(word.isEmpty ? fallback : String(decoding: word, as: UTF8.self))",
                hint: "give it a value with --build-arg, ARG or ENV")
        default:
            let isLongest = word.first == modifier
            if isLongest { word.removeFirst() }
            let pattern = try ShellPattern(word)
            return modifier == 0x23
                ? try pattern.droppingPrefix(of: value, longest: isLongest)
                : try pattern.droppingSuffix(of: value, longest: isLongest)
        }
    }

    private mutating func replacing(
        _ name: String, from start: Int, _ lookup: (String) -> String?
    ) throws(DockerfileError) -> [UInt8] {
        let isAll = current == 0x2f
        if isAll { position += 1 }
        let pattern = try text(until: 0x2f, rawEscapes: true, lookup)
        let replacement = try text(until: 0x7d, rawEscapes: true, lookup)
        let found = value(of: name, lookup)
        if found == nil, options.contains(.keepUnset) { return Array(bytes[start..<position]) }
        return try ShellPattern(pattern).replacing(
            in: found ?? [], with: replacement, all: isAll, limit: resultLimit)
    }
}

/// Splits a result at the blanks that come from outside of quotes.
private struct WordSplitter {
    private var words: [[UInt8]] = []
    private var word: [UInt8] = []

    mutating func addSplitting(_ text: [UInt8]) {
        var index = 0
        while index < text.count {
            let width = Whitespace.width(at: index, of: text)
            if width > 0 {
                end()
                index += width
            } else {
                word.append(text[index])
                index += 1
            }
        }
    }

    mutating func addWhole(_ text: [UInt8]) { word += text }

    private mutating func end() {
        guard !word.isEmpty else { return }
        words.append(word)
        word = []
    }

    mutating func finish() -> [[UInt8]] {
        end()
        return words
    }
}
