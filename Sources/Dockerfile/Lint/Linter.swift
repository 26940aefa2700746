import Diagnostics

/// The build checks that need nothing but the text.
enum Linter {
    /// - Parameter dockerfile: parsed, without its warnings.
    static func text(_ dockerfile: Dockerfile) -> [LintWarning] {
        var collector = LintCollector(dockerfile.directives.check, dockerfile.source)
        for range in dockerfile.emptyContinuations {
            collector.report(
                .noEmptyContinuation, "an instruction goes on across an empty line; remove the line", at: range)
        }
        for instruction in dockerfile.globalInstructions { arguments(instruction, &collector) }
        for stage in dockerfile.stages {
            from(stage, &collector)
            for instruction in stage.instructions {
                arguments(instruction, &collector)
                if case .maintainer = instruction.kind {
                    collector.enter(comments: instruction.comments)
                    collector.report(
                        .maintainerDeprecated,
                        "MAINTAINER is deprecated; write LABEL org.opencontainers.image.authors=…",
                        at: instruction.range)
                }
            }
        }
        bytes(dockerfile, &collector)
        names(dockerfile, &collector)
        casing(dockerfile, &collector)
        return collector.warnings
    }

    private static func from(_ stage: Stage, _ collector: inout LintCollector) {
        let from = stage.from
        collector.enter(comments: from.comments)
        guard let name = from.nameText, let keyword = from.asText else { return }
        if name != name.lowercased() {
            collector.report(
                .stageNameCasing, "the stage name '\(name)' should be in lower case", near: name, at: from.range)
        }
        let isLower = from.keywordText == from.keywordText.lowercased()
        let isUpper = from.keywordText == from.keywordText.uppercased()
        if isLower && keyword != keyword.lowercased() || isUpper && keyword != keyword.uppercased() {
            collector.report(
                .fromAsCasing, "'\(keyword)' and '\(from.keywordText)' should be in the same case", near: keyword,
                at: from.range)
        }
        if let stageName = stage.name {
            description([stageName], of: "FROM", from.comments, at: from.range, &collector)
        }
    }

    private static func arguments(_ instruction: Instruction, _ collector: inout LintCollector) {
        guard case .arg(let arg) = instruction.kind else { return }
        collector.enter(comments: instruction.comments)
        description(
            arg.arguments.map(\.name), of: "ARG", instruction.comments, at: instruction.range, &collector)
    }

    /// The comment directly above should start with a name that it describes.
    private static func description(
        _ names: [String], of keyword: String, _ comments: [String], at range: SourceRange,
        _ collector: inout LintCollector
    ) {
        guard let first = comments.last?.split(separator: " ", omittingEmptySubsequences: false).first,
            !names.contains(String(first))
        else { return }
        let name = names.count == 1 ? names[0] : "<argument>"
        collector.report(
            .invalidDefinitionDescription,
            "the comment above \(keyword) should read '# \(name) DESCRIPTION', or be set apart by an empty comment",
            at: range)
    }

    private static func names(_ dockerfile: Dockerfile, _ collector: inout LintCollector) {
        var seen: Set<String> = []
        for stage in dockerfile.stages {
            guard let name = stage.name else { continue }
            collector.enter(comments: [])
            if name == "scratch" || name == "context" {
                collector.report(
                    .reservedStageName, "'\(name)' is reserved; name the stage otherwise",
                    near: stage.from.nameText, at: stage.from.range)
            }
            if !seen.insert(name).inserted {
                collector.report(
                    .duplicateStageName, "there are several stages named '\(name)'", near: stage.from.nameText,
                    at: stage.from.range)
            }
        }
    }

    /// All keywords should be in the case of most.
    private static func casing(_ dockerfile: Dockerfile, _ collector: inout LintCollector) {
        var keywords: [(text: String, range: SourceRange)] = []
        for stage in dockerfile.stages {
            keywords.append((stage.from.keywordText, stage.from.range))
            for instruction in stage.instructions { keywords.append((instruction.keywordText, instruction.range)) }
        }
        let lower = keywords.count { $0.text == $0.text.lowercased() }
        let upper = keywords.count { $0.text == $0.text.uppercased() }
        let isLower = lower > upper
        collector.enter(comments: [])
        for (text, range) in keywords where text != (isLower ? text.lowercased() : text.uppercased()) {
            collector.report(
                .consistentInstructionCasing,
                "'\(text)' should be in \(isLower ? "lower" : "upper") case like most instructions", at: range)
        }
    }

    /// Whether a variable's name says that it holds a secret.
    static func isSecret(_ name: String) -> Bool {
        let words = name.lowercased().split(separator: "_")
        let secret: Set<Substring> = [
            "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token",
        ]
        return words.contains(where: secret.contains) && !words.contains { ["public", "file", "version"].contains($0) }
    }
}
