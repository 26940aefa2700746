import Glibc

/// The time of day and waiting, apart so that tests can set them.
package protocol AgentClock: Sendable {
    /// Seconds since 1970.
    var now: Int64 { get }
    func sleep(for duration: Duration) async throws
}

package struct SystemClock: AgentClock {
    package init() {}

    package var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec)
    }

    package func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }
}
