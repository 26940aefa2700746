import Agent
import NIOCore
import NIOHTTP1
import Synchronization
import Webhooks

/// Keeps webhooks for the leader until it has taken them: senders seldom come again, and a change of leaders takes some seconds.
final class WebhookHandover: Sendable {
    struct Entry: Sendable {
        let receiver: String
        let hook: WebhookRequest
        let request: ServerRequest
        let loop: any EventLoop
        let since = ContinuousClock.now
    }

    private struct State {
        var waiting: [Entry] = []
        var bytes = 0
        var worker: Task<Void, Never>?
        /// When what still waits is given up, because the process ends.
        var end: ContinuousClock.Instant?
    }

    private let replica: Replica
    private let link: LeaderLink
    private let state = Mutex(State())

    /// Requests that wait, and bytes of their bodies.
    private static let (limit, byteLimit) = (1_000, 32 << 20)
    /// A leader looks at all repositories by itself when it begins: what waits for longer than that takes has no use.
    private static let age = Duration.seconds(120)

    init(_ replica: Replica, link: LeaderLink) {
        self.replica = replica
        self.link = link
    }

    /// - Returns: whether there was room for it.
    func take(_ entry: Entry) -> Bool {
        state.withLock { state in
            guard state.waiting.count < Self.limit, state.bytes + entry.request.body.count <= Self.byteLimit else {
                return false
            }
            state.waiting.append(entry)
            state.bytes += entry.request.body.count
            if state.worker == nil { state.worker = Task { await self.work() } }
            return true
        }
    }

    /// Tries for a moment to get rid of what waits.
    func stop() async {
        let worker = state.withLock { state in
            state.end = .now + .seconds(2)
            return state.worker
        }
        await worker?.value
    }

    private func work() async {
        while let entry = next() {
            var isDelivered = false
            let last = entry.since + Self.age
            while !isDelivered, ContinuousClock.now < min(last, state.withLock(\.end) ?? last) {
                isDelivered = await deliver(entry)
                if !isDelivered { try? await Task.sleep(for: .milliseconds(250)) }
            }
            replica.handedOver(entry.receiver, isDelivered: isDelivered)
        }
    }

    private func next() -> Entry? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.worker = nil
                return nil
            }
            let entry = state.waiting.removeFirst()
            state.bytes -= entry.request.body.count
            return entry
        }
    }

    /// - Returns: whether it needs no further attempt.
    private func deliver(_ entry: Entry) async -> Bool {
        if case .leading(let control) = replica.role {
            return await control.webhook(entry.receiver, entry.hook).status < 429
        }
        guard let leader = replica.leader, leader.identity != replica.identity, let place = leader.webhooks else {
            return false
        }
        let answer = StatusOnly(entry.loop)
        // A delivery that came twice is recognized by its number, and a cycle too many does no harm.
        guard case .complete = await link.send(entry.request, to: place, on: entry.loop, answer) else { return false }
        return answer.status < 429
    }
}

/// The status of an answer that nobody reads.
final class StatusOnly: LeaderAnswer {
    private let loop: any EventLoop
    private let state = Atomic(0)
    let clientLeaves: EventLoopFuture<Void>? = nil

    init(_ loop: any EventLoop) { self.loop = loop }

    var status: Int { state.load(ordering: .relaxed) }
    func begin(_ head: HTTPResponseHead) { state.store(Int(head.status.code), ordering: .relaxed) }
    func take(_ bytes: [UInt8]) -> EventLoopFuture<Void> { loop.makeSucceededVoidFuture() }
    func end() {}
}
