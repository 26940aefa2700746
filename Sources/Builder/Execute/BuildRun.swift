import Blocking
import ContentStore
import Diagnostics
import OCI
import Registry
import Sandbox

/// One build under way. Everything it does to files happens on its own thread, so that blocking calls hold up nobody.
actor BuildRun {
    let request: BuildRequest
    let plan: BuildPlan
    let contexts: PlanContexts
    let builder: Builder
    let scratch: ScratchDirectory
    /// What is built on stays while the image is used.
    let lease: StoreLease.Token
    let progress: @Sendable (BuildEvent) -> Void
    private let executor: BlockingExecutor
    private var finished: [Int: StageFiles] = [:]
    private var directories = 0
    /// How RUN steps are isolated; settled by the first.
    var isolation: IsolationMode?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        _ request: BuildRequest, plan: BuildPlan, contexts: PlanContexts, builder: Builder,
        executor: BlockingExecutor, progress: @escaping @Sendable (BuildEvent) -> Void
    ) throws(BuildError) {
        self.request = request
        self.plan = plan
        self.contexts = contexts
        self.builder = builder
        self.executor = executor
        self.progress = progress
        lease = try builder.store.lease.use()
        scratch = try ScratchDirectory(in: builder.store.buildsFolder)
    }

    func image(contentKey: ContentKey) async throws(BuildError) -> BuiltImage {
        for warning in plan.warnings { progress(.note(warning)) }
        for stage in plan.stages { finished[stage.index] = try await execute(stage) }
        guard let stage = plan.stage(plan.target), let files = finished[plan.target] else {
            throw BuildError(.dockerfile, "the Dockerfile has no stage to build")
        }
        let assembler = ImageAssembler(
            request: request, stage: stage, layers: files.layers, contentKey: contentKey, isolation: isolation,
            lease: lease)
        return try assembler.image(base: files.base)
    }

    private func execute(_ stage: PlannedStage) async throws(BuildError) -> StageFiles {
        var files = StageFiles(newest: request.fileTimes == .kept ? request.createdAt : BaseImage.timeOnScratch)
        switch stage.base {
        case .scratch: break
        case .stage(let index): if let base = finished[index] { files = base }
        case .image(let base):
            files.base = base
            if request.fileTimes == .ofBase { files.newest = base.newestTime }
            for layer in try base.layers() { files.append(layer) }
        }
        // Another stage's chroot is its own.
        files.merged = nil
        for (index, step) in stage.steps.enumerated() {
            try Task.checkBuildCancellation()
            progress(
                .stepStarted(
                    stage: stage.name, index: index + 1, of: stage.steps.count, text: step.text,
                    location: step.location))
            let start = ContinuousClock.now
            do throws(BuildError) {
                try await execute(step, of: stage, &files)
            } catch {
                throw error.at(step.location)
            }
            progress(.stepFinished(duration: ContinuousClock.now - start))
        }
        if let merged = files.merged { try scratch.remove(merged.directory) }
        return files
    }

    private func execute(_ step: PlannedStep, of stage: PlannedStage, _ files: inout StageFiles)
        async throws(BuildError)
    {
        let key = step.hasLayer ? try await key(of: step, on: files) : nil
        if let key, !request.noCache, let known = builder.store.steps.layer(for: key) {
            append(known, of: step, to: &files)
            progress(.stepCached(known.descriptor.digest, size: known.descriptor.size))
            return
        }
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
        let names = finished.mapValues { $0.chain.map { "\($0)" } ?? "scratch" }
        // Times that the user asked for are part of what is asked for; those of the moment of the build are not.
        return try await StepKey(
            step, on: files.chain, times: request.hasFixedTimes ? files.newest : nil, platform: request.platform,
            hasher: StepHasher(plan: plan, contexts: contexts, stageNames: names))
    }

    // MARK: What steps share

    func newDirectory() throws(BuildError) -> HostPath {
        directories += 1
        return try scratch.makeDirectory(String(directories))
    }

    /// A stage's file system; its base is fetched and unpacked when this is the first to look.
    func root(of files: StageFiles) async throws(BuildError) -> LayeredRoot {
        let layers = try await directories(of: files.layers, base: files.base)
        return LayeredRoot(layers: layers, ownership: builder.store.ownership)
    }

    func root(ofStage index: Int) async throws(BuildError) -> LayeredRoot {
        guard let files = finished[index] else {
            throw BuildError(.dockerfile, "stage \(index) is used before it is built")
        }
        return try await root(of: files)
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
        var fetched: Int64 = 0
        for layer in layers {
            let id = ChainID.next(after: chain, layer.diffID)
            chain = id
            if let present = builder.store.layers.directory(of: id) {
                paths.append(present)
                continue
            }
            if builder.store.content.size(of: layer.descriptor.digest) != layer.descriptor.size {
                guard case .base(let repository) = layer.origin else {
                    throw BuildError(
                        .storage, "the layer \(layer.descriptor.digest) vanished from the state directory",
                        hint: "build again, and let nobody empty the state directory meanwhile")
                }
                try await builder.fetch(layer.descriptor, from: repository)
                fetched += layer.descriptor.size
            }
            paths.append(
                try builder.store.layers.unpack(
                    layer, as: id, over: paths, scratch: scratch, content: builder.store.content))
        }
        if fetched > 0, let base {
            progress(.basePulled(name: base.name, digest: base.image.manifestDigest, bytes: fetched))
        }
        return paths
    }
}
