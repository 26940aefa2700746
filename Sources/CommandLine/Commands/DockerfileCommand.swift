import Agent
package import ArgumentParser
import Diagnostics
import Dockerfile
import Glibc
import OCI

/// `slipway dockerfile`: about Dockerfiles, without building them.
package struct DockerfileCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "dockerfile", abstract: "Check Dockerfiles and print what they say.",
        subcommands: [DockerfileLintCommand.self, DockerfileParseCommand.self])

    package init() {}
}

/// The file that a command reads.
struct DockerfileArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The Dockerfile; - reads standard input.", valueName: "file"))
    var file: String = "Dockerfile"

    var isStandardInput: Bool { file == "-" }

    /// What messages call it.
    var name: String { isStandardInput ? "<stdin>" : file }

    func read() throws -> [UInt8] {
        try TextFile.read(isStandardInput ? "/dev/stdin" : file, limit: Dockerfile.sizeLimit)
    }
}

/// `slipway dockerfile lint`: what is wrong with a file, and what is unwise.
package struct DockerfileLintCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Check a Dockerfile: errors, and warnings about what is unwise.",
        discussion: """
            Every finding has its file, line and column, the line itself and the rule's name. Rules are switched off by \
            --skip, by '# check=skip=RULE,RULE' at the top of the file, or directly above an instruction. Nothing is \
            pulled: variables of unknown base images count as defined.

            Exit codes: 0 nothing found, or only warnings; 1 the file cannot be built, or there are warnings and \
            --error or '# check=error=true' is given.

            EXAMPLES
              slipway dockerfile lint
              slipway dockerfile lint build/Dockerfile --context . --error
              slipway dockerfile lint - --skip JSONArgsRecommended --output json < Dockerfile
            """)

    @OptionGroup var source: DockerfileArgument

    @Flag(help: "Warnings count as errors.")
    var error = false

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A rule that is not checked, or all. Repeat for several.", valueName: "rule"))
    var skip: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("An experimental rule that is checked too, or all.", valueName: "rule"))
    var experimental: [String] = []

    @Option(help: ArgumentHelp("The stage that would be built; the last one by default.", valueName: "stage"))
    var target: String?

    @Option(name: .customLong("build-arg"), help: ArgumentHelp("The value of an ARG.", valueName: "name=value"))
    var buildArguments: [String] = []

    @Option(help: ArgumentHelp("The platform that would be built for.", valueName: "os/arch"))
    var platform: String?

    @Option(
        help: ArgumentHelp(
            "The build context, whose ignore file counts; by default the Dockerfile's directory.",
            valueName: "directory"))
    var context: String?

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func validate() throws {
        for rule in (skip + experimental).flatMap(Self.names) where rule != "all" && LintRule(rawValue: rule) == nil {
            let rules = LintRule.allCases.map(\.rawValue)
            let near = rules.first { $0.lowercased() == rule.lowercased() }
            throw ValidationError(
                "there is no rule '\(rule)'"
                    + (near.map { ": did you mean \($0)?" } ?? "; the rules are \(rules.joined(separator: ", "))"))
        }
    }

    private static func names(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

    private struct Failure: Encodable {
        let message: String
        let file: String?
        let line: Int?
        let column: Int?
        let excerpt: String?
        let cause: String?
        let hint: String?
    }

    private struct Result: Encodable {
        let file: String
        let warnings: [SyntaxTree.Warning]
        let error: Failure?
        let passed: Bool
    }

    package mutating func run() async throws {
        let console = Console()
        let bytes = try source.read()
        let result = DockerfileCheck(bytes, file: source.name, try options())
        switch output {
        case .text:
            for warning in result.warnings { console.result(warning.description) }
            if let error = result.error { console.alert("Error: \(error)") }
        case .json:
            let failure = result.error.map {
                Failure(
                    message: $0.summary, file: $0.location?.file, line: $0.location?.line,
                    column: $0.location?.column, excerpt: $0.excerpt, cause: $0.cause, hint: $0.hint)
            }
            let value = Result(
                file: source.name, warnings: result.warnings.map(SyntaxTree.Warning.init), error: failure,
                passed: result.isClean)
            console.result(String(decoding: try CanonicalJSON.encode(value), as: UTF8.self))
        }
        if !result.isClean { throw ExitCode(1) }
    }

    private func options() throws -> DockerfileCheck.Options {
        var options = DockerfileCheck.Options()
        options.target = target
        options.platform = try platform.map { try Platform($0) }?.description ?? Platform.host.description
        options.buildArguments = try buildArguments.map { text in
            if text.contains("=") { return try RegistryOptions.pair(allowingEmpty: text, flag: "--build-arg") }
            guard let value = getenv(text) else {
                throw ValidationError("--build-arg '\(text)': the environment has no such variable; write NAME=VALUE")
            }
            return (text, String(cString: value))
        }
        options.check.isError = error
        let skipped = skip.flatMap(Self.names)
        options.check.skipAll = skipped.contains("all")
        options.check.skip = Set(skipped)
        let wanted = experimental.flatMap(Self.names)
        options.check.experimentalAll = wanted.contains("all")
        options.check.experimental = Set(wanted)
        options.ignore = try ignore()
        return options
    }

    /// The ignore file of the Dockerfile, else of the context.
    private func ignore() throws -> IgnoreMatcher? {
        let folder = source.file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/")
        let beside = source.file.hasPrefix("/") && folder.isEmpty ? "/" : folder.isEmpty ? "." : folder
        var candidates: [String] = []
        if !source.isStandardInput { candidates.append(source.file + ".dockerignore") }
        if let context = context ?? (source.isStandardInput ? nil : beside) {
            candidates.append(context + "/.dockerignore")
        }
        for path in candidates where access(path, F_OK) == 0 {
            return try IgnoreMatcher(file: try TextFile.read(path, limit: 4 << 20), name: path)
        }
        return nil
    }
}

/// `slipway dockerfile parse`: the file's syntax tree.
package struct DockerfileParseCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "parse",
        abstract: "Print a Dockerfile's syntax tree.",
        discussion: """
            The tree holds the directives, the instructions before the first FROM, and each stage with its instructions: \
            keyword, flags, arguments, heredocs, comments, and the place in the file. Lines and columns count from 1, \
            columns in bytes; a range ends after its last byte. Variables are as written.

            EXAMPLES
              slipway dockerfile parse Dockerfile
              slipway dockerfile parse build/Dockerfile --output json
            """)

    @OptionGroup var source: DockerfileArgument

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func run() async throws {
        let tree = SyntaxTree(try Dockerfile.parse(try source.read(), file: source.name))
        switch output {
        case .text: Console().result(tree.outline)
        case .json: Console().result(String(decoding: try CanonicalJSON.encode(tree), as: UTF8.self))
        }
    }
}
