import Agent
import Builder
import OCI
import Synchronization

/// One JSON object a line for each thing that happens.
final class JSONProgress: Sendable {
    private let write: @Sendable (String) -> Void
    private let now: @Sendable () -> ContinuousClock.Instant
    /// When a blob on its way was told of last, or began.
    private let told = Mutex<[BlobTransfer.ID: ContinuousClock.Instant]>([:])

    init(
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }, write: @escaping @Sendable (String) -> Void
    ) {
        self.now = now
        self.write = write
    }

    func say(_ text: String) { put(BuildEventLine(message: text, time: BuildReporter.now)) }

    func handle(_ event: BuildEvent) {
        if case .transfer(let transfer) = event, !isDue(transfer) { return }
        if case .inStage(_, .transfer(let transfer)) = event, !isDue(transfer) { return }
        put(BuildEventLine(event, time: BuildReporter.now))
    }

    /// Once a second for each blob, and never for one that takes less: what is complete has lines of its own.
    private func isDue(_ transfer: BlobTransfer) -> Bool {
        guard transfer.state == .underWay else { return false }
        return told.withLock { told in
            let time = now()
            guard let last = told[transfer.id] else {
                told[transfer.id] = time
                return false
            }
            guard time - last >= .seconds(1) else { return false }
            told[transfer.id] = time
            return true
        }
    }

    private func put(_ line: BuildEventLine) {
        if let bytes = try? CanonicalJSON.encode(line) { write(String(decoding: bytes, as: UTF8.self)) }
    }
}
