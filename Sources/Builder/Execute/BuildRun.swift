import Blocking
import ContentStore
import Diagnostics
import OCI
import Registry
import Sandbox

/// One stage of a build under way. Everything it does to files happens on its own thread, so that blocking calls hold up
/// nobody.
actor BuildRun {
    let stage: PlannedStage
    let request: BuildRequest
    let plan: BuildPlan
    let contexts: PlanContexts
    let builder: Builder
    let scratch: ScratchDirectory
    let progress: @Sendable (BuildEvent) -> Void
    private let dependents: [Int: [Int]]
    let board: StageBoard
    let bases: BaseFetcher
    let remote: RemoteStepCache?
    /// Where the stage's layers go, if they are the image's.
    private let uploads: LayerUploads?
    private let executor = BlockingExecutor(label: "slipway.build")
    private var directories = 0
    /// How RUN steps are isolated; settled by the first.
    var isolation: IsolationMode?
    /// The step that is under way, within the stage.
    private(set) var position = 0
    /// Layers of the shared cache that were not looked into yet, by their chain ids.
    private var unproved: [Digest: (key: StepKey, layer: StepCache.Entry)] = [:]
    /// What steps left under ignored paths, in overlay format.
    var asides: [HostPath] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter uploads: where the stage's layers go, if they are the image's.
    init(
        _ stage: PlannedStage, of build: SharedBuild, uploads: LayerUploads?,
        progress: @escaping @Sendable (BuildEvent) -> Void
    ) {
        self.stage = stage
        request = build.request
        plan = build.plan
        dependents = build.dependents
        contexts = build.contexts
        builder = build.builder
        scratch = build.scratch
        board = build.board
        bases = build.bases
        remote = build.remote
        self.uploads = uploads
        self.progress = progress
    }

    /// Runs the stage's steps, one after the other.
    func execute() async throws(BuildError) -> StageFiles {
        var files = StageFiles(recordLimit: request.recordLimit(on: nil))
        switch stage.base {
        case .scratch: break
        case .stage(let index): files = try await board.files(of: index)
        case .image(let base):
            files.base = base
            files.recordLimit = request.recordLimit(on: base)
            for layer in try base.layers() { files.append(layer) }
        }
        // Another stage's chroot is its own.
        files.merged = nil
        files.isolation = nil
        files.steps = []
        for layer in files.layers { await uploads?.begin(layer) }
        for (index, step) in stage.steps.enumerated() {
            position = index
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
        return request.isSingleLayer && stage.index == plan.target ? try await squashed(files) : files
    }

    private func execute(_ step: PlannedStep, _ files: inout StageFiles) async throws(BuildError) {
        guard step.hasLayer else { return }
        let site = StepSite(
            dockerfile: request.dockerfileName, stage: stage.name, index: position + 1, platform: request.platform)
        // What a key is made of is only wanted in words where it is written down.
        let isRecorded = remote != nil || request.explainsCache
        var key = try await key(of: step, at: site, on: files, isRecorded: isRecorded)
        let isLookedFor = !request.noCache && request.caches(step)
        if isLookedFor, let source = await takeKnown(key, step, &files) {
            files.steps.append(StepOutcome(stage: stage.name, index: position + 1, text: step.text, source: source))
            return
        }
        var reason: String?
        if request.explainsCache {
            let text = await explain(key, at: site, isLookedFor: isLookedFor)
            progress(.stepExplained(text))
            reason = text
        }
        if stage.steps[position...].contains(where: \.isRun) { builder.isolation.begin() }
        try await fetchAhead()
        try await request.mayBegin?()
        if !isRecorded { key = try await self.key(of: step, at: site, on: files, isRecorded: true) }
        try await board.acquire()
        do throws(BuildError) { try await perform(step, key, site, &files) } catch {
            await board.release()
            throw error
        }
        await board.release()
        files.steps.append(
            StepOutcome(stage: stage.name, index: position + 1, text: step.text, source: .made, reason: reason))
    }

    /// The layer that was made before, here or elsewhere.
    private func takeKnown(
        _ key: StepKey, _ step: PlannedStep, _ files: inout StageFiles
    ) async -> StepOutcome.Source? {
        let store = builder.store
        if let known = store.steps.layer(for: key) {
            store.records.touch(key)
            await append(known, .built, of: step, to: &files)
            await remote?.offer(known, key: key, record: nil, site: nil, text: step.text)
            progress(.stepCached(known.descriptor.digest, size: known.descriptor.size))
            return .local
        }
        guard let remote, let known = await remote.layer(for: key) else { return nil }
        await append(known, .cache(remote.repository), of: step, to: &files)
        if let chain = files.chain { unproved[chain] = (key, known) }
        progress(.stepCached(known.descriptor.digest, size: known.descriptor.size))
        return .remote
    }

    private func explain(_ key: StepKey, at site: StepSite, isLookedFor: Bool) async -> String {
        guard isLookedFor else { return "it was not looked for" }
        let records = builder.store.records
        if records.record(for: key) != nil { return "it was made before, but its layer is not kept any more" }
        var old = records.nearest(to: key.record)
        if let known = await remote?.record(at: site),
            key.record.likeness(to: known) > old.map(key.record.likeness) ?? 0
        {
            old = known
        }
        guard let old else { return "nothing like it was made before" }
        return key.record.difference(from: old) ?? "its layer is not kept any more"
    }

    private func perform(
        _ step: PlannedStep, _ key: StepKey, _ site: StepSite, _ files: inout StageFiles
    ) async throws(BuildError) {
        files.stepEnd?.waitUntilPast()
        let upper: HostPath
        // What stays out of the layer is whole all the same: the next steps see it.
        let deferred = request.ignoredPaths.isEmpty ? DeferredFiles() : nil
        switch step.action {
        case .metadata: return
        case .copy(let copy): upper = try await perform(copy, of: step, on: files, deferring: deferred)
        case .workdir(let path, let user): upper = try await makeWorkingDirectory(path, user, of: step, on: files)
        case .run(let run): upper = try await perform(run, on: &files)
        }
        if !request.ignoredPaths.isEmpty { try leaveOutIgnored(upper) }
        let stream = uploads?.stream()
        // Unless it was whole before.
        defer { stream?.ended(isWhole: false) }
        let content = builder.store.content
        let (cut, size) = try LayerWriter(
            limit: files.recordLimit, ownership: builder.store.ownership, lowers: rewritten(below: files),
            compression: request.compression
        ).write(upper, deferred, to: stream.map { content.watched(by: $0) } ?? content)
        files.stepEnd = .now
        stream?.ended(isWhole: true)
        await append(cut, .built, of: step, to: &files, stream)
        // What the step left is what the next steps stand on, in this build and in later ones.
        if let chain = files.chain { try builder.store.layers.keep(upper, as: chain, size: size, scratch: scratch) }
        builder.store.steps.remember(cut, for: key)
        builder.store.records.remember(key.record, for: key)
        await remote?.offer(cut, key: key, record: key.record, site: site, text: step.text)
        progress(.layerWritten(cut.descriptor.digest, size: cut.descriptor.size))
    }

    /// The directories of layers that tell other times than their files have, as far as they are unpacked, the uppermost first.
    private func rewritten(below files: StageFiles) -> [HostPath] {
        guard files.recordLimit != nil else { return [] }
        var found: [HostPath] = []
        var chain: Digest?
        for layer in files.layers {
            let id = ChainID.next(after: chain, layer)
            chain = id
            if case .base = layer.origin { continue }
            if let directory = builder.store.layers.directory(of: id) { found.append(directory) }
        }
        return found.reversed()
    }

    private func append(
        _ cut: StepCache.Entry, _ origin: BuiltImage.Layer.Origin, of step: PlannedStep, to files: inout StageFiles,
        _ stream: LayerStream? = nil
    ) async {
        let layer = BuiltImage.Layer(
            descriptor: cut.descriptor, diffID: cut.diffID, origin: origin,
            createdBy: step.history?.createdBy ?? step.text, times: cut.times)
        files.append(layer)
        await uploads?.begin(layer, stream)
    }

    private func key(
        of step: PlannedStep, at site: StepSite, on files: StageFiles, isRecorded: Bool
    ) async throws(BuildError) -> StepKey {
        var names: [Int: String] = [:]
        for other in step.stages { names[other] = try await board.files(of: other).chain.map { "\($0)" } ?? "scratch" }
        // What layers may tell is part of what is asked for; the times that files have are not.
        var linkedOn: Digest?
        if case .copy(let copy) = step.action, !copy.hasTimes(in: request) { linkedOn = files.ownChain }
        return try await StepKey(
            step, at: site, on: files.chain, linkedOn: linkedOn,
            base: files.base.map { "\($0.name)@\($0.image.manifestDigest)" },
            times: files.recordLimit, platform: request.platform,
            // A layer that was made with a warning is not what somebody wants who asks for none.
            variant: request.layerVariant + (plan.failsOnWarnings && !step.checks.isEmpty ? ["strict"] : []),
            isRecorded: isRecorded,
            hasher: StepHasher(
                plan: plan, contexts: contexts, stageNames: names, countsReaders: true,
                cacheNamespace: request.cacheNamespace))
    }

    /// Something has to be done that no build did before: then the stages that stand on this one will need their base
    /// images too, and these can come meanwhile.
    private func fetchAhead() async throws(BuildError) {
        for index in await board.miss(stage.index, dependents: dependents) {
            guard let stage = plan.stage(index) else { continue }
            let first = index == self.stage.index ? position : 0
            guard plan.looksIntoFiles(of: index, from: first) else { continue }
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
            let id = ChainID.next(after: chain, layer)
            chain = id
            if let present = builder.store.layers.directory(of: id) {
                paths.append(present)
                continue
            }
            paths.append(try await bases.unpack(layer, as: id, over: paths, scratch))
            // The cache told the truth.
            if let hit = unproved.removeValue(forKey: id) {
                builder.store.steps.remember(hit.layer, for: hit.key)
                builder.store.records.remember(hit.key.record, for: hit.key)
            }
        }
        if let base { try await bases.tell(base) }
        return paths
    }
}

extension PlannedStep {
    var isRun: Bool {
        if case .run = action { true } else { false }
    }
}

extension BuildRequest {
    var dockerfileName: String {
        switch dockerfile {
        case .path(let path): path
        case .bytes(_, let name): name
        }
    }

    func caches(_ step: PlannedStep) -> Bool { step.isRun ? cachesRuns : cachesCopies }
}
