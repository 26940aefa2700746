/// An instruction before its arguments are read.
struct Statement {
    var keyword: Keyword
    var keywordText: String
    var flags: [String]
    /// What follows the flags, trimmed.
    var rest: ArraySlice<UInt8>
    var line: [UInt8]
    var comments: [String]
    var escape: EscapeCharacter
    var heredocs: [Heredoc] = []

    var text: String { String(decoding: rest, as: UTF8.self) }

    /// - Throws: `.unknownInstruction`.
    init(_ line: [UInt8], comments: [String] = [], escape: EscapeCharacter) throws(DockerfileError) {
        let trimmed = Whitespace.trim(line[...])
        let word = trimmed.prefix { !Whitespace.isBlank($0) }
        keywordText = String(decoding: word, as: UTF8.self)
        guard let keyword = Keyword(keywordText) else {
            throw DockerfileError(
                .unknownInstruction, "unknown instruction \(quoted(keywordText))", near: keywordText,
                hint: Suggestion.hint(
                    for: keywordText, among: Keyword.allCases.map(\.name), ignoringCase: true))
        }
        self.keyword = keyword
        let arguments = trimmed[word.endIndex...].drop(while: Whitespace.isBlank)
        let (flags, rest) = FlagScanner.scan(arguments, escape: escape.rawValue)
        self.flags = flags
        self.rest = Whitespace.trim(rest)
        self.line = line
        self.comments = comments
        self.escape = escape
    }

    /// The JSON array or the words between blanks.
    func list() throws(DockerfileError) -> (words: [String], isJSON: Bool) {
        if let strings = try JSONForm.parse(rest) { return (strings, true) }
        return (Whitespace.words(rest).map { String(decoding: $0, as: UTF8.self) }, false)
    }

    func command() throws(DockerfileError) -> CommandLine {
        if let strings = try JSONForm.parse(rest) { return .exec(strings) }
        return .shell(text)
    }

    /// Fails on any flag.
    func noFlags() throws(DockerfileError) { _ = try FlagSet(flags, of: keyword, [:]) }

    /// All of the line as one argument.
    func single(_ usage: String) throws(DockerfileError) -> String {
        guard !rest.isEmpty else { throw missing(usage) }
        return text
    }

    func missing(_ usage: String) -> DockerfileError {
        DockerfileError(
            .argument, "\(keyword.name) requires an argument", near: keywordText,
            hint: "write \(keyword.name) \(usage)")
    }

    /// Whether bodies of heredocs follow the line.
    var canHaveHeredocs: Bool {
        var statement = self
        if keyword == .onbuild {
            guard !rest.isEmpty, let inner = try? Statement(Array(rest), escape: escape) else { return false }
            statement = inner
        }
        guard statement.keyword.allowsHeredocs else { return false }
        return ((try? JSONForm.parse(statement.rest)) ?? nil) == nil
    }
}

extension Statement {
    /// The typed instruction; FROM is read elsewhere.
    func kind() throws(DockerfileError) -> Instruction.Kind {
        switch keyword {
        case .run: return .run(try run())
        case .copy: return .copy(try copy())
        case .add: return .add(try add())
        case .env:
            try noFlags()
            let (pairs, isLegacy) = try KeyValueScanner.pairs(rest, keyword: .env, escape: escape.rawValue)
            return .env(EnvInstruction(pairs: pairs, isLegacy: isLegacy))
        case .label:
            try noFlags()
            let (pairs, isLegacy) = try KeyValueScanner.pairs(rest, keyword: .label, escape: escape.rawValue)
            return .label(LabelInstruction(pairs: pairs, isLegacy: isLegacy))
        case .arg: return .arg(try arg())
        case .workdir:
            let path = try single("PATH")
            try noFlags()
            return .workdir(path: path)
        case .user:
            let user = try single("USER[:GROUP]")
            try noFlags()
            return .user(user)
        case .maintainer:
            let name = try single("NAME")
            try noFlags()
            return .maintainer(name)
        case .stopsignal: return .stopsignal(try single("SIGNAL"))
        case .expose:
            guard !rest.isEmpty else { throw missing("PORT[/PROTOCOL] …") }
            try noFlags()
            let ports = Whitespace.words(rest).map { String(decoding: $0, as: UTF8.self) }
            return .expose(ports: ports.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        case .volume: return .volume(paths: try volume())
        case .cmd:
            let command = try command()
            try noFlags()
            return .cmd(command)
        case .entrypoint:
            let command = try command()
            try noFlags()
            return .entrypoint(command)
        case .shell:
            try noFlags()
            guard case .exec(let arguments) = try command() else {
                throw DockerfileError(
                    .json, "SHELL must be a JSON array", near: text,
                    hint: "write SHELL [\"/bin/bash\", \"-c\"]")
            }
            guard !arguments.isEmpty else { throw missing("[\"EXECUTABLE\", \"PARAMETER\"]") }
            return .shell(arguments)
        case .healthcheck: return .healthcheck(try healthcheck())
        case .onbuild: return .onbuild(try onbuild())
        case .from:
            throw DockerfileError(.structure, "FROM cannot stand here", near: keywordText)
        }
    }

    private func volume() throws(DockerfileError) -> [String] {
        let paths = try list().words
        guard !paths.isEmpty else { throw missing("[\"/PATH\"]") }
        try noFlags()
        return try paths.map { (path) throws(DockerfileError) in
            let trimmed = Whitespace.trim(path)
            guard !trimmed.isEmpty else {
                throw DockerfileError(.argument, "the path of a VOLUME cannot be empty", near: keywordText)
            }
            return trimmed
        }
    }

    private func arg() throws(DockerfileError) -> ArgInstruction {
        let words = KeyValueScanner.words(rest, escape: escape.rawValue)
        guard !words.isEmpty else { throw missing("NAME[=DEFAULT] …") }
        let descriptions = DocComment.byName(comments)
        let arguments = try words.map { (word) throws(DockerfileError) in
            let parts = word.utf8.split(separator: 0x3d, maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(Substring(parts[0]))
            guard !name.isEmpty else {
                throw DockerfileError(.argument, "a name of ARG is empty", near: word)
            }
            return ArgInstruction.Argument(
                name: name, value: parts.count == 2 ? String(Substring(parts[1])) : nil,
                description: descriptions[name])
        }
        return ArgInstruction(arguments: arguments)
    }

    private func onbuild() throws(DockerfileError) -> OnbuildInstruction {
        guard !rest.isEmpty else { throw missing("INSTRUCTION") }
        try noFlags()
        let word = String(decoding: rest.prefix { !Whitespace.isBlank($0) }, as: UTF8.self)
        switch Keyword(word) {
        case .onbuild:
            throw DockerfileError(.onbuild, "ONBUILD cannot be the trigger of an ONBUILD", near: "\(word)")
        case .maintainer, .from:
            throw DockerfileError(.onbuild, "\(word.uppercased()) cannot be a trigger of ONBUILD", near: word)
        default: break
        }
        // The whole line after the keyword, as it stands.
        let trimmed = Whitespace.trimStart(line[...])
        let after = Whitespace.trimStart(trimmed.dropFirst(keywordText.utf8.count))
        var text = String(decoding: after, as: UTF8.self)
        for heredoc in heredocs {
            text += "\n" + String(decoding: heredoc.body, as: UTF8.self) + heredoc.name
        }
        var instruction = OnbuildInstruction(text: text, keyword: word.uppercased())
        do {
            var inner = try Statement(Array(rest), escape: escape)
            inner.heredocs = heredocs
            _ = try inner.kind()
        } catch {
            // What no child could ever read is an error here; the rest is one there.
            if error.code == .json && Keyword(word) != .shell || error.code == .keyValue { throw error }
            instruction.problem = error
        }
        return instruction
    }
}

/// The description of a stage or an argument: a comment above it that starts with its name.
enum DocComment {
    /// The first one of each name.
    static func byName(_ comments: [String]) -> [String: String] {
        var found: [String: String] = [:]
        for comment in comments {
            guard let blank = comment.utf8.firstIndex(of: 0x20), blank > comment.startIndex else { continue }
            let name = String(comment[..<blank])
            if found[name] == nil { found[name] = String(comment[comment.utf8.index(after: blank)...]) }
        }
        return found
    }
}
