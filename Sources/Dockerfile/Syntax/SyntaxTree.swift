import Diagnostics

/// A parsed Dockerfile as data for other programs: `slipway dockerfile parse`.
///
/// Lines and columns count from 1, columns in bytes; the end of a range is the place after its last byte. Arguments are
/// as written: variables are not expanded.
package struct SyntaxTree: Encodable, Sendable {
    package struct Position: Encodable, Sendable, Equatable {
        package let line: Int
        package let column: Int
    }

    package struct Range: Encodable, Sendable, Equatable {
        package let start: Position
        package let end: Position
    }

    package struct Check: Encodable, Sendable {
        package let skip: [String]
        package let experimental: [String]
        package let error: Bool
    }

    package struct DirectiveValues: Encodable, Sendable {
        package let syntax: String?
        package let escape: String
        package let check: Check
    }

    package struct Flag: Encodable, Sendable {
        package let name: String
        /// Absent for `--link`.
        package let value: String?
    }

    package struct Document: Encodable, Sendable {
        package let name: String
        package let descriptor: Int
        package let expands: Bool
        package let stripsTabs: Bool
        package let body: String
    }

    package struct Pair: Encodable, Sendable {
        package let name: String
        /// Absent for `ARG NAME`.
        package let value: String?
    }

    package enum Form: String, Encodable, Sendable { case shell, json }

    package struct Node: Encodable, Sendable {
        package let keyword: String
        /// The logical line: joined, without comments and heredoc bodies.
        package let text: String
        package let range: Range
        package let comments: [String]
        package let flags: [Flag]
        package let arguments: [String]
        /// Of the instructions that have two: RUN, CMD, ENTRYPOINT, SHELL, COPY, ADD, VOLUME, HEALTHCHECK.
        package let form: Form?
        /// Of ENV, LABEL and ARG.
        package let pairs: [Pair]?
        package let heredocs: [Document]
        /// Of ONBUILD; its places count within its own text.
        package let trigger: [Node]?
    }

    package struct From: Encodable, Sendable {
        package let text: String
        package let range: Range
        package let comments: [String]
        package let image: String
        package let platform: String?
        package let name: String?
    }

    package struct StageNode: Encodable, Sendable {
        package let index: Int
        package let name: String?
        package let from: From
        package let instructions: [Node]
    }

    package struct Warning: Encodable, Sendable {
        package let rule: String
        package let message: String
        package let file: String
        package let line: Int
        package let column: Int
        /// The line with a caret.
        package let excerpt: String?

        package init(_ warning: LintWarning) {
            rule = warning.rule.rawValue
            message = warning.message
            file = warning.location.file
            line = warning.location.line
            column = warning.location.column
            excerpt = warning.excerpt
        }
    }

    package let file: String
    package let directives: DirectiveValues
    /// The instructions before the first FROM.
    package let globals: [Node]
    package let stages: [StageNode]
    package let warnings: [Warning]

    package init(_ dockerfile: Dockerfile) {
        file = dockerfile.file
        let check = dockerfile.directives.check
        directives = DirectiveValues(
            syntax: dockerfile.directives.syntax, escape: dockerfile.directives.escape == .backslash ? "\\" : "`",
            check: Check(
                skip: check.skipAll ? ["all"] : check.skip.sorted(),
                experimental: check.experimentalAll ? ["all"] : check.experimental.sorted(), error: check.isError))
        globals = dockerfile.globalInstructions.map { Node($0) }
        stages = dockerfile.stages.map { stage in
            StageNode(
                index: stage.index, name: stage.name,
                from: From(
                    text: stage.from.original, range: Range(stage.from.range, in: dockerfile.source),
                    comments: stage.from.comments, image: stage.base, platform: stage.platform,
                    name: stage.from.nameText), instructions: stage.instructions.map { Node($0) })
        }
        warnings = dockerfile.warnings.map(Warning.init)
    }
}

extension SyntaxTree.Range {
    init(_ range: SourceRange, in source: SourceText) {
        start = SyntaxTree.Position(line: range.start.line, column: range.start.column)
        end = SyntaxTree.Position(
            line: range.lines.upperBound, column: source.content(ofLine: range.lines.upperBound).count + 1)
    }
}

extension SyntaxTree.Node {
    init(_ instruction: Instruction) {
        keyword = instruction.keyword.name
        text = instruction.original
        range = SyntaxTree.Range(instruction.range, in: instruction.source)
        comments = instruction.comments
        flags = instruction.flags.map { flag in
            let parts = flag.utf8.dropFirst(2).split(separator: 0x3d, maxSplits: 1, omittingEmptySubsequences: false)
            return SyntaxTree.Flag(
                name: String(Substring(parts[0])), value: parts.count == 2 ? String(Substring(parts[1])) : nil)
        }
        let arguments = SyntaxTree.Arguments(instruction)
        self.arguments = arguments.words
        form = arguments.form
        pairs = arguments.pairs
        heredocs = arguments.heredocs
        trigger = arguments.trigger.map { [SyntaxTree.Node($0)] }
    }
}

extension SyntaxTree {
    /// What an instruction says after its flags.
    private struct Arguments {
        var words: [String] = []
        var form: Form?
        var pairs: [Pair]?
        var heredocs: [Document] = []
        var trigger: Instruction?

        init(_ instruction: Instruction) {
            switch instruction.kind {
            case .run(let run):
                command(run.command)
                heredocs = run.heredocs.map { heredoc in
                    Document(
                        name: heredoc.name, descriptor: heredoc.descriptor, expands: heredoc.expands,
                        stripsTabs: heredoc.stripsTabs, body: String(decoding: heredoc.content, as: UTF8.self))
                }
            case .copy(let copy): files(copy.sources, instruction)
            case .add(let add): files(add.sources, instruction)
            case .env(let env): assignments(env.pairs)
            case .label(let label): assignments(label.pairs)
            case .arg(let arg):
                pairs = arg.arguments.map { Pair(name: $0.name, value: $0.value) }
                words = arg.arguments.map { argument in
                    argument.name + (argument.value.map { "=" + $0 } ?? "")
                }
            case .workdir(let path): words = [path]
            case .user(let user): words = [user]
            case .stopsignal(let signal): words = [signal]
            case .maintainer(let name): words = [name]
            case .expose(let ports): words = ports
            case .volume(let paths):
                words = paths
                form = Self.isJSON(instruction) ? .json : .shell
            case .cmd(let line), .entrypoint(let line): command(line)
            case .shell(let arguments): command(.exec(arguments))
            case .healthcheck(let check):
                words = check.test
                if check.test.first != "NONE" { form = check.test.first == "CMD" ? .json : .shell }
            case .onbuild(let onbuild):
                words = [onbuild.text]
                trigger = try? Instruction.parse(line: onbuild.text, escape: instruction.escape)
            }
        }

        private mutating func command(_ line: CommandLine) {
            switch line {
            case .shell(let text): (words, form) = ([text], .shell)
            case .exec(let arguments): (words, form) = (arguments, .json)
            }
        }

        private mutating func assignments(_ values: [KeyValue]) {
            pairs = values.map { Pair(name: $0.key, value: $0.value) }
            words = values.map { "\($0.key)=\($0.value)" }
        }

        private mutating func files(_ sources: CopySources, _ instruction: Instruction) {
            words = sources.paths + sources.inline.map { "<<\($0.name)" } + [sources.destination]
            form = Self.isJSON(instruction) ? .json : .shell
            heredocs = sources.inline.map { file in
                Document(
                    name: file.name, descriptor: 0, expands: file.expands, stripsTabs: false,
                    body: String(decoding: file.content, as: UTF8.self))
            }
        }

        /// Whether the arguments are written as a JSON array.
        private static func isJSON(_ instruction: Instruction) -> Bool {
            guard let statement = try? Statement(Array(instruction.original.utf8), escape: instruction.escape) else {
                return false
            }
            return ((try? JSONForm.parse(statement.rest)) ?? nil) != nil
        }
    }
}
