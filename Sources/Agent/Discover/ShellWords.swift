/// A word of a shell's text, or an operator between two commands.
struct ShellWord: Sendable, Equatable {
    /// Quotes removed. Expansions that could not be made stay as they are written.
    var text: String
    /// `&&`, `||`, `;`, `|`, `&`, or the end of a line.
    var isOperator = false
    /// The first expansion that only a shell in the pod can make, as far as it shows what is meant: `$TAG`, `$(date)`.
    var expansion: String?
}

/// Splits a shell's text into words, as POSIX's shell does (XCU section 2.2, 2.3): quotes group, a line that ends with a
/// backslash goes on. Nothing is executed.
struct ShellWords {
    private var words: [ShellWord] = []
    private var word = ShellWord(text: "")
    private var isStarted = false
    private var rest: Substring
    private let variable: (String) -> String?

    private init(_ text: String, variable: @escaping (String) -> String?) {
        // A carriage return before a line feed is one character of Swift's with it.
        rest = text[...]
        self.variable = variable
    }

    /// - Parameter variable: what `$NAME` and `${NAME}` stand for; `nil` where that is not known.
    static func split(_ text: String, variable: @escaping (String) -> String? = { _ in nil }) -> [ShellWord] {
        var splitter = ShellWords(text, variable: variable)
        splitter.run()
        return splitter.words
    }

    /// The commands of a text, each with its words.
    static func commands(_ words: [ShellWord]) -> [[ShellWord]] {
        words.split(whereSeparator: \.isOperator).map(Array.init)
    }

    private mutating func run() {
        while let character = rest.popFirst() {
            switch character {
            case "\\":
                guard let next = rest.popFirst() else { break }
                if !next.isNewline { append(next) }
            case "'":
                isStarted = true
                while let inner = rest.popFirst(), inner != "'" { word.text.append(inner) }
            case "\"":
                isStarted = true
                doubleQuoted()
            case " ", "\t": close()
            case "#" where !isStarted: rest = rest.drop { !$0.isNewline }
            case ";", "&", "|": operate(String(character))
            case _ where character.isNewline: operate(";")
            case "$", "`": expand(character, isQuoted: false)
            default: append(character)
            }
        }
        close()
    }

    private mutating func doubleQuoted() {
        while let character = rest.popFirst(), character != "\"" {
            switch character {
            case "\\":
                guard let next = rest.popFirst() else { return }
                if next.isNewline { continue }
                if !["$", "`", "\"", "\\"].contains(next) { word.text.append("\\") }
                word.text.append(next)
            case "$", "`": expand(character, isQuoted: true)
            default: word.text.append(character)
            }
        }
    }

    private mutating func expand(_ sign: Character, isQuoted: Bool) {
        isStarted = true
        word.text.append(sign)
        guard let next = rest.first else { return }
        func mark(_ text: String) { word.expansion = word.expansion ?? text }
        if sign == "`" { return mark("`…`") }
        let isName = { (character: Character) in
            character == "_" || character.isASCII && (character.isLetter || character.isNumber)
        }
        var name = Substring()
        var after = rest
        if next == "{" {
            name = rest.dropFirst().prefix(while: isName)
            after = rest.dropFirst(1 + name.count)
            guard after.popFirst() == "}", !name.isEmpty else { return mark("${…}") }
        } else if isName(next) {
            name = rest.prefix(while: isName)
            after = rest.dropFirst(name.count)
        } else {
            // A single dollar is itself.
            if next == "(" || "@*#?-$!".contains(next) { mark(next == "(" ? "$(…)" : "$\(next)") }
            return
        }
        // Without quotes, a shell splits the value into words, and matches patterns in it with files.
        guard let value = variable(String(name)), isQuoted || !value.contains(where: { " \t\n*?[".contains($0) }),
            isQuoted || !value.isEmpty
        else { return mark("$\(name)") }
        word.text.removeLast()
        word.text += value
        rest = after
    }

    private mutating func append(_ character: Character) {
        isStarted = true
        word.text.append(character)
    }

    private mutating func close() {
        if isStarted { words.append(word) }
        word = ShellWord(text: "")
        isStarted = false
    }

    private mutating func operate(_ text: String) {
        close()
        if text != ";", rest.first.map(String.init) == text {
            rest.removeFirst()
            words.append(ShellWord(text: text + text, isOperator: true))
        } else {
            words.append(ShellWord(text: text, isOperator: true))
        }
    }
}
