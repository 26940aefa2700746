/// How long a leader leads without a renewal. The rules and their usual values are those of client-go:
/// https://pkg.go.dev/k8s.io/client-go/tools/leaderelection#LeaderElectionConfig
package struct ElectionTiming: Sendable, Equatable {
    /// For how long after the last renewal that a candidate saw it leaves the Lease alone. Whole seconds.
    package var leaseDuration: Duration = .seconds(15)
    /// For how long after its last renewal the leader writes. What it has under way then ends before `leaseDuration` is over.
    package var renewDeadline: Duration = .seconds(10)
    /// Between two attempts to renew, or to take, the Lease.
    package var retryPeriod: Duration = .seconds(2)

    package init() {}

    /// By how much candidates wait longer than `retryPeriod` at most, so that not all of them ask at once.
    static let jitter = 1.2

    /// Why the times cannot be used together.
    package var problem: String? {
        if leaseDuration.components.attoseconds != 0 || leaseDuration < .seconds(1) {
            return "leaseDuration has to be a whole number of seconds, at least one"
        }
        if leaseDuration <= renewDeadline { return "leaseDuration has to be longer than renewDeadline" }
        if retryPeriod < .milliseconds(100) { return "retryPeriod has to be at least 100ms" }
        if renewDeadline <= retryPeriod * Self.jitter {
            return "renewDeadline has to be longer than \(Self.jitter) times retryPeriod"
        }
        return nil
    }

    /// When a process that still runs is ended, after the last renewal: late enough for what it has under way to end by itself,
    /// and before another one may lead.
    package var end: Duration { leaseDuration - (leaseDuration - renewDeadline) / 5 }
}

/// Time for an election, apart so that tests can set it.
package protocol ElectionClock: Sendable {
    /// Since some moment of the past. It goes on evenly, while the machine sleeps too, whatever happens to the time of day.
    var uptime: Duration { get }
    /// Microseconds since 1970: for people who look at a Lease; nothing is decided by it.
    var microseconds: Int64 { get }
    func sleep(for duration: Duration) async throws
}
