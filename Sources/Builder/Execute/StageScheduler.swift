import Blocking
import OCI
import Sandbox

/// Runs the stages of a plan, each as soon as what it needs is there, and makes the image of the last.
struct StageScheduler {
    var request: BuildRequest
    let plan: BuildPlan
    let contexts: PlanContexts
    let builder: Builder
    let progress: @Sendable (BuildEvent) -> Void

    func image() async throws(BuildError) -> BuiltImage {
        for warning in plan.warnings { progress(.note(warning)) }
        try await checkLayers()
        // What is built on stays while the image is used.
        let lease = try builder.store.lease.use()
        let scratch = try ScratchDirectory(in: builder.store.buildsFolder)
        let bases = BaseFetcher(builder, progress: progress)
        let ahead = unpackAhead(bases, scratch)
        let image: Result<BuiltImage, BuildError>
        do throws(BuildError) {
            // All that is taken from contexts is looked at before a step is done: what is not there is told at once.
            let key = try await ContentKey(of: plan, request, contexts)
            image = .success(try await self.image(key, bases, lease: lease, scratch))
        } catch {
            image = .failure(error)
        }
        await bases.cancel()
        ahead?.cancel()
        await ahead?.value
        await runBlocking { scratch.end() }
        return try image.get()
    }

    private func image(
        _ contentKey: ContentKey, _ bases: BaseFetcher, lease: StoreLease.Token, _ scratch: ScratchDirectory
    ) async throws(BuildError) -> BuiltImage {
        async let kept: Void = keepConfigurations()
        let board = StageBoard(plan, limit: request.jobs ?? max(2, ProcessorCount.value))
        let uploads =
            request.uploads.isEmpty || request.isSingleLayer
            ? nil : LayerUploads(builder, to: request.uploads, progress: progress)
        await uploads?.use(bases)
        let remote = RemoteStepCache(request, builder, uploads: uploads, progress: progress)
        let build = BuildEnvironment(
            request: request, plan: plan, contexts: contexts, builder: builder, scratch: scratch, bases: bases,
            board: board, remote: remote)
        var failure = await run(build, uploads)
        if failure == nil, let uploads {
            failure = await missing(from: uploads, try await board.result(of: plan.target).layers)
        }
        if let failure {
            await uploads?.cancel()
            // What was done until then need not be done again.
            await remote?.finish()
            throw failure
        }
        guard let stage = plan.stage(plan.target) else {
            throw BuildError(.dockerfile, "the Dockerfile has no stage to build")
        }
        let layers = try await board.result(of: plan.target).layers
        var steps: [StepOutcome] = []
        for stage in plan.stages { steps += try await board.result(of: stage.index).steps }
        if let remote {
            // The next change of a file may come to a machine that has nothing.
            if steps.contains(where: { $0.source == .made }), stage.steps.contains(where: \.needsNames) {
                for layer in layers.all { await remote.offerIndex(of: layer) }
            }
            await remote.finish()
        }
        let assembler = ImageAssembler(
            request: request, createdAt: await date(of: contentKey, steps), stage: stage, layers: layers.all,
            contentKey: contentKey, isolation: await isolation(board), lease: lease, steps: steps, uploads: uploads)
        await kept
        return try assembler.image(base: layers.base)
    }

    /// What the shared cache has promised has to be there before the image counts as made.
    private func missing(from uploads: LayerUploads, _ layers: StageLayers) async -> BuildError? {
        for layer in layers.all {
            guard case .cache = layer.origin else { continue }
            for location in uploads.locations {
                do throws(BuildError) { _ = try await uploads.outcome(of: layer, to: location) } catch { return error }
            }
        }
        return nil
    }

    /// - Returns: why the build failed.
    private func run(_ build: BuildEnvironment, _ uploads: LayerUploads?) async -> BuildError? {
        let (board, chain) = (build.board, targetChain)
        return await withTaskGroup(of: Result<Int?, BuildError>.self) { group in
            for stage in plan.stages {
                let run = StageBuild(
                    stage, in: build, uploads: chain.contains(stage.index) ? uploads : nil, progress: labelled(stage))
                group.addTask {
                    do throws(BuildError) {
                        await board.publish(try await run.result(), of: stage.index)
                        return .success(stage.index)
                    } catch {
                        await board.fail(error)
                        return .failure(error)
                    }
                }
            }
            if let uploads {
                group.addTask {
                    for await error in uploads.failures {
                        await board.fail(error)
                        return .failure(error)
                    }
                    return .success(nil)
                }
            }
            var running = plan.stages.count
            var failure: BuildError?
            for await result in group {
                switch result {
                case .success(let stage):
                    if stage != nil { running -= 1 }
                    if running == 0 { uploads?.endWatch() }
                case .failure(let error):
                    // What failed first is the reason; that others were stopped for it is none.
                    if failure == nil || failure?.code == .cancelled && error.code != .cancelled { failure = error }
                    uploads?.endWatch()
                    group.cancelAll()
                }
            }
            return failure
        }
    }

    /// The target and the stages below it: their layers are the image's.
    private var targetChain: Set<Int> {
        var chain: Set<Int> = []
        var next: Int? = plan.target
        while let index = next, chain.insert(index).inserted {
            next = nil
            if case .stage(let below)? = plan.stage(index)?.base { next = below }
        }
        return chain
    }

    /// How the steps were isolated that ran, in whatever stage.
    private func isolation(_ board: StageBoard) async -> IsolationMode? {
        for stage in plan.stages {
            if let mode = try? await board.result(of: stage.index).isolation { return mode }
        }
        return nil
    }

    private func labelled(_ stage: PlannedStage) -> @Sendable (BuildEvent) -> Void {
        let (progress, name) = (progress, stage.name)
        return { progress(.inStage(name, $0)) }
    }
}

extension PlannedStep {
    fileprivate var needsNames: Bool {
        switch action {
        case .copy, .workdir: true
        case .metadata, .run: false
        }
    }
}
