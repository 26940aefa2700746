import Blocking
import ContentStore
import OCI
import Sandbox

/// Builds one stage: its steps, one after the other. Everything it does to files happens on its own thread, so that blocking calls hold
/// up nobody.
actor StageBuild {
    private let workspace: StageWorkspace
    private let cache: CacheLookup
    private let isolation: StageIsolation
    /// Where the stage's layers go, if they are the image's.
    private let uploads: LayerUploads?
    private let executor = BlockingExecutor(label: "slipway.build")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter uploads: where the stage's layers go, if they are the image's.
    init(
        _ stage: PlannedStage, in build: BuildEnvironment, uploads: LayerUploads?,
        progress: @escaping @Sendable (BuildEvent) -> Void
    ) {
        workspace = StageWorkspace(build, stage: stage, progress: progress)
        cache = CacheLookup(build)
        isolation = StageIsolation(workspace)
        self.uploads = uploads
    }

    private var build: BuildEnvironment { workspace.build }
    private var stage: PlannedStage { workspace.stage }
    private var roots: StageRoots { StageRoots(workspace: workspace, cache: cache) }

    func result() async throws(BuildError) -> StageResult {
        var result = try await base()
        for layer in result.layers.all { await uploads?.begin(layer) }
        for (index, step) in stage.steps.enumerated() {
            workspace.position = index
            // What a step takes from other stages has to be there before it begins.
            for other in step.stages { _ = try await build.board.result(of: other) }
            try Task.checkBuildCancellation()
            workspace.progress(
                .stepStarted(
                    stage: stage.name, index: index + 1, of: stage.steps.count, text: step.text,
                    location: step.location))
            let start = ContinuousClock.now
            do throws(BuildError) {
                try await execute(step, &result)
            } catch {
                throw error.at(step.location)
            }
            workspace.progress(.stepFinished(duration: ContinuousClock.now - start))
        }
        try isolation.end()
        result.isolation = isolation.mode
        if build.request.isSingleLayer, stage.index == build.plan.target { try await squash(&result) }
        return result
    }

    /// What the stage stands on.
    private func base() async throws(BuildError) -> StageResult {
        switch stage.base {
        case .scratch:
            return StageResult(layers: try StageLayers(on: nil, recordLimit: build.request.recordLimit(on: nil)))
        case .image(let base):
            return StageResult(layers: try StageLayers(on: base, recordLimit: build.request.recordLimit(on: base)))
        case .stage(let index):
            let below = try await build.board.result(of: index)
            return StageResult(layers: below.layers, stepEnd: below.stepEnd)
        }
    }

    // MARK: Steps

    private func execute(_ step: PlannedStep, _ result: inout StageResult) async throws(BuildError) {
        guard step.hasLayer else { return }
        let site = StepSite(
            dockerfile: build.request.dockerfileName, stage: stage.name, index: workspace.position + 1,
            platform: build.request.platform)
        let query = StepQuery(step: step, site: site, layers: result.layers)
        var source = StepOutcome.Source.made
        var reason: String?
        switch try await cache.answer(query) {
        case .known(let hit):
            await append(hit.layer, to: &result)
            await cache.take(hit, as: result.layers.chain, of: query)
            workspace.progress(.stepCached(hit.layer.descriptor.digest, size: hit.layer.descriptor.size))
            source = hit.source
        case .missing(let miss):
            reason = miss.reason
            if let reason { workspace.progress(.stepExplained(reason)) }
            try await make(miss, of: query, &result)
        }
        result.steps.append(
            StepOutcome(stage: site.stage, index: site.index, text: step.text, source: source, reason: reason))
    }

    /// Does a step that no build did before, as soon as there is a place for it.
    private func make(
        _ miss: CacheLookup.Miss, of query: StepQuery, _ result: inout StageResult
    ) async throws(BuildError) {
        if stage.steps[workspace.position...].contains(where: \.isRun) { build.builder.isolation.begin() }
        try await fetchAhead()
        try await build.request.mayBegin?()
        let key = try await cache.key(for: miss, of: query)
        try await build.board.acquire()
        do throws(BuildError) { try await make(key, of: query, &result) } catch {
            await build.board.release()
            throw error
        }
        await build.board.release()
    }

    private func make(
        _ key: StepKey, of query: StepQuery, _ result: inout StageResult
    ) async throws(BuildError) {
        let (request, store) = (build.request, build.store)
        result.stepEnd?.waitUntilPast()
        // What stays out of the layer is whole all the same: the next steps see it.
        let deferred = request.ignoredPaths.isEmpty ? DeferredFiles() : nil
        guard let step = executor(of: query.step, deferring: deferred) else { return }
        let upper = try await step.makeLayer(on: result.layers)
        if !request.ignoredPaths.isEmpty {
            try IgnoredPaths(paths: request.ignoredPaths.map { ImagePath($0) }, workspace: workspace).leaveOut(
                of: upper)
        }
        let stream = uploads?.stream()
        // Unless it was whole before.
        defer { stream?.ended(isWhole: false) }
        let (entry, size) = try LayerWriter(
            limit: result.layers.recordLimit, ownership: store.ownership, lowers: rewritten(below: result.layers),
            compression: request.compression
        ).write(upper, deferred, to: stream.map { store.content.watched(by: $0) } ?? store.content)
        result.stepEnd = .now
        stream?.ended(isWhole: true)
        await append(BuiltImage.Layer(entry, .built, of: query.step), to: &result, stream)
        // What the step left is what the next steps stand on, in this build and in later ones.
        if let chain = result.layers.chain {
            try store.layers.keep(upper, as: chain, size: size, scratch: build.scratch)
        }
        await cache.remember(entry, for: key, of: query)
        workspace.progress(.layerWritten(entry.descriptor.digest, size: entry.descriptor.size))
    }

    private func executor(of step: PlannedStep, deferring deferred: DeferredFiles?) -> (any StepExecutor)? {
        switch step.action {
        case .metadata: nil
        case .copy(let copy): CopyExecutor(copy: copy, step: step, roots: roots, deferred: deferred)
        case .workdir(let path, let user): WorkdirExecutor(path: path, user: user, step: step, roots: roots)
        case .run(let run): RunExecutor(run: run, roots: roots, isolation: isolation)
        }
    }

    // MARK: Layers

    private func append(
        _ layer: BuiltImage.Layer, to result: inout StageResult, _ stream: LayerStream? = nil
    ) async {
        result.layers.append(layer)
        await uploads?.begin(layer, stream)
    }

    /// The directories of layers that tell other times than their files have, as far as they are unpacked, the uppermost first.
    private func rewritten(below layers: StageLayers) -> [HostPath] {
        guard layers.recordLimit != nil else { return [] }
        var found: [HostPath] = []
        var chain: Digest?
        for layer in layers.all {
            let id = ChainID.next(after: chain, layer)
            chain = id
            if case .base = layer.origin { continue }
            if let directory = build.store.layers.directory(of: id) { found.append(directory) }
        }
        return found.reversed()
    }

    /// Something has to be done that no build did before: then the stages that stand on this one will need their base
    /// images too, and these can come meanwhile.
    private func fetchAhead() async throws(BuildError) {
        for index in await build.board.miss(stage.index) {
            guard let stage = build.plan.stage(index) else { continue }
            let first = index == self.stage.index ? workspace.position : 0
            guard build.plan.looksIntoFiles(of: index, from: first) else { continue }
            if case .image(let base) = stage.base { try await build.bases.begin(base) }
        }
    }

    /// One layer in place of those over the base's: kaniko's `--single-snapshot`.
    private func squash(_ result: inout StageResult) async throws(BuildError) {
        let (layers, below) = (result.layers.all, result.layers.baseCount)
        guard layers.count - below > 1, let last = layers.last else { return }
        let root = try await roots.root(of: result.layers)
        let target = try workspace.newDirectory()
        try LayerSquash(base: LayeredRoot(layers: Array(root.layers.prefix(below)), ownership: root.ownership))
            .merge(root.layers.dropFirst(below), into: target)
        let (entry, _) = try LayerWriter(
            limit: result.layers.recordLimit, ownership: root.ownership, compression: build.request.compression
        ).write(target, to: build.store.content)
        try build.scratch.remove(target)
        result.layers = try StageLayers(on: result.layers.base, recordLimit: result.layers.recordLimit)
        result.layers.append(
            BuiltImage.Layer(
                descriptor: entry.descriptor, diffID: entry.diffID, origin: .built, createdBy: last.createdBy))
        workspace.progress(.layerWritten(entry.descriptor.digest, size: entry.descriptor.size))
    }
}

extension BuildRequest {
    fileprivate var dockerfileName: String {
        switch dockerfile {
        case .path(let path): path
        case .bytes(_, let name): name
        }
    }
}
