import OCI
import Registry
import Sandbox

/// RUN: a program in a root of its own, on the stage's files.
struct RunExecutor: StepExecutor {
    let run: RunStep
    let roots: StageRoots
    let isolation: StageIsolation

    private var workspace: StageWorkspace { roots.workspace }
    private var build: BuildEnvironment { workspace.build }

    func makeLayer(on layers: StageLayers) async throws(BuildError) -> HostPath {
        guard !run.arguments.isEmpty else {
            throw BuildError(.step, "RUN has no command", hint: "write the program and its arguments")
        }
        try StepPlatform(layers.base?.image.config.platform ?? build.request.platform).refuseForeign()
        let place = try await isolation.root()
        let root = try await roots.root(of: layers)
        var sandbox = try sandbox(in: place.mode, on: root, recordLimit: layers.recordLimit)
        var mounts = try await StepMounts(roots: roots, mode: place.mode).prepare(run, for: &sandbox)
        defer { mounts.release() }
        let times = try CacheDates(caches: build.caches, progress: workspace.progress)
            .shownTimes(for: run, in: sandbox, on: layers, at: root, &mounts)
        let upper = try workspace.newDirectory()
        let command = StepCommand(
            step: run, request: build.request, disk: StepDisk(path: build.store.path), progress: workspace.progress)
        let step = PreparedStep(sandbox: sandbox, root: root, times: times, upper: upper)
        try await place.run(step) { (sandbox) async throws(BuildError) in try await command.run(sandbox) }
        try LayerNormalizer(over: root).normalize(upper)
        return upper
    }

    /// All that the step is told, but for its root and its mounts.
    private func sandbox(
        in mode: IsolationMode, on root: LayeredRoot, recordLimit: Int64?
    ) throws(BuildError) -> SandboxStep {
        let request = build.request
        let account = try UserLookup(of: root).account(run.user)
        var sandbox = SandboxStep(mode: mode, arguments: run.arguments)
        sandbox.environment = run.environment
        func give(_ name: String, _ value: String) {
            if !run.environment.contains(where: { $0.0 == name }) { sandbox.environment.append((name, value)) }
        }
        give("HOME", account.home)
        sandbox.workingDirectory = run.workingDirectory
        let groups = [account.gid] + account.groups.filter { $0 != account.gid }
        sandbox.user = (uid: account.uid, gid: account.gid, groups: groups)
        sandbox.hasOneIdentity = build.builder.isolation.rootless
        sandbox.network = run.hasNetwork ? .host : .none
        sandbox.hostname = run.hostname ?? "buildkitsandbox"
        sandbox.timeout = request.stepTimeout
        sandbox.outputLimit = request.stepOutputLimit
        sandbox.processLimit = request.stepProcessLimit
        if let memory = request.stepMemoryLimit, case .success(let group) = DelegatedControlGroup.own {
            sandbox.limits = (group, StepLimits(memory: memory))
        }
        sandbox.storage = (build.store.path, StepDisk(path: build.store.path).reserve)
        // Programs that write dates into their results take this one (https://reproducible-builds.org/specs/source-date-epoch/).
        if let recordLimit { give("SOURCE_DATE_EPOCH", "\(recordLimit)") }
        return sandbox
    }
}
