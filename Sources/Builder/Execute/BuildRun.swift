import Blocking
import ContentStore
import Diagnostics
import OCI
import Registry
import Sandbox

/// One stage of a build under way. Everything it does to files happens on its own thread, so that blocking calls hold up
/// nobody.
actor BuildRun {
    private let stage: PlannedStage
    let request: BuildRequest
    let plan: BuildPlan
    let contexts: PlanContexts
    let builder: Builder
    let scratch: ScratchDirectory
    let progress: @Sendable (BuildEvent) -> Void
    private let dependents: [Int: [Int]]
    private let board: StageBoard
    private let bases: BaseFetcher
    private let executor = BlockingExecutor(label: "slipway.build")
    private var directories = 0
    /// How RUN steps are isolated; settled by the first.
    var isolation: IsolationMode?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        _ stage: PlannedStage, _ request: BuildRequest, plan: BuildPlan, dependents: [Int: [Int]],
        contexts: PlanContexts, builder: Builder, scratch: ScratchDirectory, board: StageBoard, bases: BaseFetcher,
        progress: @escaping @Sendable (BuildEvent) -> Void
    ) {
        self.stage = stage
        self.request = request
        self.plan = plan
        self.dependents = dependents
        self.contexts = contexts
        self.builder = builder
        self.scratch = scratch
        self.board = board
        self.bases = bases
        self.progress = progress
    }

    /// Runs the stage's steps, one after the other.
    func execute() async throws(BuildError) -> StageFiles {
        var files = StageFiles(newest: request.fileTimes == .kept ? request.createdAt : BaseImage.timeOnScratch)
        switch stage.base {
        case .scratch: break
        case .stage(let index): files = try await board.files(of: index)
        case .image(let base):
            files.base = base
            if request.fileTimes == .ofBase { files.newest = base.newestTime }
            for layer in try base.layers() { files.append(layer) }
        }
        // Another stage's chroot is its own.
        files.merged = nil
        files.isolation = nil
        for (index, step) in stage.steps.enumerated() {
            // What a step takes from other stages has to be there before it begins.
            for other in step.stages { _ = try await board.files(of: other) }
            try Task.checkBuildCancellation()
            progress(
                .stepStarted(
                    stage: stage.name, index: index + 1, of: stage.steps.count, text: step.text,
                    location: step.location))
            let start = ContinuousClock.now
            do throws(BuildError) {
                try await execute(step, &files)
            } catch {
                throw error.at(step.location)
            }
            progress(.stepFinished(duration: ContinuousClock.now - start))
        }
        if let merged = files.merged { try scratch.remove(merged.directory) }
        files.isolation = isolation
        return files
    }

    private func execute(_ step: PlannedStep, _ files: inout StageFiles) async throws(BuildError) {
        let key = step.hasLayer ? try await key(of: step, on: files) : nil
        if let key, !request.noCache, let known = builder.store.steps.layer(for: key) {
            append(known, of: step, to: &files)
            progress(.stepCached(known.descriptor.digest, size: known.descriptor.size))
            return
        }
        if !step.hasLayer { return }
        try await fetchAhead()
        try await board.acquire()
        do throws(BuildError) { try await perform(step, key, &files) } catch {
            await board.release()
            throw error
        }
        await board.release()
    }

    private func perform(_ step: PlannedStep, _ key: StepKey?, _ files: inout StageFiles) async throws(BuildError) {
        let upper: HostPath
        switch step.action {
        case .metadata: return
        case .copy(let copy): upper = try await perform(copy, on: files)
        case .workdir(let path, let user): upper = try await makeWorkingDirectory(path, user, on: files)
        case .run(let run): upper = try await perform(run, on: &files)
        }
        let (cut, size) = try LayerWriter(newest: files.newest, ownership: builder.store.ownership)
            .write(upper, to: builder.store.content)
        append(cut, of: step, to: &files)
        // What the step left is what the next steps stand on, in this build and in later ones.
        if let chain = files.chain { try builder.store.layers.keep(upper, as: chain, size: size, scratch: scratch) }
        if let key { builder.store.steps.remember(cut, for: key) }
        progress(.layerWritten(cut.descriptor.digest, size: cut.descriptor.size))
    }

    private func append(_ cut: StepCache.Entry, of step: PlannedStep, to files: inout StageFiles) {
        files.append(
            BuiltImage.Layer(
                descriptor: cut.descriptor, diffID: cut.diffID, origin: .built,
                createdBy: step.history?.createdBy ?? step.text))
    }

    private func key(of step: PlannedStep, on files: StageFiles) async throws(BuildError) -> StepKey {
        var names: [Int: String] = [:]
        for other in step.stages { names[other] = try await board.files(of: other).chain.map { "\($0)" } ?? "scratch" }
        // Times that the user asked for are part of what is asked for; those of the moment of the build are not.
        return try await StepKey(
            step, on: files.chain, times: request.hasFixedTimes ? files.newest : nil, platform: request.platform,
            hasher: StepHasher(plan: plan, contexts: contexts, stageNames: names))
    }

    /// Something has to be done that no build did before: then the stages that stand on this one will need their base
    /// images too, and these can come meanwhile.
    private func fetchAhead() async throws(BuildError) {
        for index in await board.miss(stage.index, dependents: dependents) {
            guard let stage = plan.stage(index), stage.steps.contains(where: \.hasLayer) else { continue }
            if case .image(let base) = stage.base { try await bases.begin(base) }
        }
    }

    // MARK: What steps share

    func newDirectory() throws(BuildError) -> HostPath {
        directories += 1
        return try scratch.makeDirectory("\(stage.index)-\(directories)")
    }

    /// A stage's file system; its base is fetched and unpacked when this is the first to look.
    func root(of files: StageFiles) async throws(BuildError) -> LayeredRoot {
        let layers = try await directories(of: files.layers, base: files.base)
        return LayeredRoot(layers: layers, ownership: builder.store.ownership)
    }

    func root(ofStage index: Int) async throws(BuildError) -> LayeredRoot {
        try await root(of: board.files(of: index))
    }

    /// The unpacked layers of a base image.
    func directories(of base: BaseImage) async throws(BuildError) -> [HostPath] {
        try await directories(of: try base.layers(), base: base)
    }

    /// The directories of layers, lowest first; those that are not there yet are unpacked from their blobs.
    private func directories(
        of layers: [BuiltImage.Layer], base: BaseImage?
    ) async throws(BuildError) -> [HostPath] {
        var paths: [HostPath] = []
        var chain: Digest?
        for layer in layers {
            let id = ChainID.next(after: chain, layer.diffID)
            chain = id
            if let present = builder.store.layers.directory(of: id) {
                paths.append(present)
                continue
            }
            try await bases.layer(layer)
            paths.append(
                try builder.store.layers.unpack(
                    layer, as: id, over: paths, scratch: scratch, content: builder.store.content))
        }
        if let base { try await bases.tell(base) }
        return paths
    }
}
