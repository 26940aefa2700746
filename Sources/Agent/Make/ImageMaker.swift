import Builder
import Diagnostics
import Git
import OCI
import RegistryPoller

/// Takes pipelines from "did anything change" to pushed images.
struct ImageMaker: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let remote: any GitRemote
    let builder: any ImageBuilding
    let check: UpToDateCheck

    init(
        repository: AgentConfiguration.RepositoryConfiguration, remote: any GitRemote, builder: any ImageBuilding
    ) {
        self.repository = repository
        self.remote = remote
        self.builder = builder
        check = UpToDateCheck(branch: repository.branch, remote: remote, builder: builder)
    }

    /// Makes what is due, independent pipelines side by side. A failure is its pipeline's own: the others go on.
    func make(_ pipelines: [Pipeline], _ facts: MakeFacts, in cycle: CycleRecorder) async {
        let order = PipelineOrder(pipelines, sources: await sources(of: pipelines, in: facts.tree))
        await withTaskGroup(of: Void.self) { group in
            for index in pipelines.indices {
                group.addTask {
                    await order.wait(for: index)
                    await make(pipelines[index], facts, in: cycle)
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

    private func make(_ pipeline: Pipeline, _ facts: MakeFacts, in cycle: CycleRecorder) async {
        do {
            for note in pipeline.notes { cycle.decide(pipeline.name, note) }
            let decision = try await cycle.phase(.changed, subject: pipeline.name) {
                try await check.decision(for: pipeline, in: facts)
            }
            switch decision {
            case .upToDate(let reason): cycle.decide(pipeline.name, "nothing to build: \(reason)")
            case .rename(let record, let order): try await rename(record, order, facts, in: cycle)
            case .build(let order): try await build(order, facts, in: cycle)
            }
        } catch {
            cycle.fail(error)
        }
    }

    // MARK: Build and push

    private func build(
        _ order: BuildOrder, _ facts: MakeFacts, in cycle: CycleRecorder
    ) async throws(ReconcileError) {
        let names = order.names.map(\.description)
        if cycle.dryRun {
            cycle.decide(order.pipeline.name, "would build \(names.joined(separator: ", ")): \(order.reason)")
            await remember(order, digest: nil, annotations: order.request.annotations, facts)
            cycle.made(
                CycleReport.Image(
                    pipeline: order.pipeline.name, references: names, digest: "", layers: [], isolation: nil,
                    built: false, seconds: 0))
            return
        }
        cycle.say("Building \(names.joined(separator: ", ")) from \(order.pipeline.dockerfile): \(order.reason)")
        let start = ContinuousClock.now
        let progress = BuildProgress(say: cycle.say)
        let image = try await cycle.phase(.execute, subject: order.pipeline.name) {
            try await builder.build(order, progress: progress.handle)
        }
        try await cycle.phase(.push, subject: order.pipeline.name) {
            try await image.push(to: order.names, progress: progress.handle)
        }
        let seconds = (ContinuousClock.now - start).seconds
        await remember(order, digest: image.digest, annotations: image.annotations, facts)
        cycle.made(
            CycleReport.Image(
                pipeline: order.pipeline.name, references: names, digest: image.digest.description,
                layers: image.layers, isolation: image.isolation, built: true, seconds: seconds))
        cycle.say("Pushed \(names.joined(separator: ", ")) \(image.digest)")
    }

    /// Gives an image that the registry holds the names that it lacks; nothing is built.
    private func rename(
        _ record: TagRecord, _ order: BuildOrder, _ facts: MakeFacts, in cycle: CycleRecorder
    ) async throws(ReconcileError) {
        guard let primary = order.names.last else { return }
        let names = order.names.map(\.description)
        let verb = cycle.dryRun ? "would name" : "naming"
        cycle.decide(
            order.pipeline.name,
            "\(verb) \(names.joined(separator: ", ")): \(primary.repository):\(record.tag) was made from the same content"
        )
        let annotations = order.request.annotations
        if cycle.dryRun {
            await remember(order, digest: record.digest, annotations: annotations, facts)
            return
        }
        let digest = try await cycle.phase(.push, subject: order.pipeline.name) {
            guard let digest = record.digest else { throw AgentError("the registry gave no digest for \(record.tag)") }
            return try await builder.rename(
                digest, in: primary.repository, to: order.names, annotations: annotations)
        }
        await remember(order, digest: digest, annotations: annotations, facts)
        cycle.made(
            CycleReport.Image(
                pipeline: order.pipeline.name, references: names, digest: digest.description, layers: [],
                isolation: nil, built: false, seconds: 0))
    }

    /// What was pushed needs no scan to be known.
    private func remember(
        _ order: BuildOrder, digest: Digest?, annotations: [String: String], _ facts: MakeFacts
    ) async {
        var annotations = annotations
        annotations[Annotation.contentKey] = order.key.description
        for name in order.names {
            guard let tag = name.tag else { continue }
            await facts.catalog.add(
                TagRecord(
                    tag: tag, digest: digest, created: order.request.createdAt, annotations: annotations),
                to: name.repository)
        }
    }
}
