package import Cluster
import Dispatch
import Glibc
package import Logging
import Synchronization

/// Ends the process before the Lease of its term is over, whatever it is doing: what does not end by itself when it is cancelled (a push
/// to a server that does not answer, a thread that waits for a disk) must not write when another one leads.
package final class TermWatchdog: Sendable {
    private let queue = DispatchQueue(label: "slipway.lease")
    private let end: @Sendable () -> Void
    private let term = Mutex<LeadershipTerm?>(nil)

    package convenience init(logger: Logger) {
        self.init {
            logger.critical("the process ends: its Lease is over, and something is still under way")
            _exit(1)
        }
    }

    init(end: @escaping @Sendable () -> Void) { self.end = end }

    package func watch(_ term: LeadershipTerm) {
        self.term.withLock { $0 = term }
        look()
    }

    package func stop() { term.withLock { $0 = nil } }

    /// Comes again when the term would end, which each renewal puts off.
    private func look() {
        guard let term = term.withLock(\.self) else { return }
        let left = term.timeToEnd
        guard left > .zero else { return end() }
        let (seconds, attoseconds) = left.components
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        queue.asyncAfter(deadline: .now() + .nanoseconds(nanoseconds + 1_000_000)) { [self] in look() }
    }
}
