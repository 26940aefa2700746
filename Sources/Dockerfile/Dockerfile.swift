package import Diagnostics

/// A build stage: `FROM` and the instructions up to the next.
package struct Stage: Sendable {
    package let index: Int
    /// In lower case.
    package let name: String?
    /// As written, with its variables.
    package let base: String
    /// As written, with its variables.
    package let platform: String?
    package internal(set) var instructions: [Instruction]
    package let location: SourceLocation
    /// The description, from a comment `# name description` above.
    package let comment: String?
    package let from: FromLine

    /// What messages call it: its name, or `stage-3`.
    package var displayName: String { name ?? "stage-\(index)" }
}

/// The text of a FROM instruction.
package struct FromLine: Sendable {
    package let keywordText: String
    /// The `AS` as written.
    package let asText: String?
    /// The name in its own case.
    package let nameText: String?
    package let range: SourceRange
    package let original: String
    package let comments: [String]
    let source: SourceText

    package func locate(_ error: DockerfileError) -> DockerfileError { error.located(in: source, range) }
}

/// A parsed Dockerfile: every stage, whether it will be built or not.
package struct Dockerfile: Sendable {
    /// The longest file.
    package static let sizeLimit = 16 << 20
    package static let stageLimit = 20_000

    package var file: String { source.file }
    /// The text, for messages.
    package let source: SourceText
    package let directives: Directives
    /// The `ARG`s before the first FROM.
    package let globalArguments: [ArgInstruction]
    package let stages: [Stage]
    /// What the text alone tells; `StageGraph` adds what depends on arguments.
    package let warnings: [LintWarning]
    /// The same arguments with their places.
    let globalInstructions: [Instruction]
    let emptyContinuations: [SourceRange]

    /// Reads a Dockerfile.
    ///
    /// - Parameters:
    ///   - bytes: the file's content; what is not UTF-8 becomes U+FFFD outside of heredocs.
    ///   - file: its name, for messages.
    ///   - check: what the caller wants of the build checks, on top of what the file's own directive says.
    package static func parse(
        _ bytes: [UInt8], file: String = "Dockerfile", check: CheckOptions = CheckOptions()
    ) throws(DockerfileError) -> Dockerfile {
        guard bytes.count <= sizeLimit else {
            throw DockerfileError(
                .limit, "the file is \(bytes.count) bytes long; the limit is \(sizeLimit)",
                location: SourceLocation(file: file, line: 1))
        }
        var parser = DockerfileParser(SourceText(bytes, file: file))
        return try parser.parse(check).linted()
    }
}

extension Dockerfile {
    init(
        source: SourceText, directives: Directives, globals: [Instruction], stages: [Stage],
        emptyContinuations: [SourceRange], warnings: [LintWarning] = []
    ) {
        self.source = source
        self.directives = directives
        globalInstructions = globals
        globalArguments = globals.compactMap { if case .arg(let argument) = $0.kind { argument } else { nil } }
        self.stages = stages
        self.emptyContinuations = emptyContinuations
        self.warnings = warnings
    }

    /// With the warnings of its text.
    func linted() -> Dockerfile {
        Dockerfile(
            source: source, directives: directives, globals: globalInstructions, stages: stages,
            emptyContinuations: emptyContinuations, warnings: Linter.text(self))
    }
}
