package import Cluster
import Dispatch
import Glibc
package import Logging
import Synchronization

/// Ends the process before the Lease of its term is over, whatever it is doing: what does not end by itself when it is cancelled (a push
/// to a server that does not answer, a thread that waits for a disk) must not write when another one leads.
package final class TermWatchdog: Sendable {
    /// Calls back after a time.
    typealias Wake = @Sendable (Duration, @escaping @Sendable () -> Void) -> Void

    private let wake: Wake
    private let end: @Sendable () -> Void
    private let term = Mutex<LeadershipTerm?>(nil)

    package convenience init(logger: Logger) {
        let queue = DispatchQueue(label: "slipway.lease")
        self.init(wake: { delay, body in
            let (seconds, attoseconds) = delay.components
            let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
            queue.asyncAfter(deadline: .now() + .nanoseconds(nanoseconds + 1_000_000), execute: body)
        }) {
            logger.critical("the process ends: its Lease is over, and something is still under way")
            _exit(1)
        }
    }

    init(wake: @escaping Wake, end: @escaping @Sendable () -> Void) {
        self.wake = wake
        self.end = end
    }

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
        // At most a second at a time: a timer stands still while the machine sleeps, and the Lease does not.
        wake(min(left, .seconds(1))) { [self] in look() }
    }
}
