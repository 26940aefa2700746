/// How much a receiver may be asked, whoever asks: a bucket that fills with time. Counted before anything is verified, for to verify
/// costs, too: a request costs one, and one more for each 16 KiB of its body.
struct RequestRate: Sendable {
    /// All events of a large registry's night fit into it.
    static let capacity = 12_000
    /// What comes back in a second.
    static let refill = 500

    private var left = Self.capacity
    private var filled: Int64

    /// - Parameter now: in seconds since 1970.
    init(now: Int64) { filled = now }

    /// Whether there is enough for a request.
    mutating func admits(_ bytes: Int, at now: Int64) -> Bool {
        // A clock that was set back fills nothing.
        let passed = Int(min(max(now - filled, 0), 3_600))
        left = min(Self.capacity, left + passed * Self.refill)
        filled = now
        let cost = 1 + bytes >> 14
        guard left >= cost else { return false }
        left -= cost
        return true
    }
}
