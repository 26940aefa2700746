import Diagnostics
import Dockerfile
import OCI
import Text

/// Applies the instructions of one stage, in order, to its state: values in, steps and values out.
struct StagePlanner {
    /// What names in `--from` and mounts mean.
    typealias OriginLookup = (_ name: String, _ instruction: Instruction) throws(BuildError) -> CopyOrigin

    let request: BuildRequest
    /// The value that `ARG name` without a default takes from outside of the stages.
    let globalValue: (String) -> String?
    let origin: OriginLookup
    /// Whether a build check is on for an instruction.
    var checks: (LintRule, Instruction) -> Bool = { _, _ in false }
    private let created: String
    /// The last of each name counts.
    private let buildArguments: [String: String]
    var state: StageState
    var steps: [PlannedStep] = []
    var history: [History] = []
    /// Bytes of the history, in which all values show: of this stage and those planned before it.
    var size = 0

    init(
        _ request: BuildRequest, state: StageState, globalValue: @escaping (String) -> String?,
        origin: @escaping OriginLookup
    ) {
        self.request = request
        self.state = state
        self.globalValue = globalValue
        self.origin = origin
        created = UTCDate(secondsSince1970: request.createdAt).rfc3339
        buildArguments = Dictionary(request.buildArguments) { _, last in last }
    }

    /// A stage on a folder: the folder is its first layer.
    mutating func begin(withFolder name: String, at location: SourceLocation) {
        let copy = CopyStep(
            origin: .named(name), sources: [.path(".")], inlineFiles: [], destination: "/", owner: nil, mode: nil,
            excludes: [], unpacks: false, isLinked: false)
        let text = "FROM \(name)"
        let entry = History(
            created: created, createdBy: text, comment: "buildkit.exporter.image.v0", emptyLayer: false)
        history.append(entry)
        steps.append(PlannedStep(text: text, location: location, action: .copy(copy), history: entry))
    }

    mutating func apply(_ instruction: Instruction) throws(BuildError) {
        let expanded: Instruction
        // Not from a copy of the variables: to set one would copy them all.
        do throws(DockerfileError) { expanded = try instruction.expanded { state.variables[$0] }.instruction } catch {
            throw BuildError(error)
        }
        switch expanded.kind {
        case .run(let run): try apply(run, expanded)
        case .copy(let copy): add(expanded, .copy(try copyPlanner(for: expanded).plan(copy)))
        case .add(let adding): add(expanded, .copy(try copyPlanner(for: expanded).plan(adding)))
        case .arg: try arguments(expanded)
        case .expose(let words): try expose(words, expanded)
        case .workdir(let path): try workdir(path, expanded)
        default: metadata(expanded)
        }
        guard size <= WordExpander.totalLimit else {
            throw BuildError(
                instruction.error(
                    .limit, "the stages' histories and variables hold more than \(WordExpander.totalLimit) bytes",
                    hint: "put large values into files"))
        }
    }

    // MARK: Configuration

    private mutating func metadata(_ instruction: Instruction) {
        switch instruction.kind {
        case .env(let env): for pair in env.pairs { state.setEnvironment(pair.key, pair.value) }
        case .label(let label): for pair in label.pairs { state.config.labels[pair.key] = pair.value }
        case .user(let user): state.config.user = user
        case .volume(let paths): state.config.volumes.formUnion(paths)
        case .cmd(let command):
            let arguments = command.arguments(shell: state.shell)
            state.config.cmd = arguments.isEmpty ? nil : arguments
            state.config.argsEscaped = true
            state.hasCommand = true
        case .entrypoint(let command):
            let arguments = command.arguments(shell: state.shell)
            state.config.entrypoint = arguments.isEmpty ? nil : arguments
            if !state.hasCommand { state.config.cmd = nil }
        case .shell(let shell): state.config.shell = shell
        case .healthcheck(let check): state.config.healthcheck = ContainerConfig.Healthcheck(check)
        case .stopsignal(let signal): state.config.stopSignal = signal
        case .maintainer(let name): state.author = name
        case .onbuild(let trigger): state.config.onBuild.append(trigger.text)
        case .run, .copy, .add, .arg, .workdir, .expose: return
        }
        add(instruction, .metadata)
    }

    private mutating func arguments(_ instruction: Instruction) throws(BuildError) {
        let assigned: [(name: String, value: String?)]
        do throws(DockerfileError) {
            assigned = try instruction.assignments(
                buildArguments: { buildArguments[$0] }, globals: globalValue, environment: { state.variables[$0] })
        } catch {
            throw BuildError(error)
        }
        for (name, value) in assigned {
            if let value { state.variables[name] = value }
            state.arguments[name] = value ?? state.arguments[name] ?? ""
        }
        add(instruction, .metadata, message: HistoryText.arg(assigned))
    }

    private mutating func expose(_ words: [String], _ instruction: Instruction) throws(BuildError) {
        do throws(DockerfileError) {
            state.config.exposedPorts.formUnion(try ExposedPorts(words).ports)
        } catch {
            throw BuildError(instruction.locate(error))
        }
        add(instruction, .metadata)
    }

    private mutating func workdir(_ path: String, _ instruction: Instruction) throws(BuildError) {
        let directory = PathRules.workingDirectory(path, from: state.config.workingDir)
        state.config.workingDir = directory
        let isRoot = ImagePath(directory).components.isEmpty
        add(instruction, isRoot ? .metadata : .workdir(path: directory, user: state.config.user))
    }

    // MARK: Files

    private mutating func apply(_ run: RunInstruction, _ instruction: Instruction) throws(BuildError) {
        guard run.security == .sandbox else {
            throw unsupported(
                instruction, "RUN --security=insecure", "leave the flag out; steps run with a container's privileges")
        }
        guard run.devices.isEmpty else {
            throw unsupported(instruction, "RUN --device", "leave the flag out")
        }
        let invocation = run.invocation(shell: state.shell)
        var environment = state.variables
        var hidden: Set<String> = []
        for (name, value) in proxies() where environment[name] == nil {
            environment[name] = value
            hidden.insert(name)
        }
        var step = RunStep(
            arguments: invocation.arguments, environment: environment.pairs,
            workingDirectory: ImagePath(state.workingDirectory).text, user: state.config.user)
        step.hidden = hidden
        step.hasNetwork = run.network != .none
        step.hostname = request.buildArgument("BUILDKIT_SANDBOX_HOSTNAME").flatMap { $0.isEmpty ? nil : $0 }
        if case .script(let path, let content, _) = invocation {
            step.script = (name: PathRules.base(path), body: content)
        }
        step.mounts = try MountPlanner(
            instruction: instruction, workingDirectory: state.workingDirectory,
            cachePrefix: request.buildArgument("BUILDKIT_CACHE_MOUNT_NS").map { $0 + "/" } ?? "", origin: origin
        ).plan(run.mounts)
        add(instruction, .run(step))
    }

    /// The proxy arguments work without being declared, in either case, and leave no trace in the image.
    private func proxies() -> [(String, String)] {
        let names: Set<String> = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"]
        return request.buildArguments.flatMap { name, value -> [(String, String)] in
            let upper = name.uppercased()
            return names.contains(upper) ? [(upper, value), (upper.lowercased(), value)] : []
        }
    }

    private func copyPlanner(for instruction: Instruction) -> CopyPlanner {
        CopyPlanner(instruction: instruction, workingDirectory: state.workingDirectory, origin: origin)
    }

    // MARK: Helpers

    /// - Parameter message: the history's words, where the instruction's kind alone does not tell them.
    private mutating func add(_ instruction: Instruction, _ action: PlannedStep.Action, message: String? = nil) {
        var words = HistoryText(shell: state.shell, workingDirectory: state.workingDirectory)
        // Only RUN tells them.
        if case .run = instruction.kind {
            words.buildArguments = state.arguments.pairs.map { ($0.0, state.variables[$0.0] ?? $0.1) }
        }
        var step = PlannedStep(
            text: instruction.original, location: instruction.range.start, action: action, history: nil)
        if let text = message ?? words.text(of: instruction.kind) {
            step.history = History(
                created: created, createdBy: text, comment: "buildkit.dockerfile.v0", emptyLayer: !step.hasLayer)
        }
        step.checks = step.action.checks.filter { checks($0, instruction) }
        if let entry = step.history { history.append(entry) }
        size += step.history?.createdBy?.utf8.count ?? instruction.original.utf8.count
        steps.append(step)
    }

    private func unsupported(_ instruction: Instruction, _ what: String, _ hint: String) -> BuildError {
        var error = BuildError(instruction.error(.flag, "\(what) is not supported", hint: hint))
        error.code = .unsupported
        return error
    }
}

extension PlannedStep.Action {
    /// The build checks that may find something when the step is done.
    fileprivate var checks: Set<LintRule> {
        switch self {
        case .metadata, .run: return []
        case .workdir(_, let user): return UserLookup.looksUp(user) ? [.unknownOwner] : []
        case .copy(let copy):
            var rules: Set<LintRule> = copy.looksUpOwner ? [.unknownOwner] : []
            for case .path(let text) in copy.sources where SourcePattern(text).hasWildcards {
                rules.insert(.copyMatchesNothing)
            }
            return rules
        }
    }
}

extension ContainerConfig.Healthcheck {
    init(_ check: Healthcheck) {
        func given(_ nanoseconds: Int64) -> Int64? { nanoseconds == 0 ? nil : nanoseconds }
        self.init(
            test: check.test, interval: given(check.interval), timeout: given(check.timeout),
            startPeriod: given(check.startPeriod), startInterval: given(check.startInterval),
            retries: check.retries == 0 ? nil : check.retries)
    }
}

extension BuildError {
    /// An error of the Dockerfile, with the guilty line and a caret below it.
    init(_ error: DockerfileError) {
        var cause = error.cause ?? ""
        if let excerpt = error.excerpt { cause += (cause.isEmpty ? "\n" : "\n") + excerpt }
        self.init(
            .dockerfile, error.summary, place: error.place, cause: cause.isEmpty ? nil : cause, hint: error.hint)
    }
}
