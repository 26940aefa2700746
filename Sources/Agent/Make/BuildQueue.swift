import Blocking

/// A build that waits for its turn, or that runs.
package struct QueuedBuild: Sendable, Equatable {
    package enum State: Sendable, Equatable { case waiting, running }

    package let pipeline: PipelineKey
    package let state: State
    /// Since when it is in this state; in seconds since 1970.
    package let since: Int64
}

/// Bounds how many builds the whole agent runs at once, and shares them out fairly.
///
/// The repositories that wait take turns, so that one with a hundred pipelines delays another's only build by one build. Within
/// a repository, who comes first is served first.
package actor BuildQueue {
    /// How much there is to do.
    package struct Load: Sendable, Equatable {
        package let waiting: Int
        package let running: Int
        /// Seconds that the build waited which begins now; `nil` when none does.
        package let waited: Double?
    }

    private struct Waiting {
        let id: UInt64
        let pipeline: PipelineKey
        let since: Int64
        let arrival = ContinuousClock.now
        /// Resumed with `false` when the build is not to run any more.
        let start: CheckedContinuation<Bool, Never>
    }

    private struct Running {
        let pipeline: PipelineKey
        let since: Int64
    }

    private let clock: any AgentClock
    private var concurrency: Int
    private var lastID: UInt64 = 0
    private var running: [UInt64: Running] = [:]
    /// By repository entry; none is empty.
    private var waiting: [String: [Waiting]] = [:]
    /// The repositories of `waiting`, the one whose turn it is first.
    private var turns: [String] = []
    private var observer: (@Sendable (Load) -> Void)?

    /// Half the processors, at least one: a build compresses and unpacks on several.
    package static let defaultConcurrency = max(1, ProcessorCount.value / 2)

    /// - Parameter concurrency: how many builds may run at once; fewer than one counts as one.
    package init(concurrency: Int = BuildQueue.defaultConcurrency, clock: any AgentClock = SystemClock()) {
        self.concurrency = max(1, concurrency)
        self.clock = clock
    }

    /// Waits for its turn and runs `body`, in the context of the caller.
    ///
    /// A task that is cancelled while it waits leaves at once, without `body`. One that runs is `body`'s own to end.
    ///
    /// - Parameter failure: what to throw when the task was cancelled before `body` began.
    package nonisolated func run<Value: Sendable, Failure: Error>(
        _ pipeline: PipelineKey, ifCancelled failure: @autoclosure () -> Failure,
        _ body: @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        guard let place = await enter(pipeline) else { throw failure() }
        let result: Result<Value, Failure>
        do throws(Failure) { result = .success(try await body()) } catch { result = .failure(error) }
        await leave(place)
        return try result.get()
    }

    /// What runs, the oldest first, and then what waits, in the order in which it will start.
    package var state: [QueuedBuild] {
        let running = running.sorted { $0.key < $1.key }.map {
            QueuedBuild(pipeline: $0.value.pipeline, state: .running, since: $0.value.since)
        }
        var waiting = waiting
        var turns = turns[...]
        var next: [QueuedBuild] = []
        while let repository = turns.popFirst() {
            guard let first = waiting[repository]?.removeFirst() else { continue }
            next.append(QueuedBuild(pipeline: first.pipeline, state: .waiting, since: first.since))
            if waiting[repository]?.isEmpty == false { turns.append(repository) }
        }
        return running + next
    }

    /// Says what is called whenever the queue changes.
    package func observe(_ observer: @escaping @Sendable (Load) -> Void) {
        self.observer = observer
        changed()
    }

    private func changed(waited: Double? = nil) {
        observer?(
            Load(waiting: waiting.values.reduce(0) { $0 + $1.count }, running: running.count, waited: waited))
    }

    /// Takes another bound, from a new configuration. Builds that run already go on.
    package func setConcurrency(_ concurrency: Int) {
        self.concurrency = max(1, concurrency)
        startNext()
    }

    // MARK: Places

    /// - Returns: `nil` when the task is cancelled.
    private func enter(_ pipeline: PipelineKey) async -> UInt64? {
        lastID += 1
        let id = lastID
        guard !Task.isCancelled else { return nil }
        let starts = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let build = Waiting(id: id, pipeline: pipeline, since: clock.now, start: continuation)
                if waiting[pipeline.repository, default: []].isEmpty { turns.append(pipeline.repository) }
                waiting[pipeline.repository, default: []].append(build)
                changed()
                startNext()
            }
        } onCancel: {
            // It comes after what is under way on this actor, so the build waits by then, or runs already.
            Task { await self.giveUp(id, of: pipeline.repository) }
        }
        return starts ? id : nil
    }

    private func leave(_ id: UInt64) {
        running[id] = nil
        changed()
        startNext()
    }

    private func giveUp(_ id: UInt64, of repository: String) {
        guard let index = waiting[repository]?.firstIndex(where: { $0.id == id }) else { return }
        waiting[repository]?.remove(at: index).start.resume(returning: false)
        if waiting[repository]?.isEmpty == true {
            waiting[repository] = nil
            turns.removeAll { $0 == repository }
        }
        changed()
    }

    private func startNext() {
        while running.count < concurrency, !turns.isEmpty {
            let repository = turns.removeFirst()
            guard let build = waiting[repository]?.removeFirst() else { continue }
            if waiting[repository]?.isEmpty == false {
                turns.append(repository)
            } else {
                waiting[repository] = nil
            }
            running[build.id] = Running(pipeline: build.pipeline, since: clock.now)
            changed(waited: (ContinuousClock.now - build.arrival).seconds)
            build.start.resume(returning: true)
        }
    }
}
