/// The deliveries of the last minutes, so that one that is sent again is not obeyed again. Bounded: the oldest is forgotten first.
struct RecentDeliveries: Sendable {
    private static let limit = 4_096
    /// In seconds.
    private static let age: Int64 = 600

    /// When each was seen, by a number made of its receiver and its name; in seconds since 1970.
    private var seen: [Int: Int64] = [:]
    private var order: [Int] = []
    private var oldest = 0

    /// - Returns: whether it is new.
    mutating func insert(_ delivery: String, of receiver: String, at now: Int64) -> Bool {
        var hasher = Hasher()
        hasher.combine(receiver)
        hasher.combine(delivery)
        let key = hasher.finalize()
        if let time = seen[key] {
            guard now >= time + Self.age else { return false }
            seen[key] = now
            return true
        }
        seen[key] = now
        if order.count < Self.limit {
            order.append(key)
        } else {
            seen[order[oldest]] = nil
            order[oldest] = key
            oldest = (oldest + 1) % Self.limit
        }
        return true
    }
}
