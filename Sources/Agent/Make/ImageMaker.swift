import Builder
import Diagnostics
import Git
import OCI
import RegistryPoller
import Telemetry
import Text

/// Takes pipelines from "did anything change" to pushed images.
struct ImageMaker: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let remote: any GitRemote
    let builds: BuildServices
    let check: UpToDateCheck
    let runner: BuildRunner
    private let touched: TouchedFirst

    init(
        repository: AgentConfiguration.RepositoryConfiguration, git: GitServices, builds: BuildServices,
        settings: AgentConfiguration.BuildsConfiguration
    ) {
        self.repository = repository
        self.builds = builds
        remote = git.remote
        check = UpToDateCheck(
            repository: repository, settings: settings, remote: git.remote, builder: builds.builder,
            clock: git.clock, authorship: CommitAuthorship(remote: git.remote, settings: git.settings))
        runner = BuildRunner(
            services: builds, clock: git.clock, statuses: git.statuses, branch: repository.branch)
        touched = TouchedFirst(remote: git.remote)
    }

    private func key(_ pipeline: Pipeline) -> PipelineKey {
        PipelineKey(repository: repository.name, pipeline: pipeline.name)
    }

    /// Makes what is due, independent pipelines side by side. A failure is its pipeline's own: the others go on.
    func make(_ pipelines: [Pipeline], _ facts: MakeFacts, mode: CycleMode, in cycle: CycleRecorder) async {
        await builds.failures.keep(only: Set(pipelines.map(\.name)), of: repository.name)
        let order = PipelineOrder(pipelines, sources: await sources(of: pipelines, in: facts.tree))
        let check = check.asking(
            builds.builder.forDecisions(
                whileChanging: Set(pipelines.flatMap { $0.destinations.map(\.repository) })))
        let places = await touched.order(pipelines, at: facts.tree.revision)
        await withTaskGroup(of: Void.self) { group in
            for index in places {
                group.addTask {
                    // What the registry holds is asked for side by side, also by those that wait for their turn.
                    await check.lookAhead(for: pipelines[index], in: facts)
                    await order.wait(for: index)
                    var pending: Pipeline?
                    for other in await order.needed(by: index).sorted() where pending == nil {
                        if await builds.dispatcher.isUnderWay(key(pipelines[other])) { pending = pipelines[other] }
                    }
                    if let pending, !mode.waitsForBuilds {
                        cycle.decide(pipelines[index].name, "waits for the build of \(pending.name)")
                    } else {
                        await make(pipelines[index], facts, by: check, mode: mode, in: cycle)
                    }
                    await order.finish(index)
                }
            }
        }
    }

    private func sources(of pipelines: [Pipeline], in tree: RevisionTree) async -> [Set<RepositoryLocation>?] {
        guard pipelines.count > 1 else { return pipelines.map { _ in [] } }
        var sources: [Set<RepositoryLocation>?] = []
        for pipeline in pipelines {
            guard let file = tree.file(pipeline.dockerfile), let bytes = try? await remote.read(file, limit: 1 << 20)
            else {
                sources.append(nil)
                continue
            }
            sources.append(pipeline.sources(inDockerfile: bytes))
        }
        return sources
    }

    private func make(
        _ pipeline: Pipeline, _ facts: MakeFacts, by check: UpToDateCheck, mode: CycleMode, in cycle: CycleRecorder
    ) async {
        do {
            for note in pipeline.notes { cycle.decide(pipeline.name, note) }
            let decision = try await cycle.phase(.changed, subject: pipeline.name) {
                try await check.decision(for: pipeline, in: facts)
            }
            switch decision {
            case .upToDate(let reason):
                cycle.decide(pipeline.name, "nothing to build: \(reason)")
                await builds.failures.succeeded(key(pipeline))
            case .rename(let image, let order): try await rename(image, order, facts, in: cycle)
            case .build(let order): try await build(order, facts, mode: mode, in: cycle)
            }
        } catch {
            cycle.fail(error)
        }
    }

    // MARK: Build and push

    private func build(
        _ order: BuildOrder, _ facts: MakeFacts, mode: CycleMode, in cycle: CycleRecorder
    ) async throws(ReconcileError) {
        if cycle.dryRun { return await plan(order, facts, in: cycle) }
        let name = order.pipeline.name
        let waits = mode.waitsForBuilds
        try await askMemory(about: order, ignoresBackoff: mode.ignoresBackoff)
        let revision = facts.tree.revision.id.description
        // What a cycle does not wait for is told in its own report.
        let recorder = waits ? cycle : cycle.apart()
        switch await builds.dispatcher.begin(
            key(order.pipeline), contentKey: order.key.description,
            { [runner, key = key(order.pipeline)] in
                let span = Span.pipeline(order, at: revision)
                let result = await Span.$current.withValue(span) {
                    await runner.run(order, as: key, at: revision, in: recorder)
                }
                span?.end(result)
                return BuildEnd(
                    key: key, result: result.map(\.report), steps: waits ? [] : recorder.report.steps,
                    named: try? result.get().named, trace: span?.context)
            })
        {
        case .closed: cycle.decide(name, "not built: the agent is leaving")
        case .busy(let build):
            guard waits else {
                cycle.isPending(CycleReport.Pending(pipeline: name, isOutdated: true))
                return cycle.decide(name, "waits: an older revision is being built")
            }
            _ = await build.task.value
            try await self.build(order, facts, mode: mode, in: cycle)
        case .underWay(let build, let isNew):
            if isNew { CycleSpan.buffer?.want() }
            guard waits else { return cycle.isPending(CycleReport.Pending(pipeline: name, isOutdated: false)) }
            let end = await Self.end(of: build.task)
            let image = try end.result.get()
            if let named = end.named { await remember(named, facts) }
            cycle.made(image)
        }
    }

    /// The build ends with the cycle that waits for it.
    private static func end(of task: Task<BuildEnd, Never>) async -> BuildEnd {
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// What failed by its own fault is not built again; what the world was at fault for, not before its time, but where a
    /// person waits for it.
    private func askMemory(about order: BuildOrder, ignoresBackoff: Bool) async throws(ReconcileError) {
        let verdict = await builds.failures.verdict(
            for: key(order.pipeline), contentKey: order.key.description, now: runner.clock.now)
        let record: FailureRecord
        switch verdict {
        case .go: return
        case .waiting(let known):
            if ignoresBackoff { return }
            record = known
        case .stalled(let known): record = known
        }
        let failure = RememberedFailure(record, isNew: false)
        throw ReconcileError(
            phase: .execute, subject: order.pipeline.name, disposition: record.kind == .input ? .stalled : .retry,
            underlying: failure, remembered: failure)
    }

    private func plan(_ order: BuildOrder, _ facts: MakeFacts, in cycle: CycleRecorder) async {
        let names = order.names.map(\.description)
        cycle.decide(order.pipeline.name, "would build \(names.joined(separator: ", ")): \(order.reason)")
        var annotations = order.request.annotations
        annotations[Annotation.contentKey] = order.key.description
        await remember(order.names, digest: nil, annotations: annotations, facts)
        cycle.made(
            CycleReport.Image(
                pipeline: order.pipeline.name, references: names, digest: "", layers: [], isolation: nil,
                built: false, seconds: 0))
    }

    /// Gives an image that the registry holds the names that it lacks; nothing is built.
    private func rename(
        _ known: KnownImage, _ order: BuildOrder, _ facts: MakeFacts, in cycle: CycleRecorder
    ) async throws(ReconcileError) {
        let name = order.pipeline.name
        let names = order.names.map(\.description).joined(separator: ", ")
        let verb = cycle.dryRun ? "would name" : "naming"
        cycle.decide(name, "\(verb) \(names): \(known.location) was made from the same content")
        if cycle.dryRun {
            var annotations = order.request.annotations
            annotations[Annotation.contentKey] = order.key.description
            return await remember(order.names, digest: known.digest, annotations: annotations, facts)
        }
        let settlement = NameSettlement(
            builder: builds.builder, turns: builds.naming, order: order, progress: { _ in })
        let named = try await cycle.phase(.push, subject: name) {
            let image = try await builds.builder.stored(
                known.digest, in: known.location.repository, annotations: known.annotations)
            return try await settlement.give(image)
        }
        for note in named.notes { cycle.decide(name, note) }
        await remember(named, facts)
        cycle.made(
            CycleReport.Image(
                pipeline: name, references: named.names.map(\.description), digest: named.digest.description,
                layers: [], isolation: nil, built: false, seconds: 0))
    }

    private func remember(_ named: NamedImage, _ facts: MakeFacts) async {
        await remember(named.names, digest: named.digest, annotations: named.annotations, facts)
    }

    /// What was pushed needs no scan to be known.
    private func remember(
        _ names: [ImageLocation], digest: Digest?, annotations: [String: String], _ facts: MakeFacts
    ) async {
        let kept = ImageAnnotations(annotations)
        let created = annotations[Annotation.created].flatMap { UTCDate.seconds(rfc3339: $0) }
        for name in names {
            guard let tag = name.tag else { continue }
            await facts.catalog.add(
                TagRecord(tag: tag, digest: digest, created: created, annotations: kept), to: name.repository)
        }
    }
}
