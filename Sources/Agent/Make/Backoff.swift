/// Exponential back-off: each attempt waits twice as long as the one before, up to a limit, and a little less by chance, so that
/// many who failed at one moment do not come again at one moment.
package struct Backoff: Sendable, Equatable {
    /// The wait after the first attempt, in seconds.
    package let base: Double
    /// The longest wait, in seconds.
    package let limit: Double

    package init(base: Double, limit: Double) {
        self.base = base
        self.limit = limit
    }

    /// - Parameters:
    ///   - attempts: how many have failed; one at least.
    ///   - random: from 0 up to 1; takes up to a fifth off.
    /// - Returns: seconds to wait.
    package func delay(afterAttempts attempts: Int, random: Double) -> Double {
        var delay = min(base, limit)
        for _ in 1..<max(1, min(attempts, 64)) where delay < limit { delay = min(delay * 2, limit) }
        return delay * (1 - 0.2 * min(max(random, 0), 1))
    }
}
