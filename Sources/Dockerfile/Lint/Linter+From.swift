import Diagnostics

extension Linter {
    /// The checks of FROM lines.
    static func fromLines(_ dockerfile: Dockerfile, scope: GlobalScope, platform: BuildPlatform) -> [LintWarning] {
        var collector = LintCollector(dockerfile.directives.check, dockerfile.source)
        let expander = WordExpander(escape: dockerfile.directives.escape)
        let names = scope.declared.sorted()
        let defaults = defaultScope(dockerfile, platform)
        for stage in dockerfile.stages {
            collector.enter(comments: stage.from.comments)
            let range = stage.from.range
            if let defaults, let base = try? expander.expand(stage.base, { defaults.value($0) }),
                !isImageName(base)
            {
                collector.enter(comments: [])
                collector.report(
                    .invalidDefaultArgInFrom,
                    "with the defaults of its arguments, '\(stage.base)' is no valid image name", near: stage.base,
                    at: range)
                collector.enter(comments: stage.from.comments)
            }
            for text in [stage.base, stage.platform].compactMap({ $0 }) {
                guard let expansion = try? expander.expansion(of: text, { scope.value($0) }) else { continue }
                for name in expansion.unmatched where !scope.declared.contains(name) && !collector.isFull {
                    let hint = Suggestion.nearest(to: name, among: names).map { " (did you mean \($0)?)" } ?? ""
                    collector.report(
                        .undefinedArgInFrom, "FROM uses '\(name)', which no ARG before it declares\(hint)", near: name,
                        at: range)
                }
            }
            platformFlag(stage, expander, scope, &collector)
        }
        return collector.warnings
    }

    /// The warnings of a file whose stages cannot be resolved, by line.
    static func unresolved(_ dockerfile: Dockerfile, _ options: DockerfileCheck.Options) -> [LintWarning] {
        guard let platform = try? BuildPlatform(options.platform) else { return dockerfile.warnings }
        var scope = GlobalScope(
            automatic: StageGraph.automatic(platform, platform, dockerfile.stages.last?.name ?? "default"),
            given: Dictionary(options.buildArguments) { _, last in last })
        // An argument whose default is what is wrong counts as declared.
        for instruction in dockerfile.globalInstructions { _ = try? scope.declare(instruction) }
        let all = dockerfile.warnings + fromLines(dockerfile, scope: scope, platform: platform)
        return all.inOrder
    }

    private static func platformFlag(
        _ stage: Stage, _ expander: WordExpander, _ scope: GlobalScope, _ collector: inout LintCollector
    ) {
        guard let written = stage.platform,
            let expansion = try? expander.expansion(of: written, { scope.value($0) })
        else { return }
        if expansion.matched == ["TARGETPLATFORM"], expansion.unmatched.isEmpty,
            expansion.text == scope.value("TARGETPLATFORM")
        {
            collector.report(
                .redundantTargetPlatform, "--platform=\(written) is the default and can go", near: "--platform",
                at: stage.from.range)
        }
        guard expansion.matched.isEmpty, expansion.unmatched.isEmpty,
            let platform = try? BuildPlatform(expansion.text)
        else { return }
        let name = stage.name ?? ""
        if name.contains(platform.os) || name.contains(platform.architecture) { return }
        collector.report(
            .fromPlatformFlagConstDisallowed,
            "FROM has the constant platform '\(expansion.text)'; use a variable, or name the stage after the platform",
            near: "--platform", at: stage.from.range)
    }

    /// The arguments as they are when the command line gives none.
    private static func defaultScope(_ dockerfile: Dockerfile, _ platform: BuildPlatform) -> GlobalScope? {
        var scope = GlobalScope(
            automatic: StageGraph.automatic(platform, platform, dockerfile.stages.last?.name ?? "default"), given: [:])
        for instruction in dockerfile.globalInstructions {
            do { try scope.declare(instruction) } catch { return nil }
        }
        return scope
    }

    /// Whether a text can name an image: `[host[:port]/]path[:tag][@digest]`, the path in lower case.
    static func isImageName(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        if let at = rest.firstIndex(of: 0x40) {
            let digest = rest[(at + 1)...]
            guard let colon = digest.firstIndex(of: 0x3a), colon > digest.startIndex, digest.endIndex - colon > 32
            else {
                return false
            }
            rest = rest[..<at]
        }
        var parts = rest.split(separator: 0x2f, omittingEmptySubsequences: false)
        guard let last = parts.last else { return false }
        if let colon = last.firstIndex(of: 0x3a) {
            // A tag, unless this is the only part: then it is one nonetheless.
            let tag = last[(colon + 1)...]
            guard (1...128).contains(tag.count),
                tag.first.map({ isNameByte($0) || isUpper($0) || $0 == 0x5f }) ?? false,
                tag.allSatisfy({ isNameByte($0) || isUpper($0) || "_.-".utf8.contains($0) })
            else { return false }
            parts[parts.count - 1] = last[..<colon]
        }
        if parts.count > 1, let host = parts.first,
            host.contains(0x2e) || host.contains(0x3a) || host.elementsEqual("localhost".utf8)
                || host.contains(where: isUpper)
        {
            guard !host.isEmpty, host.allSatisfy({ isNameByte($0) || isUpper($0) || ".-:[]".utf8.contains($0) }) else {
                return false
            }
            parts.removeFirst()
        }
        return parts.allSatisfy { part in
            guard let first = part.first, let last = part.last, isNameByte(first), isNameByte(last) else {
                return false
            }
            return part.allSatisfy { isNameByte($0) || "_.-".utf8.contains($0) }
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
    }

    private static func isUpper(_ byte: UInt8) -> Bool { (0x41...0x5a).contains(byte) }
}
