/// How many Events may be written: a token bucket as client-go has for Events (25 at once), but refilled every twelve seconds rather
/// than every five minutes, because one bucket serves all repositories.
struct EventPace: Sendable {
    private static let burst: Int64 = 25
    /// Seconds.
    private static let pause: Int64 = 12

    private var left = EventPace.burst
    /// When `left` was true, in seconds since 1970.
    private var countedAt: Int64?

    /// Takes one, where there is one.
    mutating func admits(at now: Int64) -> Bool {
        let earned = countedAt.map { (now - $0) / Self.pause } ?? 0
        if let countedAt, now >= countedAt, left + earned < Self.burst {
            left += earned
            self.countedAt = countedAt + earned * Self.pause
        } else {
            // Full; a clock that was set back must not close it for long.
            if countedAt.map({ now >= $0 }) ?? true { left = Self.burst }
            countedAt = now
        }
        guard left > 0 else { return false }
        left -= 1
        return true
    }
}
