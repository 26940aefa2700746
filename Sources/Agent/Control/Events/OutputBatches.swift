import Synchronization

/// Gathers what builds say for a moment, so that a flood of lines is a few events.
final class OutputBatches: Sendable {
    private struct Batch {
        let build: BuildRecord
        var text = ""
    }

    private struct State {
        var batches: [BuildID: Batch] = [:]
        var isWaiting = false
    }

    private let journal: EventJournal
    private let clock: any AgentClock
    private let state = Mutex(State())

    /// Bytes of one event, and of one line.
    private static let (limit, lineLimit) = (64 << 10, 8 << 10)
    private static let pause = Duration.milliseconds(100)

    init(_ journal: EventJournal, clock: any AgentClock) {
        self.journal = journal
        self.clock = clock
    }

    func append(_ line: String, of build: BuildRecord) {
        let isLong = line.utf8.count > Self.lineLimit
        let (full, begins) = state.withLock { state -> (Batch?, Bool) in
            var batch = state.batches[build.id] ?? Batch(build: build)
            batch.text += isLong ? "\(line.prefix(Self.lineLimit / 4))…\n" : "\(line)\n"
            let isFull = batch.text.utf8.count >= Self.limit
            state.batches[build.id] = isFull ? nil : batch
            defer { state.isWaiting = true }
            return (isFull ? batch : nil, !state.isWaiting)
        }
        if let full { tell(full) }
        guard begins else { return }
        Task {
            try? await Task.sleep(for: Self.pause)
            let batches = state.withLock { state in
                defer { state = State() }
                return state.batches
            }
            for batch in batches.values { tell(batch) }
        }
    }

    /// Tells what a build said so far.
    func flush(_ build: BuildID) {
        if let batch = state.withLock({ $0.batches.removeValue(forKey: build) }) { tell(batch) }
    }

    private func tell(_ batch: Batch) {
        var event = AgentEvent(.output, batch.build, at: clock.now)
        event.text = batch.text
        journal.append(event)
    }
}
