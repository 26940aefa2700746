extension StageGraph {
    /// Build arguments that RUN sees without ARG, in any case.
    package static let proxyArguments = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"]

    /// Resolves a Dockerfile for one build.
    ///
    /// - Parameters:
    ///   - target: a stage's name; `nil` takes the last stage.
    ///   - buildArguments: of the command line; the last of a name counts.
    ///   - platform: what the image is for, `linux/amd64`.
    ///   - buildPlatform: what builds it; `nil` is the same.
    ///   - namedContexts: names that take the place of stages, images and `--from` sources.
    ///   - stageContexts: names that do so and stand for another stage of the file, by that stage's name.
    ///   - includesUnused: whether the stages before the target are built that it does not need.
    package static func resolve(
        _ dockerfile: Dockerfile, target: String? = nil, buildArguments: [(String, String)] = [],
        platform: String, buildPlatform: String? = nil, namedContexts: Set<String> = [],
        stageContexts: [String: String] = [:], includesUnused: Bool = false
    ) throws(DockerfileError) -> StageGraph {
        let given = Dictionary(buildArguments) { _, last in last }
        let host = try buildPlatform.map { (text) throws(DockerfileError) in try BuildPlatform(text) }
        let wanted = try BuildPlatform(platform, host: host)
        let targetName = target.flatMap { $0.isEmpty ? nil : $0 } ?? dockerfile.stages.last?.name ?? "default"
        var scope = GlobalScope(automatic: automatic(wanted, host ?? wanted, targetName), given: given)
        for instruction in dockerfile.globalInstructions { try scope.declare(instruction) }

        try check(stageContexts, dockerfile)
        var names = StageNames(contexts: namedContexts, stageContexts: stageContexts)
        var triggerCount = 0
        var nodes: [Node] = []
        nodes.reserveCapacity(dockerfile.stages.count)
        for stage in dockerfile.stages {
            let node = try resolve(
                stage, &scope, names: names, nodes: nodes, platform: wanted,
                expander: WordExpander(escape: dockerfile.directives.escape))
            triggerCount += node.instructions.count - stage.instructions.count
            guard triggerCount <= triggerLimit else {
                throw stage.from.locate(
                    DockerfileError(.limit, "the stages run more than \(triggerLimit) ONBUILD triggers together"))
            }
            nodes.append(node)
            names.add(stage)
        }
        let index = try find(target, in: dockerfile, names.stages)
        let arguments = Arguments(
            global: scope.assigned, given: given,
            unused: unused(given, in: dockerfile.globalInstructions + nodes.flatMap(\.instructions)))
        return try StageGraph(
            of: dockerfile, nodes: nodes, target: index, names: names, arguments: arguments,
            fromWarnings: Linter.fromLines(dockerfile, scope: scope, platform: wanted), includesUnused: includesUnused)
    }

    /// - Parameters:
    ///   - names: of what comes before.
    ///   - platform: what the image is for.
    private static func resolve(
        _ stage: Stage, _ scope: inout GlobalScope, names: StageNames, nodes: [Node], platform wanted: BuildPlatform,
        expander: WordExpander
    ) throws(DockerfileError) -> Node {
        do throws(DockerfileError) {
            let name = try expander.expand(stage.base) { scope.value($0) }
            guard !name.isEmpty else {
                throw DockerfileError(
                    .reference, "the base image \(quoted(stage.base)) is empty after expansion", near: stage.base,
                    hint: scope.hint(for: stage.base, expander) ?? "give the ARG a default before the first FROM")
            }
            var platform: BuildPlatform?
            if let written = stage.platform {
                let text = try expander.expand(written) { scope.value($0) }
                guard !text.isEmpty else {
                    throw DockerfileError(
                        .platform, "the platform \(quoted(written)) is empty after expansion", near: "--platform",
                        hint: scope.hint(for: written, expander))
                }
                platform = try BuildPlatform(text, host: wanted)
            }
            if let own = stage.name, !names.isItsOwnAlias(own), let index = try names.earlierAlias(own) {
                return Node(stage: stage, base: .stage(index), platform: nodes[index].platform, instructions: [])
            }
            if let own = stage.name, let context = names.context(own) {
                return Node(stage: stage, base: .context(context), platform: platform, instructions: [])
            }
            var instructions = stage.instructions
            let base: Source
            if let index = names.stages[name] {
                base = .stage(index)
                // What is built on a stage is of its platform, whatever the line says.
                platform = nodes[index].platform
                instructions = try triggers(of: nodes[index], for: stage) + instructions
            } else if name == "scratch" {
                base = .scratch
            } else if let index = try names.earlierAlias(name) {
                base = .stage(index)
                platform = nodes[index].platform
                instructions = try triggers(of: nodes[index], for: stage) + instructions
            } else if let context = names.context(name) {
                base = .context(context)
            } else {
                base = .image(name)
            }
            return Node(stage: stage, base: base, platform: platform, instructions: instructions)
        } catch {
            throw stage.from.locate(error)
        }
    }

    private static func check(
        _ stageContexts: [String: String], _ dockerfile: Dockerfile
    ) throws(DockerfileError) {
        let known = dockerfile.stages.compactMap(\.name)
        for (name, stage) in stageContexts.sorted(by: { $0.key < $1.key })
        where !known.contains(stage.lowercased()) {
            throw DockerfileError(
                .reference, "the build context \(quoted(name)) is the stage \(quoted(stage)), which is not there",
                hint: Suggestion.hint(for: stage, among: known.sorted(), ignoringCase: true))
        }
    }

    /// The `ONBUILD` instructions of a base stage.
    private static func triggers(of base: Node, for stage: Stage) throws(DockerfileError) -> [Instruction] {
        var triggers: [Instruction] = []
        for instruction in base.instructions {
            guard case .onbuild(let onbuild) = instruction.kind else { continue }
            guard triggers.count < triggerLimit else {
                throw DockerfileError(.limit, "the base stage has more than \(triggerLimit) ONBUILD triggers")
            }
            do {
                triggers.append(
                    try Instruction.parse(
                        line: onbuild.text, name: "ONBUILD at \(instruction.range.start)", escape: instruction.escape))
            } catch {
                throw trigger(error, of: stage)
            }
        }
        return triggers
    }

    private static func find(
        _ target: String?, in dockerfile: Dockerfile, _ names: [String: Int]
    ) throws(DockerfileError) -> Int {
        guard let target, !target.isEmpty else { return dockerfile.stages.count - 1 }
        if let index = names[target.lowercased()] { return index }
        var hint = Suggestion.hint(for: target, among: names.keys.sorted(), ignoringCase: true)
        if hint == nil {
            hint =
                names.isEmpty
                ? "no stage has a name: write FROM IMAGE AS \(target)"
                : "the file has " + dockerfile.stages.compactMap(\.name).prefix(20).joined(separator: ", ")
        }
        throw DockerfileError(
            .reference, "there is no stage \(quoted(target)) in \(dockerfile.file)", hint: hint)
    }

    static func automatic(
        _ platform: BuildPlatform, _ host: BuildPlatform, _ target: String
    ) -> [(name: String, value: String)] {
        [
            ("BUILDPLATFORM", host.description), ("BUILDOS", host.os), ("BUILDOSVERSION", host.osVersion),
            ("BUILDARCH", host.architecture), ("BUILDVARIANT", host.variant), ("TARGETPLATFORM", platform.full),
            ("TARGETOS", platform.os), ("TARGETOSVERSION", platform.osVersion),
            ("TARGETARCH", platform.architecture), ("TARGETVARIANT", platform.variant), ("TARGETSTAGE", target),
        ]
    }

    private static func unused(_ given: [String: String], in instructions: [Instruction]) -> [String] {
        var declared: Set<String> = ["SOURCE_DATE_EPOCH"]
        for (name, _) in automatic(BuildPlatform(os: "", architecture: ""), BuildPlatform(os: "", architecture: ""), "")
        { declared.insert(name) }
        declared.formUnion(instructions.flatMap(\.declaredArguments))
        return given.keys.filter { name in
            !declared.contains(name) && !name.hasPrefix("BUILDKIT_") && !proxyArguments.contains(name.uppercased())
        }.sorted()
    }
}

extension Instruction {
    /// What an ARG declares.
    var declaredArguments: [String] {
        guard case .arg(let arg) = kind else { return [] }
        return arg.arguments.map(\.name)
    }
}

/// The arguments that FROM lines see.
struct GlobalScope: Sendable {
    private(set) var assigned: [(name: String, value: String)]
    private var positions: [String: Int] = [:]
    /// Declared, with or without a value.
    private(set) var declared: Set<String> = []
    private let given: [String: String]
    /// Bytes of all values that were ever assigned.
    private var size = 0

    init(automatic: [(name: String, value: String)], given: [String: String]) {
        assigned = []
        self.given = given
        for (name, value) in automatic { set(name, given[name] ?? value) }
    }

    private mutating func set(_ name: String, _ value: String) {
        declared.insert(name)
        size += value.utf8.count
        if let position = positions[name] {
            assigned[position].value = value
        } else {
            positions[name] = assigned.count
            assigned.append((name, value))
        }
    }

    func value(_ name: String) -> String? { positions[name].map { assigned[$0].value } }

    mutating func declare(_ instruction: Instruction) throws(DockerfileError) {
        guard case .arg(let arg) = instruction.kind else { return }
        let expander = WordExpander(escape: instruction.escape)
        for argument in arg.arguments {
            declared.insert(argument.name)
            guard size <= WordExpander.totalLimit else {
                throw instruction.error(
                    .limit, "the arguments before the first FROM hold more than \(WordExpander.totalLimit) bytes")
            }
            if let value = given[argument.name] {
                set(argument.name, value)
            } else if let text = argument.value {
                do { set(argument.name, try expander.expand(text) { value($0) }) } catch {
                    throw instruction.locate(error)
                }
            }
        }
    }

    /// A declared argument that is spelled almost like one that a text uses.
    func hint(for text: String, _ expander: WordExpander) -> String? {
        guard let expansion = try? expander.expansion(of: text, { value($0) }) else { return nil }
        for name in expansion.unmatched where !declared.contains(name) {
            if let hint = Suggestion.hint(for: name, among: declared.sorted(), prefix: "$") { return hint }
        }
        return nil
    }
}
