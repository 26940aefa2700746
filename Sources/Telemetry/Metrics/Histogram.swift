/// Observations, counted by the bucket that they fall into.
struct Histogram: Sendable {
    let bounds: [Double]
    /// One for each bound, and one for what is above all of them.
    private(set) var counts: [UInt64]
    private(set) var sum = 0.0

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    var count: UInt64 { counts.reduce(0, +) }

    /// - Parameter value: neither negative nor without a value, because sums must never go backward.
    mutating func observe(_ value: Double) {
        guard value >= 0, value.isFinite else { return }
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }
}
