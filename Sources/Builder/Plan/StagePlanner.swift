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
        case .copy(let copy): try apply(copy, expanded)
        case .add(let add): try apply(add, expanded)
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
            if !state.hasCommand || arguments.isEmpty { state.config.cmd = nil }
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
        var sshCount = 0
        for mount in run.mounts {
            step.mounts.append(try plan(mount, instruction, sshCount))
            if mount.kind == .ssh { sshCount += 1 }
        }
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

    private func plan(_ mount: RunMount, _ instruction: Instruction, _ sshCount: Int) throws(BuildError) -> StepMount {
        func target() throws(BuildError) -> String {
            do throws(DockerfileError) { return try mount.target(in: state.workingDirectory) } catch {
                throw BuildError(instruction.locate(error))
            }
        }
        switch mount.kind {
        case .tmpfs: return StepMount(kind: .tmpfs(size: mount.size), target: try target())
        case .bind:
            let from: CopyOrigin =
                try mount.from.map { (name) throws(BuildError) in try origin(name, instruction) } ?? .context
            return StepMount(
                kind: .bind(from: from, source: mount.source, isReadOnly: mount.isReadOnly), target: try target())
        case .cache:
            let seed = try mount.from.map { (name) throws(BuildError) in
                (from: try origin(name, instruction), source: mount.source)
            }
            return StepMount(
                kind: .cache(
                    CacheMount(
                        id: (request.buildArgument("BUILDKIT_CACHE_MOUNT_NS").map { $0 + "/" } ?? "") + mount.cacheID,
                        mode: mount.mode ?? 0o755, uid: mount.uid ?? 0, gid: mount.gid ?? 0,
                        isReadOnly: mount.isReadOnly, isLocked: mount.sharing != .shared)), seed: seed,
                target: try target())
        case .secret:
            var resolved = mount
            resolved.target = mount.secretTarget ?? ""
            var path = ""
            if !resolved.target.isEmpty {
                do throws(DockerfileError) { path = try resolved.target(in: state.workingDirectory) } catch {
                    throw BuildError(instruction.locate(error))
                }
            }
            return StepMount(
                kind: .secret(
                    id: mount.secretID, variable: mount.environment, mode: mount.mode ?? 0o400, uid: mount.uid ?? 0,
                    gid: mount.gid ?? 0, isRequired: mount.isRequired), target: path)
        case .ssh:
            var resolved = mount
            // As BuildKit counts them: by the step's SSH mounts.
            if mount.target.isEmpty { resolved.target = "/run/buildkit/ssh_agent.\(sshCount)" }
            let path: String
            do throws(DockerfileError) { path = try resolved.target(in: state.workingDirectory) } catch {
                throw BuildError(instruction.locate(error))
            }
            return StepMount(
                kind: .ssh(
                    id: mount.id ?? "default", mode: mount.mode ?? 0o600, uid: mount.uid ?? 0, gid: mount.gid ?? 0,
                    isRequired: mount.isRequired), target: path)
        }
    }

    private mutating func apply(_ copy: CopyInstruction, _ instruction: Instruction) throws(BuildError) {
        for source in copy.sources.paths where AddSource(source) != .local(source) {
            throw BuildError(
                instruction.error(
                    .argument, "COPY takes no remote sources, such as \(RemoteName.shown(source))", near: source,
                    hint: "use ADD"))
        }
        let origin: CopyOrigin =
            try copy.from.map { (name) throws(BuildError) in try self.origin(name, instruction) } ?? .context
        var step = try plan(
            copy.sources, copy.sources.paths.map { .path($0) }, origin, chown: copy.chown, chmod: copy.chmod,
            excludes: copy.excludes, link: copy.link,
            unpacks: false, instruction)
        step.keepsParents = copy.parents
        add(instruction, .copy(step))
    }

    private mutating func apply(_ add: AddInstruction, _ instruction: Instruction) throws(BuildError) {
        if add.checksum != nil {
            guard add.sources.paths.count == 1, add.sources.inline.isEmpty else {
                throw BuildError(
                    instruction.error(
                        .flag, "--checksum is for a single source", near: "--checksum",
                        hint: "write one ADD for each source"))
            }
            guard let only = add.sources.paths.first, AddSource(only) != .local(only) else {
                throw BuildError(
                    instruction.error(
                        .flag, "--checksum is for sources from elsewhere, not for those of the context",
                        near: "--checksum", hint: "leave it out"))
            }
        }
        var sources: [CopyStep.Source] = []
        for text in add.sources.paths {
            do throws(BuildError) { sources.append(try source(text, of: add)) } catch {
                throw error.at(instruction.range.start)
            }
        }
        let step = try plan(
            add.sources, sources, .context, chown: add.chown, chmod: add.chmod, excludes: add.excludes, link: add.link,
            unpacks: add.unpack ?? true, instruction)
        self.add(instruction, .copy(step))
    }

    private func source(_ text: String, of add: AddInstruction) throws(BuildError) -> CopyStep.Source {
        switch AddSource(text) {
        case .local: return .path(text)
        case .url:
            try RemoteName.refuseCredentials(in: text)
            var checksum: Digest?
            if let wanted = add.checksum {
                checksum = try? Digest(wanted)
                guard checksum?.algorithm == .sha256 else {
                    throw BuildError(
                        .dockerfile, "'\(wanted)' is not a checksum of a file",
                        hint: "write sha256: and 64 hexadecimal digits, as sha256sum prints them")
                }
            }
            return .url(text, checksum: checksum, unpacks: add.unpack ?? false)
        case .git:
            var locator = try GitLocator(text)
            if let wanted = add.checksum {
                try GitLocator.validate(checksum: wanted)
                guard locator.checksum == nil || locator.checksum == wanted else {
                    throw BuildError(
                        .dockerfile, "--checksum and the git source name different commits",
                        cause: "\(wanted), and \(locator.checksum ?? "")")
                }
                locator.checksum = wanted
            }
            if let flag = add.keepGitDirectory, let own = locator.keepsGitDirectory, flag != own {
                throw BuildError(.dockerfile, "--keep-git-dir and the git source contradict each other")
            }
            return .git(
                locator, keepsGitDirectory: locator.keepsGitDirectory ?? add.keepGitDirectory ?? false)
        }
    }

    private func plan(
        _ sources: CopySources, _ selected: [CopyStep.Source], _ origin: CopyOrigin, chown: String?, chmod: String?,
        excludes: [String], link: Bool,
        unpacks: Bool, _ instruction: Instruction
    ) throws(BuildError) -> CopyStep {
        var mode: FileModeChange?
        if let chmod, !chmod.isEmpty {
            do throws(DockerfileError) { mode = try FileModeChange(chmod) } catch {
                throw BuildError(instruction.locate(error))
            }
        }
        let destination = PathRules.destination(sources.destination, in: state.workingDirectory)
        return CopyStep(
            origin: origin, sources: selected,
            inlineFiles: sources.inline.map { CopyStep.InlineFile(name: $0.name, content: $0.content) },
            destination: destination.isDirectory && destination.path != "/" ? destination.path + "/" : destination.path,
            owner: chown.flatMap { $0.isEmpty ? nil : $0 }, mode: mode, excludes: excludes, unpacks: unpacks,
            isLinked: link && mode == nil)
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
