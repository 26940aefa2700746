import Diagnostics

extension StageGraph {
    /// The build checks of a whole Dockerfile, by line.
    ///
    /// - Parameters:
    ///   - ignore: the context's ignore file, for sources that it takes away.
    ///   - environment: the variables of a base image or named context; `nil` when they are not known: then nothing is
    ///     said about undefined variables, except on well-known images, which define only `PATH`.
    ///   - neededOnly: whether stages that the target does not need are passed over.
    package func lint(
        ignore: IgnoreMatcher? = nil, neededOnly: Bool = false,
        environment: (Source) -> [String: String]? = { _ in nil }
    ) -> [LintWarning] {
        var walk = StageWalk(graph: self, ignore: ignore)
        for node in neededOnly ? order.map({ nodes[$0] }) : nodes {
            var known = environment(node.base)
            if known == nil, case .image(let name) = node.base, StageWalk.definesOnlyPath(name) { known = [:] }
            if case .scratch = node.base { known = [:] }
            walk.visit(node, environment: known)
        }
        let all = warnings + walk.collector.warnings
        return all.inOrder
    }

    /// Whether a rule is on for an instruction, for those who make a finding while they build.
    package func checks(_ rule: LintRule, _ instruction: Instruction) -> Bool {
        var collector = LintCollector(check, source)
        collector.enter(comments: instruction.comments, in: instruction.source)
        collector.report(rule, "", at: instruction.range)
        return !collector.warnings.isEmpty
    }

    /// A finding about a stage's FROM that somebody else makes; `nil` when the file switches its rule off.
    package func warning(_ rule: LintRule, _ message: String, ofStage index: Int) -> LintWarning? {
        guard nodes.indices.contains(index) else { return nil }
        let from = nodes[index].stage.from
        var collector = LintCollector(check, source)
        collector.enter(comments: from.comments)
        collector.report(rule, message, near: nodes[index].stage.base, at: from.range)
        return collector.warnings.first
    }
}

/// Follows the variables, the shell and the working directory through the stages.
private struct StageWalk {
    private struct State {
        /// `nil`: not known.
        var environment: [String: String]?
        var assigned: [String: String] = [:]
        var declared: Set<String> = []
        var hasShell = false
        var hasWorkingDirectory = false
        func value(_ name: String) -> String? { assigned[name] ?? environment?[name] }
    }

    /// Bytes of all values that were ever assigned.
    private var size = 0

    /// What is beyond all measure is known by its name only.
    private mutating func assign(_ name: String, _ value: String, _ state: inout State) {
        size += value.utf8.count
        state.assigned[name] = size <= WordExpander.totalLimit ? value : ""
    }

    let graph: StageGraph
    let ignore: IgnoreMatcher?
    var collector: LintCollector
    /// Of the stages that a later one starts from, until the last of these has taken it: a state is copied for those only
    /// that share it.
    private var states: [Int: State] = [:]
    private let lastUse: [Int: Int]

    init(graph: StageGraph, ignore: IgnoreMatcher?) {
        self.graph = graph
        self.ignore = ignore
        collector = LintCollector(graph.check, graph.source)
        var lastUse: [Int: Int] = [:]
        for node in graph.nodes { if case .stage(let base) = node.base { lastUse[base] = node.index } }
        self.lastUse = lastUse
    }

    /// Base images that have been looked at.
    static func definesOnlyPath(_ image: String) -> Bool {
        let name = ContextName.normalize(image).prefix { $0 != ":" && $0 != "@" }
        return [
            "alpine", "busybox", "debian", "ubuntu", "fedora", "centos", "rockylinux", "almalinux", "amazonlinux",
            "archlinux",
        ].contains(name)
    }

    mutating func visit(_ node: StageGraph.Node, environment: [String: String]?) {
        var state = State(environment: environment)
        if case .stage(let base) = node.base {
            let below = lastUse[base] == node.index ? states.removeValue(forKey: base) : states[base]
            if let below { state = below }
        }
        if state.environment != nil, state.value("PATH") == nil { state.environment?["PATH"] = "/" }
        var last: [Keyword: SourceRange] = [:]
        for instruction in node.instructions { visit(instruction, &state, &last) }
        if lastUse[node.index] != nil { states[node.index] = state }
    }

    private mutating func visit(
        _ instruction: Instruction, _ state: inout State, _ last: inout [Keyword: SourceRange]
    ) {
        collector.enter(comments: instruction.comments, in: instruction.source)
        let range = instruction.range
        let expanded = try? instruction.expanded { [state] in state.value($0) }
        undefined(expanded?.undefined ?? [], state, at: range)
        let keyword = instruction.keyword
        if [.cmd, .entrypoint, .healthcheck].contains(keyword) {
            if let before = last[keyword] {
                collector.report(
                    .multipleInstructionsDisallowed,
                    "there is another \(keyword.name) later in the stage; only the last one counts", at: before)
            }
            last[keyword] = range
        }
        switch expanded?.instruction.kind ?? instruction.kind {
        case .cmd(.shell), .entrypoint(.shell):
            if !state.hasShell {
                collector.report(
                    .jsonArgsRecommended,
                    "\(keyword.name) in shell form does not pass signals on; write it as a JSON array", at: range)
            }
        case .shell: state.hasShell = true
        case .workdir(let path):
            if !state.hasWorkingDirectory, !PathRules.isAbsolute(path) {
                collector.report(
                    .workdirRelativePath,
                    "the relative WORKDIR '\(path)' depends on the base image; begin with an absolute one", near: path,
                    at: range)
            }
            state.hasWorkingDirectory = true
        case .env(let env):
            legacy(env.isLegacy, .env, at: range)
            for pair in env.pairs {
                secret(pair.key, .env, at: range)
                assign(pair.key, pair.value, &state)
            }
        case .label(let label): legacy(label.isLegacy, .label, at: range)
        case .arg: arguments(instruction, &state)
        case .expose(let words): ports(words, at: range)
        case .copy(let copy): if copy.from == nil { ignored(copy.sources.paths, .copy, at: range) }
        case .add(let add): ignored(add.sources.paths, .add, at: range)
        default: break
        }
    }

    private mutating func undefined(_ names: [String], _ state: State, at range: SourceRange) {
        guard let environment = state.environment, !collector.isFull else { return }
        let unknown = names.filter { !state.declared.contains($0) }
        guard !unknown.isEmpty else { return }
        var options: [String] = []
        if environment.count + state.assigned.count <= Suggestion.optionLimit {
            options = Set(environment.keys).union(state.assigned.keys).sorted()
        }
        for name in unknown where !collector.isFull {
            let hint = Suggestion.nearest(to: name, among: options).map { " (did you mean $\($0)?)" } ?? ""
            collector.report(.undefinedVar, "the variable '$\(name)' is not defined\(hint)", near: name, at: range)
        }
    }

    private mutating func arguments(_ instruction: Instruction, _ state: inout State) {
        guard case .arg(let arg) = instruction.kind else { return }
        let expander = WordExpander(escape: instruction.escape)
        for argument in arg.arguments {
            secret(argument.name, .arg, at: instruction.range)
            var value = graph.buildArguments[argument.name]
            if value == nil, let text = argument.value {
                let expansion = try? expander.expansion(of: text) { [state] in state.value($0) }
                undefined(expansion?.unmatched ?? [], state, at: instruction.range)
                value = expansion?.text
            } else if value == nil {
                value = graph.globalArgument(argument.name)
            }
            if let value { assign(argument.name, value, &state) }
            state.declared.insert(argument.name)
        }
    }

    private mutating func legacy(_ isLegacy: Bool, _ keyword: Keyword, at range: SourceRange) {
        guard isLegacy else { return }
        collector.report(
            .legacyKeyValueFormat, "write \(keyword.name) KEY=VALUE instead of \(keyword.name) KEY VALUE", at: range)
    }

    private mutating func secret(_ name: String, _ keyword: Keyword, at range: SourceRange) {
        guard Linter.isSecret(name) else { return }
        collector.report(
            .secretsUsedInArgOrEnv,
            "\(keyword.name) '\(name)' stays in the image; use RUN --mount=type=secret for secrets", near: name,
            at: range)
    }

    private mutating func ports(_ words: [String], at range: SourceRange) {
        guard let ports = try? ExposedPorts(words) else { return }
        for word in ports.oddProtocols {
            collector.report(
                .exposeProtoCasing, "the protocol of EXPOSE '\(word)' should be in lower case", near: word,
                at: range)
        }
        for word in ports.mappings {
            collector.report(
                .exposeInvalidFormat, "EXPOSE '\(word)' should not name an address or a port of the host",
                near: word, at: range)
        }
    }

    private mutating func ignored(_ paths: [String], _ keyword: Keyword, at range: SourceRange) {
        // What a negation brings back cannot be told from the patterns alone.
        guard let ignore, !ignore.hasNegations else { return }
        for path in paths where !path.contains("://") {
            let cleaned = PathRules.clean(path)
            let isRoot = cleaned == "." || cleaned == "/"
            guard isRoot ? ignore.excludesRoot : ignore.excludes(cleaned) else { continue }
            collector.report(
                .copyIgnoredFile, "\(keyword.name) takes '\(path)', which the ignore file takes away", near: path,
                at: range)
        }
    }
}
