import Cluster
import Synchronization

/// A clock of an election that stands still until the test sets it.
final class SetClock: ElectionClock {
    private let now = Mutex(Duration.seconds(1_000))

    var uptime: Duration { now.withLock(\.self) }
    let microseconds: Int64 = 1_700_000_000_000_000

    func advance(by duration: Duration) { now.withLock { $0 += duration } }

    func sleep(for duration: Duration) async throws { throw CancellationError() }
}
