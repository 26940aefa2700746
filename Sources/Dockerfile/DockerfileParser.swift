import Diagnostics

/// Logical lines → instructions → stages.
struct DockerfileParser {
    enum Item {
        case from(Stage)
        case instruction(Instruction)
    }

    private let source: SourceText
    private var reader: LineReader
    /// For triggers, whose text has no directives of its own.
    var escapeOverride: EscapeCharacter?
    private var stageCount = 0
    private var emptyContinuations: [SourceRange] = []

    init(_ source: SourceText) {
        self.source = source
        reader = LineReader(source)
    }

    private var escape: EscapeCharacter { escapeOverride ?? reader.directives.directives.escape }

    mutating func parse(_ check: CheckOptions = CheckOptions()) throws(DockerfileError) -> Dockerfile {
        var globals: [Instruction] = []
        var stages: [Stage] = []
        // Collected apart: appending to the last stage within the array would copy it every time.
        var instructions: [Instruction] = []
        func close() {
            if !stages.isEmpty { stages[stages.count - 1].instructions = instructions }
            instructions = []
        }
        while let item = try nextStatement() {
            switch item {
            case .from(let stage):
                close()
                guard stages.count < Dockerfile.stageLimit else {
                    throw stage.from.locate(
                        DockerfileError(.limit, "the file has more than \(Dockerfile.stageLimit) stages"))
                }
                stages.append(stage)
            case .instruction(let instruction):
                if !stages.isEmpty {
                    instructions.append(instruction)
                } else if case .arg = instruction.kind {
                    globals.append(instruction)
                } else {
                    throw instruction.error(
                        .structure, "\(instruction.keyword.name) cannot stand before the first FROM",
                        hint: "begin with FROM IMAGE; only ARG may come before it")
                }
            }
        }
        close()
        guard !stages.isEmpty else {
            let isEmpty = globals.isEmpty
            throw DockerfileError(
                .structure, isEmpty ? "the file holds no instruction" : "the file holds no FROM",
                location: SourceLocation(file: source.file, line: max(1, source.lineCount)),
                hint: "a Dockerfile needs at least FROM IMAGE")
        }
        var directives = reader.directives.directives
        directives.syntax = DirectiveReader.detectSyntax(source)
        directives.check = directives.check.merged(with: check)
        return Dockerfile(
            source: source, directives: directives, globals: globals, stages: stages,
            emptyContinuations: emptyContinuations)
    }

    /// The next instruction with its heredocs; `nil` at the end.
    mutating func nextStatement() throws(DockerfileError) -> Item? {
        guard let line = try reader.next() else { return nil }
        if line.hasEmptyContinuation {
            emptyContinuations.append(
                SourceRange(
                    start: SourceLocation(file: source.file, line: reader.currentLine), endLine: reader.currentLine))
        }
        var range = line.range
        do throws(DockerfileError) {
            var statement = try Statement(line.text, comments: line.comments, escape: escape)
            if statement.canHaveHeredocs {
                statement.heredocs = try Heredoc.operators(in: line.text)
                for index in statement.heredocs.indices {
                    let heredoc = statement.heredocs[index]
                    guard
                        let body = try reader.heredocBody(
                            until: Array(heredoc.name.utf8), strippingTabs: heredoc.stripsTabs)
                    else {
                        throw DockerfileError(
                            .heredoc, "the heredoc \(quoted(heredoc.name)) has no end", near: "<<" + heredoc.name,
                            hint: "end it with a line that is exactly \(heredoc.name)")
                    }
                    statement.heredocs[index].body = body
                }
                range.endLine = reader.currentLine
            }
            if statement.keyword == .from { return .from(try stage(statement, range)) }
            return .instruction(
                Instruction(
                    kind: try statement.kind(), keyword: statement.keyword, keywordText: statement.keywordText,
                    range: range, original: String(decoding: line.text, as: UTF8.self), flags: statement.flags,
                    comments: line.comments, escape: statement.escape, source: source))
        } catch {
            throw error.located(in: source, range)
        }
    }

    private mutating func stage(_ statement: Statement, _ range: SourceRange) throws(DockerfileError) -> Stage {
        let words = Whitespace.words(statement.rest).map { String(decoding: $0, as: UTF8.self) }
        let usage = "write FROM [--platform=PLATFORM] IMAGE [AS NAME]"
        guard words.count == 1 || words.count == 3 else {
            throw DockerfileError(
                .argument, "FROM takes one word, or three: IMAGE AS NAME", near: words.dropFirst().first, hint: usage)
        }
        var name: String?
        if words.count == 3 {
            guard words[1].lowercased() == "as" else {
                throw DockerfileError(
                    .argument, "between the image and the stage's name belongs AS, not \(quoted(words[1]))",
                    near: words[1], hint: usage)
            }
            let lower = words[2].lowercased()
            guard Self.isStageName(lower) else {
                throw DockerfileError(
                    .stageName, "a stage cannot be named \(quoted(words[2]))", near: words[2],
                    hint: "a name starts with a letter, and holds letters, digits, '-', '_' and '.'")
            }
            name = lower
        }
        let set = try FlagSet(statement.flags, of: .from, ["platform": .string])
        defer { stageCount += 1 }
        return Stage(
            index: stageCount, name: name, base: words[0],
            platform: set.string("platform").flatMap { $0.isEmpty ? nil : $0 }, instructions: [],
            location: range.start, comment: name.flatMap { DocComment.byName(statement.comments)[$0] },
            from: FromLine(
                keywordText: statement.keywordText, asText: words.count == 3 ? words[1] : nil,
                nameText: words.count == 3 ? words[2] : nil, range: range,
                original: String(decoding: statement.line, as: UTF8.self), comments: statement.comments,
                source: source))
    }

    private static func isStageName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7a).contains(first) else { return false }
        return text.utf8.allSatisfy {
            (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d || $0 == 0x5f || $0 == 0x2e
        }
    }
}
