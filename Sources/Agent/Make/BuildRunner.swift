import Builder
import Diagnostics
import Forge
import OCI
import Telemetry

/// An image that was built: what is told of it, and its names.
struct MadeImage: Sendable {
    let report: CycleReport.Image
    let named: NamedImage
}

/// Carries out one build that is due: waits for its place in the queue, builds, pushes, and remembers how it ended.
struct BuildRunner: Sendable {
    let services: BuildServices
    let clock: any AgentClock
    /// Tells the code host; `nil` where nobody is told.
    let statuses: CommitStatusReporter?
    /// That is watched.
    let branch: String

    /// - Parameter revision: the commit that is worked on.
    func run(
        _ order: BuildOrder, as key: PipelineKey, at revision: String, in cycle: CycleRecorder
    ) async -> Result<MadeImage, ReconcileError> {
        let names = order.names.map(\.description)
        let trace = BuildTrace(
            cycle, clock: clock,
            recorder: await services.history?.begin(
                BuildRecord.Description(
                    pipeline: key, revision: revision, contentKey: order.key.description, reason: order.reason,
                    names: names)))
        @Sendable func tell(_ state: CommitStatus.State, _ words: String, _ details: StatusDetails? = nil) async {
            await statuses?.report(
                state, words, of: key.pipeline, at: revision, on: branch, build: trace.build?.description,
                details: details)
        }
        await tell(.pending, "waits for its turn")
        let wait = Span.current?.child("queue wait")
        defer { wait?.end() }
        do throws(ReconcileError) {
            let image = try await services.queue.run(key, ifCancelled: Self.cancelled(key)) {
                () async throws(ReconcileError) in
                wait?.end()
                await trace.started(in: services.history)
                await tell(.running, "is being built")
                return try await make(order, trace, in: cycle)
            }
            await services.failures.succeeded(key)
            // Without hosts, which may be nobody's business where a status is shown.
            let names = image.report.references.map { String($0.drop { $0 != "/" }.dropFirst()) }
            await tell(.success, "pushed \(names.joined(separator: ", "))")
            await trace.ended(
                .succeeded(digest: image.report.digest, names: image.report.references), in: services.history)
            return .success(image)
        } catch {
            let remembered = await remember(error, of: order, as: key, trace)
            switch remembered.remembered == nil ? nil : remembered.disposition {
            case .stalled?: await tell(.failure, error.summary, StatusDetails(of: error, in: order.pipeline))
            case .retry?: await tell(.error, error.summary, StatusDetails(of: error, in: order.pipeline))
            default: await tell(.cancelled, "was cancelled")
            }
            return .failure(remembered)
        }
    }

    private func make(
        _ order: BuildOrder, _ trace: BuildTrace, in cycle: CycleRecorder
    ) async throws(ReconcileError) -> MadeImage {
        let names = order.names.map(\.description)
        trace.announce("Building \(names.joined(separator: ", ")) from \(order.pipeline.dockerfile): \(order.reason)")
        let start = ContinuousClock.now
        let image = try await cycle.phase(.execute, subject: order.pipeline.name) {
            let steps = StepSpans(in: Span.current)
            defer { steps?.end() }
            return try await services.builder.build(order) { event in
                trace.handle(event)
                steps?.handle(event)
            }
        }
        let settlement = NameSettlement(
            builder: services.builder, turns: services.naming, order: order, progress: trace.handle)
        let named = try await cycle.phase(.push, subject: order.pipeline.name) { try await settlement.give(image) }
        let seconds = (ContinuousClock.now - start).seconds
        for note in named.notes {
            trace.announce(note)
            cycle.note(CycleReport.Decision(subject: order.pipeline.name, reason: note))
        }
        let given = named.names.map(\.description)
        if named.digest == image.digest {
            trace.announce("Pushed \(given.joined(separator: ", ")) \(image.digest)")
        }
        trace.note(image)
        return MadeImage(
            report: CycleReport.Image(
                pipeline: order.pipeline.name, references: given, digest: named.digest.description,
                layers: image.layers, isolation: image.isolation, built: true, seconds: seconds),
            named: named)
    }

    private func remember(
        _ error: ReconcileError, of order: BuildOrder, as key: PipelineKey, _ trace: BuildTrace
    ) async -> ReconcileError {
        let failure = error.underlying as? BuildError
        let kind: FailureKind? =
            if let failure { FailureKind(failure) } else { Task.isCancelled ? nil : .world }
        guard let kind else {
            await trace.ended(.cancelled, in: services.history)
            guard await services.dispatcher.isStopped(key) else { return error }
            return await rememberStop(of: order, as: key, error.phase)
        }
        let reason = FailureRecord.Reason(code: failure?.code.rawValue ?? error.phase.rawValue, error)
        trace.announce("error: \(error)")
        await trace.ended(.failed(BuildRecord.Failure(kind: kind, reason: reason)), in: services.history)
        let record = await services.failures.record(
            kind, of: key, contentKey: order.key.description, reason, now: clock.now)
        return ReconcileError(
            phase: error.phase, subject: error.subject, disposition: kind == .input ? .stalled : .retry,
            underlying: error.underlying, remembered: RememberedFailure(record, isNew: true))
    }

    /// What a person stopped must not begin again with the next cycle.
    private func rememberStop(
        of order: BuildOrder, as key: PipelineKey, _ phase: Phase
    ) async -> ReconcileError {
        let stop = AgentError(
            "a person stopped the build", hint: "'slipway retry \(key.repository) \(key.pipeline)' builds it again")
        let record = await services.failures.record(
            .input, of: key, contentKey: order.key.description, FailureRecord.Reason(code: "stopped", stop),
            now: clock.now)
        return ReconcileError(
            phase: phase, subject: key.pipeline, disposition: .stalled, underlying: stop,
            remembered: RememberedFailure(record, isNew: true))
    }

    private static func cancelled(_ key: PipelineKey) -> ReconcileError {
        ReconcileError(
            phase: .execute, subject: key.pipeline,
            underlying: BuildError(.cancelled, "the build was cancelled before it began"))
    }
}
