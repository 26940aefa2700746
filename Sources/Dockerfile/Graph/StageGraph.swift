/// The stages of a Dockerfile with their bases and sources resolved for one build.
package struct StageGraph: Sendable {
    /// What a stage starts from, or a `--from` takes files from.
    package enum Source: Sendable, Hashable {
        case scratch
        case stage(Int)
        /// An image's name, expanded; still to be pulled.
        case image(String)
        /// A named context of the build, by the name under which it was given.
        case context(String)
    }

    package struct Node: Sendable {
        package let stage: Stage
        package let base: Source
        /// The expanded `--platform`, normalised; `nil` is the target's.
        package let platform: BuildPlatform?
        /// The triggers of the base and then the stage's own. Empty when a named context takes the stage's place.
        package internal(set) var instructions: [Instruction]
        /// Stages that have to be built before, ascending; without those not needed by anything.
        package internal(set) var dependencies: [Int] = []

        package var index: Int { stage.index }
        package var displayName: String { stage.displayName }
    }

    /// The most triggers that all stages together may run: each stage can have the same base.
    static let triggerLimit = 10_000

    /// Those of base images.
    private var insertedTriggers = 0
    /// All stages, by index.
    package private(set) var nodes: [Node]
    /// The index of the stage that becomes the image.
    package let target: Int
    /// The stages that the target needs, itself included, each after what it depends on.
    package private(set) var order: [Int] = []
    /// The automatic arguments and those before the first FROM, in the order of their definition.
    package let globalArguments: [(name: String, value: String)]
    /// Build arguments that nothing in the file and in the triggers of its bases declares, sorted.
    package private(set) var unusedArguments: [String]
    /// The file's warnings and those of its FROM lines.
    package let warnings: [LintWarning]

    /// Of the command line.
    package let buildArguments: [String: String]
    let check: CheckOptions
    let source: SourceText
    private let globals: [String: String]
    let names: StageNames
    /// Whether the stages before the target are needed although it does not use them.
    private let includesUnused: Bool

    /// Whether a warning that is left fails the build: `# check=error=true`.
    package var failsOnWarnings: Bool { check.isError }

    /// The value of a global argument.
    package func globalArgument(_ name: String) -> String? { globals[name] }

    /// What `COPY --from` means: a stage by number or name, a named context, an image.
    ///
    /// - Throws: `.reference` for a number that no stage has, without a place.
    package func source(ofCopy from: String) throws(DockerfileError) -> Source {
        guard let number = Int(from) else { return source(ofMount: from) }
        guard nodes.indices.contains(number) else {
            throw DockerfileError(
                .reference, "there is no stage number \(from)", near: "--from",
                hint: "the file has the stages 0 to \(nodes.count - 1)")
        }
        return resolved(.stage(number))
    }

    /// What the `from` of a mount means: like `--from`, without numbers.
    package func source(ofMount from: String) -> Source {
        if let index = names.stages[from.lowercased()] { return resolved(.stage(index)) }
        if from == "scratch" { return .scratch }
        if let index = names.alias(from) { return resolved(.stage(index)) }
        if let context = names.context(from) { return .context(context) }
        return .image(from)
    }

    /// A stage whose place is taken by a named context is that context.
    private func resolved(_ source: Source) -> Source {
        if case .stage(let index) = source, case .context(let name) = nodes[index].base,
            nodes[index].stage.name.map({ names.context($0) == name }) ?? false
        {
            return .context(name)
        }
        return source
    }

    /// The base images and named contexts that the needed stages start from or copy from, each once.
    package var externalSources: [Source] {
        var seen: Set<Source> = []
        var found: [Source] = []
        func add(_ source: Source) {
            switch source {
            case .image, .context: if seen.insert(source).inserted { found.append(source) }
            case .scratch, .stage: break
            }
        }
        for index in order {
            add(nodes[index].base)
            for instruction in nodes[index].instructions {
                for from in instruction.sourceNames { if let source = try? source(of: from) { add(source) } }
            }
        }
        return found
    }

    /// Puts a base image's `ONBUILD` triggers before the instructions of a stage. Stages that they copy from are added
    /// to what is needed.
    package mutating func insertTriggers(_ texts: [String], into index: Int) throws(DockerfileError) {
        guard nodes.indices.contains(index), !texts.isEmpty else { return }
        let stage = nodes[index].stage
        insertedTriggers += texts.count
        guard texts.count <= Self.triggerLimit, insertedTriggers <= Self.triggerLimit else {
            throw stage.from.locate(
                DockerfileError(
                    .limit,
                    texts.count > Self.triggerLimit
                        ? "the base image has more than \(Self.triggerLimit) ONBUILD triggers"
                        : "the stages run more than \(Self.triggerLimit) ONBUILD triggers together"))
        }
        var triggers: [Instruction] = []
        for text in texts {
            do {
                triggers.append(try Instruction.parse(line: text, name: "ONBUILD of \(stage.base)"))
            } catch {
                throw StageGraph.trigger(error, of: stage)
            }
        }
        nodes[index].instructions = triggers + nodes[index].instructions
        let declared = Set(triggers.flatMap(\.declaredArguments))
        unusedArguments.removeAll { declared.contains($0) }
        try connect()
    }

    static func trigger(_ error: DockerfileError, of stage: Stage) -> DockerfileError {
        var wrapped = DockerfileError(
            .onbuild, "an ONBUILD trigger of the base \(quoted(stage.base)) is wrong", hint: error.hint)
        wrapped.cause = error.place.map { "\($0): \(error.summary)" } ?? error.summary
        return stage.from.locate(wrapped)
    }

    // MARK: Edges

    /// The arguments of a build, as far as the whole file decides them.
    struct Arguments: Sendable {
        /// The automatic ones and those before the first FROM, in the order of their definition.
        let global: [(name: String, value: String)]
        /// Of the command line.
        let given: [String: String]
        /// Of these, what nothing declares.
        let unused: [String]
    }

    /// - Parameter fromWarnings: those that depend on the arguments.
    init(
        of dockerfile: Dockerfile, nodes: [Node], target: Int, names: StageNames, arguments: Arguments,
        fromWarnings: [LintWarning], includesUnused: Bool
    ) throws(DockerfileError) {
        self.nodes = nodes
        self.target = target
        self.names = names
        self.includesUnused = includesUnused
        globalArguments = arguments.global
        buildArguments = arguments.given
        check = dockerfile.directives.check
        source = dockerfile.source
        globals = Dictionary(arguments.global.map { ($0.name, $0.value) }) { _, last in last }
        unusedArguments = arguments.unused
        warnings = dockerfile.warnings + fromWarnings
        try connect()
    }

    private func source(of from: SourceName) throws(DockerfileError) -> Source {
        switch from {
        case .copy(let name): try source(ofCopy: name)
        case .mount(let name): source(ofMount: name)
        }
    }

    /// Computes the edges, refuses cycles anywhere and references to later stages where they matter, and orders what
    /// the target needs.
    private mutating func connect() throws(DockerfileError) {
        var edges: [[(to: Int, instruction: Instruction)]] = Array(repeating: [], count: nodes.count)
        for node in nodes {
            for instruction in node.instructions {
                for from in instruction.sourceNames {
                    do {
                        guard case .stage(let index) = try source(of: from) else { continue }
                        edges[node.index].append((index, instruction))
                    } catch { throw instruction.locate(error) }
                }
            }
        }
        try refuseCycles(edges)

        var isNeeded = [Bool](repeating: false, count: nodes.count)
        var pending = includesUnused ? Array(0...target) : [target]
        for index in pending { isNeeded[index] = true }
        while let index = pending.popLast() {
            var needs = Set(edges[index].map(\.to))
            if case .stage(let base) = nodes[index].base { needs.insert(base) }
            nodes[index].dependencies = needs.sorted()
            for other in needs where !isNeeded[other] {
                isNeeded[other] = true
                pending.append(other)
            }
        }
        for index in nodes.indices where isNeeded[index] {
            for (other, instruction) in edges[index] where other >= index {
                throw instruction.error(
                    .reference,
                    "the stage \(quoted(nodes[other].displayName)) is defined after \(quoted(nodes[index].displayName))",
                    near: "from", hint: "move it before the stage that takes files from it")
            }
        }
        // Every edge leads to an earlier stage.
        order = nodes.indices.filter { isNeeded[$0] }
    }

    private func refuseCycles(_ edges: [[(to: Int, instruction: Instruction)]]) throws(DockerfileError) {
        enum Mark { case new, open, done }
        var marks = [Mark](repeating: .new, count: nodes.count)
        for start in nodes.indices where marks[start] == .new {
            var stack = [(node: start, next: 0)]
            marks[start] = .open
            while let (node, next) = stack.last {
                guard next < edges[node].count else {
                    marks[node] = .done
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].next += 1
                let (to, instruction) = edges[node][next]
                switch marks[to] {
                case .done: break
                case .new:
                    marks[to] = .open
                    stack.append((to, 0))
                case .open:
                    let cycle = stack[(stack.firstIndex { $0.node == to } ?? 0)...].map { nodes[$0.node].displayName }
                    let path = (cycle.prefix(8) + [nodes[to].displayName]).joined(separator: " → ")
                    throw instruction.error(
                        .cycle,
                        cycle.count == 1
                            ? "the stage \(quoted(nodes[to].displayName)) takes files from itself"
                            : "stages take files from each other: \(path)",
                        near: "from", hint: "split one of the stages")
                }
            }
        }
    }
}

/// Where an instruction takes files from, apart from the build context.
enum SourceName {
    case copy(String)
    case mount(String)
}

extension Instruction {
    var sourceNames: [SourceName] {
        switch kind {
        case .copy(let copy): copy.from.map { [.copy($0)] } ?? []
        case .run(let run): run.mounts.compactMap { mount in mount.from.map { .mount($0) } }
        default: []
        }
    }
}
