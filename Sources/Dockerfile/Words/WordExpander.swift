/// Expands `$name` and `${…}` in the words of an instruction and removes their quotes.
package struct WordExpander: Sendable {
    /// The longest result: variables can double each other with every instruction.
    package static let resultLimit = 1 << 20
    /// All that the variables and the configuration of a stage may hold together: each value may be as long as a result,
    /// and a file may define a million of them.
    package static let totalLimit = 16 << 20
    /// How deep `${a:-${b:-…}}` may nest.
    package static let depthLimit = 100

    package let escape: EscapeCharacter

    package init(escape: EscapeCharacter = .backslash) { self.escape = escape }

    /// What a word became, and the variables that it asked for.
    package struct Expansion: Sendable, Equatable {
        package var text: String
        /// The text split at blanks outside of quotes, where that was asked for.
        package var words: [String]
        package var matched: [String]
        /// Not defined; each once, in order.
        package var unmatched: [String]
    }

    /// One word: blanks stay. An undefined variable is empty.
    ///
    /// - Throws: `.expansion`, without a place.
    package func expand(_ word: String, _ lookup: (String) -> String?) throws(DockerfileError) -> String {
        try expansion(of: word, lookup).text
    }

    /// The words that a text becomes when it is split at blanks after the expansion, as `EXPOSE` does.
    package func expandToWords(_ text: String, _ lookup: (String) -> String?) throws(DockerfileError) -> [String] {
        try expansion(of: text, splitting: true, lookup).words
    }

    package func expansion(
        of word: String, splitting: Bool = false, _ lookup: (String) -> String?
    ) throws(DockerfileError) -> Expansion {
        // Most words hold nothing to expand.
        if !word.utf8.contains(where: { $0 == 0x24 || $0 == 0x22 || $0 == 0x27 || $0 == escape.rawValue }),
            !word.utf8.contains(where: { $0 >= 0x80 || $0 <= 0x20 })
        {
            return Expansion(text: word, words: splitting && !word.isEmpty ? [word] : [], matched: [], unmatched: [])
        }
        var engine = WordEngine(Array(word.utf8), escape: escape.rawValue)
        if splitting { engine.options.insert(.splitting) }
        do {
            let text = try engine.run(lookup)
            return Expansion(
                text: String(decoding: text, as: UTF8.self), words: engine.words(),
                matched: engine.matched.inOrder, unmatched: engine.unmatched.inOrder)
        } catch {
            var located = error
            located.near = word
            if located.code == .expansion { located.summary = "cannot expand \(quoted(word)): \(error.summary)" }
            throw located
        }
    }

    /// The body of an unquoted heredoc of `COPY` or `ADD`: quotes are data, and the escape character is always `\`.
    ///
    /// - Throws: `.expansion`, without a place.
    package func expandHeredoc(
        _ body: [UInt8], _ lookup: (String) -> String?
    ) throws(DockerfileError) -> (content: [UInt8], unmatched: [String]) {
        var engine = WordEngine(body, escape: EscapeCharacter.backslash.rawValue)
        engine.options.insert(.literalQuotes)
        engine.resultLimit = 16 << 20
        let content = try engine.run(lookup)
        return (content, engine.unmatched.inOrder)
    }
}

/// Names, each once, in the order of their first use.
struct OrderedNames: Sendable {
    private(set) var inOrder: [String] = []
    private var known: Set<String> = []

    mutating func insert(_ name: String) {
        if known.insert(name).inserted { inOrder.append(name) }
    }
}
