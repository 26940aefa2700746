/// One instruction of a Dockerfile, or one trigger of a base image.
package struct Instruction: Sendable {
    package enum Kind: Sendable, Equatable {
        case run(RunInstruction)
        case copy(CopyInstruction)
        case add(AddInstruction)
        case env(EnvInstruction)
        case arg(ArgInstruction)
        case label(LabelInstruction)
        case workdir(path: String)
        case user(String)
        case expose(ports: [String])
        case volume(paths: [String])
        case cmd(CommandLine)
        case entrypoint(CommandLine)
        case shell([String])
        case healthcheck(Healthcheck)
        case onbuild(OnbuildInstruction)
        case stopsignal(String)
        case maintainer(String)
    }

    package var kind: Kind
    package let keyword: Keyword
    /// The keyword in the file's own case.
    package let keywordText: String
    package let range: SourceRange
    /// The logical line: joined, without comments, without heredoc bodies.
    package let original: String
    /// Without their quotes.
    package let flags: [String]
    /// The comments directly above.
    package let comments: [String]
    package let escape: EscapeCharacter
    /// It comes from the `ONBUILD` of a base.
    package internal(set) var isTrigger = false
    let source: SourceText

    /// Reads an `ONBUILD` trigger of a base image's configuration, heredocs included.
    ///
    /// - Parameter name: what messages call it, for example the base image.
    package static func parse(
        line: String, name: String = "ONBUILD trigger", escape: EscapeCharacter = .backslash
    ) throws(DockerfileError) -> Instruction {
        var parser = DockerfileParser(SourceText(Array(line.utf8), file: name))
        parser.escapeOverride = escape
        guard case .instruction(var instruction) = try parser.nextStatement() else {
            throw DockerfileError(
                .onbuild, "the trigger \(quoted(line)) is not an instruction that a trigger may be")
        }
        guard try parser.nextStatement() == nil else {
            throw DockerfileError(.onbuild, "a trigger must be a single instruction, not \(quoted(line))")
        }
        if case .onbuild = instruction.kind {
            throw DockerfileError(.onbuild, "a trigger cannot itself be ONBUILD")
        }
        instruction.isTrigger = true
        return instruction
    }

    /// An error about this instruction at its place in the file.
    ///
    /// - Parameter near: a word of the instruction to point at; the keyword otherwise.
    package func error(
        _ code: DockerfileError.Code, _ summary: String, near: String? = nil, cause: String? = nil, hint: String? = nil
    ) -> DockerfileError {
        var error = DockerfileError(code, summary, near: near, hint: hint)
        error.cause = cause
        return error.located(in: source, range)
    }

    /// Gives an error of a pure function, such as the word expander, the place of this instruction.
    package func locate(_ error: DockerfileError) -> DockerfileError { error.located(in: source, range) }
}
