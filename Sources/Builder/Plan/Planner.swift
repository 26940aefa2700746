import ContentStore
import Diagnostics
import Dockerfile
import OCI
import Registry

/// From the Dockerfile to the plan: reads base images' manifests and configurations, nothing else.
struct Planner {
    private var request: BuildRequest
    private let contexts: PlanContexts
    private let images: BaseImages

    /// - Parameter content: configurations of base images that it has are not asked for again.
    init(_ request: BuildRequest, contexts: PlanContexts, registry: RegistryAccess, content: ContentStore) {
        self.request = request
        self.contexts = contexts
        images = BaseImages(request, registry, content)
    }

    func plan() async throws(BuildError) -> BuildPlan {
        let (bytes, name) = try await contexts.dockerfile()
        var graph: StageGraph
        do throws(DockerfileError) {
            graph = try StageGraph.resolve(
                Dockerfile.parse(bytes, file: name), target: request.target, buildArguments: request.buildArguments,
                platform: request.platform.description, buildPlatform: Platform.host.description,
                namedContexts: Set(request.namedContexts.filter { $0.value.stageName == nil }.keys),
                stageContexts: request.namedContexts.compactMapValues(\.stageName),
                includesUnused: request.buildsUnusedStages)
        } catch {
            throw BuildError(error)
        }
        let sourceDate = try request.sourceDate(orElse: graph.globalArgument("SOURCE_DATE_EPOCH"))
        let bases = try await resolveBases(of: &graph)
        var sources = try await resolveSources(of: graph)
        // The first step of a stage on a folder takes it.
        for case .folder(let name) in bases.values { sources[name] = .context }
        let findings = checks(of: graph, on: bases.compactMapValues(\.image))
        var warnings = findings.map { "\($0.location): \($0.message) (\($0.rule.rawValue))" }
        if graph.failsOnWarnings, let first = findings.first {
            throw BuildError(
                .dockerfile,
                "\(name) asks to fail on warnings, and there \(findings.count == 1 ? "is 1" : "are \(findings.count)")",
                place: "\(first.location)", cause: "\(first.message) (\(first.rule.rawValue))",
                hint: "'slipway dockerfile lint' lists all; '# check=skip=\(first.rule.rawValue)' switches this one off"
            )
        }
        warnings += graph.unusedArguments.map { "the build argument '\($0)' is not used by \(name)" }
        warnings += request.buildArguments.map(\.0).filter { Self.withoutEffect.contains($0) }
            .map { "the build argument '\($0)' has no effect here" }
        var plan = BuildPlan(
            stages: [], target: graph.target, sources: sources, warnings: warnings, sourceDate: sourceDate,
            failsOnWarnings: graph.failsOnWarnings)
        var planner = self
        planner.request = request.dated(sourceDate)
        for index in graph.order {
            plan.stages.append(try planner.stage(graph.nodes[index], of: graph, on: bases[index], after: plan))
        }
        return plan
    }

    /// Arguments that steer parts of BuildKit which are not here.
    private static let withoutEffect: Set<String> = [
        "BUILDKIT_SYNTAX", "BUILDKIT_INLINE_CACHE", "BUILDKIT_MULTI_PLATFORM",
        "BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE", "BUILDKIT_DOCKERFILE_CHECK",
    ]

    // MARK: Images

    /// What a stage starts from.
    private enum Base: Sendable {
        case image(BaseImage)
        /// A named context with files.
        case folder(String)

        var image: BaseImage? { if case .image(let image) = self { image } else { nil } }
    }

    /// The base images of the needed stages, all looked up at once. Their ONBUILD triggers may make further stages needed.
    private func resolveBases(of graph: inout StageGraph) async throws(BuildError) -> [Int: Base] {
        var bases: [Int: Base] = [:]
        while true {
            let open = graph.order.map { graph.nodes[$0] }.filter { bases[$0.index] == nil && $0.base.isExternal }
            if open.isEmpty { return bases }
            let found = await withTaskGroup(of: (Int, Result<Base, BuildError>).self) { group in
                for node in open { group.addTask { (node.index, await self.base(of: node)) } }
                return await group.reduce(into: [Int: Result<Base, BuildError>]()) { $0[$1.0] = $1.1 }
            }
            for node in open {
                let base = try found[node.index]?.get()
                bases[node.index] = base
                guard let image = base?.image else { continue }
                do throws(DockerfileError) {
                    try graph.insertTriggers(image.image.config.config.onBuild, into: node.index)
                } catch {
                    throw BuildError(error)
                }
            }
        }
    }

    private func base(of node: StageGraph.Node) async -> Result<Base, BuildError> {
        let place = node.stage.location
        do throws(BuildError) {
            switch node.base {
            case .image(let name):
                return .success(.image(try await images.image(name, platform: node.platform, at: place)))
            case .context(let name):
                let image = try await images.namedImage(name, platform: node.platform, at: place)
                return .success(image.map { .image($0) } ?? .folder(name))
            case .scratch, .stage:
                throw BuildError(.dockerfile, "\(node.displayName) has no base to look for", place: place.description)
            }
        } catch {
            return .failure(error)
        }
    }

    /// The build checks of the needed stages, now that the variables of their bases are known.
    private func checks(of graph: StageGraph, on bases: [Int: BaseImage]) -> [LintWarning] {
        var environments: [StageGraph.Source: [String: String]] = [:]
        var mismatches: [LintWarning] = []
        for (index, image) in bases.sorted(by: { $0.key < $1.key }) {
            let node = graph.nodes[index]
            let pairs = image.image.config.config.env.map { entry in
                let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (String(parts[0]), parts.count == 2 ? String(parts[1]) : "")
            }
            environments[node.base] = Dictionary(pairs) { _, last in last }
            let own = image.image.config.platform
            let wanted = node.platform?.description ?? request.platform.description
            guard let asked = try? Platform(wanted), !own.os.isEmpty, !own.matches(asked) else { continue }
            if let warning = graph.warning(
                .invalidBaseImagePlatform, "the base image \(image.name) is for \(own), not for \(asked)",
                ofStage: index)
            {
                mismatches.append(warning)
            }
        }
        return graph.lint(neededOnly: true) { environments[$0] } + mismatches
    }

    /// The images and contexts that COPY and mounts take files from.
    private func resolveSources(of graph: StageGraph) async throws(BuildError) -> [String: PlannedSource] {
        var sources: [String: PlannedSource] = [:]
        for index in graph.order {
            for instruction in graph.nodes[index].instructions {
                for source in try externalSources(of: instruction, graph) {
                    switch source {
                    case .image(let name) where sources[name] == nil:
                        sources[name] = .image(
                            try await images.image(name, platform: nil, at: instruction.range.start))
                    case .context(let name) where sources[name] == nil:
                        let image = try await images.namedImage(name, platform: nil, at: instruction.range.start)
                        sources[name] = image.map { .image($0) } ?? .context
                    default: continue
                    }
                }
            }
        }
        return sources
    }

    private func externalSources(
        of instruction: Instruction, _ graph: StageGraph
    ) throws(BuildError) -> [StageGraph.Source] {
        switch instruction.kind {
        case .copy(let copy):
            return try copy.from.map { (name) throws(BuildError) in
                [try Self.source(name, instruction, graph)]
            } ?? []
        case .run(let run): return run.mounts.compactMap { $0.from.map { graph.source(ofMount: $0) } }
        default: return []
        }
    }

    private static func source(
        _ name: String, _ instruction: Instruction, _ graph: StageGraph
    ) throws(BuildError) -> StageGraph.Source {
        do throws(DockerfileError) {
            if case .copy = instruction.kind { return try graph.source(ofCopy: name) }
            return graph.source(ofMount: name)
        } catch {
            throw BuildError(instruction.locate(error))
        }
    }

    // MARK: Stages

    /// - Parameters:
    ///   - base: what the stage starts from, if it is not another stage.
    ///   - plan: the stages before it.
    private func stage(
        _ node: StageGraph.Node, of graph: StageGraph, on base: Base?, after plan: BuildPlan
    ) throws(BuildError) -> PlannedStage {
        var stage = PlannedStage(
            index: node.index, name: node.displayName, location: node.stage.location, base: .scratch,
            state: .onScratch, history: [])
        switch (node.base, base) {
        case (.stage(let index), _):
            guard let below = plan.stage(index) else {
                throw BuildError(.dockerfile, "stage \(index) is used before it is built")
            }
            stage.base = .stage(index)
            stage.state = below.state
            stage.state.config.onBuild = []
            stage.state.hasCommand = false
            stage.history = below.history
        case (.image, .image(let image)), (.context, .image(let image)):
            stage.base = .image(image)
            var config = image.image.config.config
            config.onBuild = []
            stage.state = StageState(config: config, author: image.image.config.author)
            stage.history = image.history
        case (.scratch, _), (.context, .folder): break
        case (.image, _), (.context, nil):
            throw BuildError(.baseImage, "the base of \(node.displayName) is not known")
        }
        var planner = StagePlanner(
            request, state: stage.state, globalValue: { graph.globalArgument($0) },
            origin: { (name, instruction) throws(BuildError) in
                switch try Self.source(name, instruction, graph) {
                case .stage(let index): return .stage(index)
                case .image(let name), .context(let name): return .named(name)
                case .scratch:
                    throw BuildError(
                        .missingSource, "scratch holds no files to copy", place: instruction.range.start.description)
                }
            })
        planner.checks = { graph.checks($0, $1) }
        if case .folder(let name) = base { planner.begin(withFolder: name, at: node.stage.location) }
        planner.size = plan.stages.last?.plannedSize ?? 0
        for instruction in node.instructions { try planner.apply(instruction) }
        stage.steps = planner.steps
        stage.state = planner.state
        stage.history += planner.history
        stage.plannedSize = planner.size
        return stage
    }
}

extension StageGraph.Source {
    fileprivate var isExternal: Bool {
        switch self {
        case .image, .context: true
        case .scratch, .stage: false
        }
    }
}
