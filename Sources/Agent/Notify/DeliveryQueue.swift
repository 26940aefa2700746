import Notifications
import Text

/// What becomes of the notices of one channel, for logs, metrics and memory.
enum DeliveryOutcome: Sendable {
    case delivered(DeliveryReceipt)
    /// They are sent again, after so many seconds.
    case retried(DeliveryError, after: Double)
    /// They are given up.
    case failed(DeliveryError)
    /// There are too many.
    case dropped

    var label: String {
        switch self {
        case .delivered: "delivered"
        case .retried: "retried"
        case .failed: "failed"
        case .dropped: "dropped"
        }
    }

    /// Whether nothing more is done with them.
    var isFinal: Bool {
        if case .retried = self { return false }
        return true
    }
}

/// The notices that wait for one channel. Whoever adds some does not wait; what a host does not take is tried again later and later, for
/// an hour and more, and too many are dropped, the oldest first.
actor DeliveryQueue {
    private let channel: any NotificationChannel
    private let clock: any AgentClock
    private let random: @Sendable () -> Double
    private let tell: @Sendable ([Notice], DeliveryOutcome) -> Void
    private var waiting: [Notice] = []
    /// Those of the message that is under way.
    private var underWay: [Notice] = []
    /// Since the last message.
    private var dropped = 0
    private var worker: Task<Void, Never>?
    private var pause: Task<Void, any Error>?
    private var isStopped = false

    static let limit = 200
    private static let backoff = Backoff(base: 5, limit: 600)
    private static let attempts = 14
    /// Seconds: hosts may ask for more, and are asked nevertheless.
    private static let longestPause = 3_600

    init(
        _ channel: any NotificationChannel, clock: any AgentClock, random: @escaping @Sendable () -> Double,
        tell: @escaping @Sendable ([Notice], DeliveryOutcome) -> Void
    ) {
        self.channel = channel
        self.clock = clock
        self.random = random
        self.tell = tell
    }

    func add(_ notices: [Notice]) {
        guard !isStopped else { return }
        waiting += notices
        let excess = waiting.count - Self.limit
        if excess > 0 {
            tell(Array(waiting.prefix(excess)), .dropped)
            waiting.removeFirst(excess)
            dropped += excess
        }
        guard worker == nil, !waiting.isEmpty else { return }
        worker = Task { await self.sendAll() }
    }

    private func sendAll() async {
        while !waiting.isEmpty, !isStopped {
            underWay = Array(waiting.prefix(channel.batchLimit))
            waiting.removeFirst(underWay.count)
            let isDone = await send(underWay)
            guard isDone else { break }
            underWay = []
        }
        worker = nil
    }

    /// - Returns: whether it is over, one way or another; `false` when it was cut off.
    private func send(_ notices: [Notice]) async -> Bool {
        let missing = dropped
        var message = notices
        if missing > 0 { message[0].dropped = missing }
        for attempt in 1...Self.attempts {
            do throws(DeliveryError) {
                let receipt = try await channel.deliver(message)
                dropped -= missing
                tell(notices, .delivered(receipt))
                return true
            } catch {
                guard !Task.isCancelled else { return false }
                guard case .later(let after) = error.retry, attempt < Self.attempts else {
                    tell(notices, .failed(error))
                    return true
                }
                guard !isStopped else { return false }
                let own = Self.backoff.delay(afterAttempts: attempt, random: random())
                let seconds = max(own, Double(min(after ?? 0, Self.longestPause)))
                tell(notices, .retried(error, after: seconds))
                let clock = clock
                let pause = Task { try await clock.sleep(for: .seconds(seconds)) }
                self.pause = pause
                guard (try? await pause.value) != nil, !isStopped else { return false }
            }
        }
        return true
    }

    /// How long a message that is under way may take to end: cut off, it might arrive and be sent again by the next process.
    private static let grace = Duration.seconds(3)

    /// Sends nothing more.
    ///
    /// - Returns: what was not delivered.
    func stop() async -> [Notice] {
        isStopped = true
        pause?.cancel()
        if let worker {
            let clock = clock
            let limit = Task {
                do { try await clock.sleep(for: Self.grace) } catch { return }
                worker.cancel()
            }
            await worker.value
            limit.cancel()
        }
        return underWay + waiting
    }
}
