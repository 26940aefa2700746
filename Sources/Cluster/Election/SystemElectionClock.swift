import Glibc

/// The machine's clocks.
package struct SystemElectionClock: ElectionClock {
    package init() {}

    package var uptime: Duration { Self.read(CLOCK_BOOTTIME) }

    package var microseconds: Int64 {
        let (seconds, attoseconds) = Self.read(CLOCK_REALTIME).components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }

    package func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration, clock: .continuous) }

    private static func read(_ clock: clockid_t) -> Duration {
        var time = timespec()
        clock_gettime(clock, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}
