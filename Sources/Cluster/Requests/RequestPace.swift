/// Spreads requests: as many at once as `burst`, later ones evenly, in the order in which they come.
actor RequestPace {
    private let interval: Duration
    private let burst: Int
    /// When the last of the requests that were let through was due, if they had come evenly.
    private var due: ContinuousClock.Instant

    init(perSecond: Int, burst: Int) {
        interval = .seconds(1) / perSecond
        self.burst = burst
        due = .now - interval * burst
    }

    func wait() async {
        let now = ContinuousClock.now
        due = max(due + interval, now - interval * burst)
        if due > now { try? await Task.sleep(until: due, clock: .continuous) }
    }
}
