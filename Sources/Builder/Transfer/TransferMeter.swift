import OCI
import Synchronization

/// Makes events of the many calls that a blob's transfer makes: few enough to cost nothing, and none after the last.
final class TransferMeter: Sendable {
    private struct State {
        var transfer: BlobTransfer
        /// When something was told last; `nil` when nothing was.
        var told: ContinuousClock.Instant?
    }

    private let state: Mutex<State>
    private let tell: @Sendable (BuildEvent) -> Void
    private let now: @Sendable () -> ContinuousClock.Instant

    /// Nobody sees more than some changes a second, or a smaller one.
    private static let (pause, step) = (Duration.milliseconds(100), Int64(256 << 10))
    /// A slow transfer is told of all the same.
    private static let longPause = Duration.seconds(1)

    init(
        _ direction: BlobTransfer.Direction, _ blob: Descriptor, _ repository: RepositoryLocation,
        tell: @escaping @Sendable (BuildEvent) -> Void,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        state = Mutex(
            State(transfer: BlobTransfer(.init(direction, blob.digest, repository), bytes: 0, of: blob.size)))
        self.tell = tell
        self.now = now
    }

    /// The blob will be moved, whatever has to be done before its first byte.
    func begin() { moved(0) }

    /// - Parameter bytes: all that was moved of the blob, not what came since the last call.
    func moved(_ bytes: Int64) {
        state.withLock { state in
            guard state.transfer.state == .underWay else { return }
            let time = now()
            let change = abs(bytes - state.transfer.bytes)
            // The last byte is told of at once: what comes then is an answer, which may take long.
            if let told = state.told, change == 0 || bytes != state.transfer.total {
                let waited = time - told
                guard waited >= Self.pause, change >= Self.step || change > 0 && waited >= Self.longPause else {
                    return
                }
            }
            state.transfer.bytes = bytes
            state.told = time
            // Under the lock: what is told here must not come behind the end.
            tell(.transfer(state.transfer))
        }
    }

    /// Nothing is told where nothing was before: the blob did not have to be moved.
    func end(isDone: Bool) {
        state.withLock { state in
            guard state.transfer.state == .underWay else { return }
            state.transfer.state = isDone ? .done : .stopped
            if isDone { state.transfer.bytes = state.transfer.total }
            if state.told != nil { tell(.transfer(state.transfer)) }
        }
    }
}
