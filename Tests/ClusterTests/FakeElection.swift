import Cluster
import JSON
import Synchronization

/// A clock for elections that stands still until it is set.
final class FakeElectionClock: ElectionClock {
    private struct Sleeper {
        let until: Duration
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var uptime = Duration.seconds(1_000)
        var count = 0
        var sleepers: [Int: Sleeper] = [:]
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    var uptime: Duration { state.withLock(\.uptime) }
    var microseconds: Int64 { 1_700_000_000_000_000 + uptime.components.seconds * 1_000_000 }
    var asleep: Int { state.withLock { $0.sleepers.count } }

    func sleep(for duration: Duration) async throws {
        let id = state.withLock { state in
            state.count += 1
            return state.count
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return true }
                    state.sleepers[id] = Sleeper(until: state.uptime + duration, continuation: continuation)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let sleeper = state.sleepers.removeValue(forKey: id) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.uptime += duration
            let due = state.sleepers.filter { $0.value.until <= state.uptime }
            for id in due.keys { state.sleepers[id] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }
}

/// Another machine's view of the same time: it was started at another moment, and its time of day is wrong.
struct SkewedClock: ElectionClock {
    let clock: FakeElectionClock
    let offset: Duration
    let skew: Int64

    var uptime: Duration { clock.uptime + offset }
    var microseconds: Int64 { clock.microseconds + skew }
    func sleep(for duration: Duration) async throws { try await clock.sleep(for: duration) }
}

/// An API server that has one Lease.
final class FakeLeaseServer: Sendable {
    private struct State {
        var object: JSONValue?
        var version = 0
        var writes: [String] = []
    }

    private let state = Mutex(State())

    var lease: Lease? { state.withLock { $0.object.map(Lease.init) } }
    /// Who wrote it, one after the other.
    var writes: [String] { state.withLock(\.writes) }

    func put(_ object: JSONValue) { _ = try? write(object, isForced: true) }

    @discardableResult
    func write(_ object: JSONValue, isForced: Bool = false) throws(ClusterError) -> Lease {
        let written = state.withLock { state -> JSONValue? in
            let version = object["metadata"]["resourceVersion"].text
            let isCurrent = version == (state.object == nil ? nil : "\(state.version)")
            guard isForced || isCurrent else { return nil }
            state.version += 1
            var metadata = object["metadata"]
            metadata["resourceVersion"] = .string("\(state.version)")
            var object = object
            object["metadata"] = metadata
            state.object = object
            state.writes.append(object["spec"]["holderIdentity"].text ?? "-")
            return object
        }
        guard let written else { throw ClusterError(.conflict, "the Lease has changed") }
        return Lease(written)
    }
}

/// One process's connection to it.
final class FakeLeaseLink: LeaseKeeping {
    enum Network: Sendable {
        case works, refuses
        /// What is written arrives, and nobody hears what came of it.
        case losesAnswers
        /// Nothing arrives, and nothing is said of that.
        case silent
    }

    private let server: FakeLeaseServer
    private let clock: FakeElectionClock
    private let network = Mutex(Network.works)
    private let delay = Mutex(Duration.zero)

    init(_ server: FakeLeaseServer, _ clock: FakeElectionClock) {
        self.server = server
        self.clock = clock
    }

    func set(_ new: Network, delay seconds: Duration = .zero) {
        network.withLock { $0 = new }
        delay.withLock { $0 = seconds }
    }

    let shown = "Lease slipway/slipway"
    let blank = Lease(["apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": ["name": "slipway"]])

    private func send<Value: Sendable>(
        isWriting: Bool = true, _ body: () throws(ClusterError) -> Value
    ) async throws(ClusterError) -> Value {
        let pause = delay.withLock(\.self)
        let away = ClusterError(.unavailable, "no route to host")
        if pause > .zero { do { try await clock.sleep(for: pause) } catch { throw away } }
        switch network.withLock(\.self) {
        case .works:
            let value = try body()
            if pause > .zero { do { try await clock.sleep(for: pause) } catch { throw away } }
            return value
        case .refuses: throw away
        case .losesAnswers:
            let value = try body()
            guard isWriting else { return value }
            throw away
        case .silent:
            do { try await clock.sleep(for: .seconds(1_000_000)) } catch {}
            throw away
        }
    }

    func read() async throws(ClusterError) -> Lease? {
        try await send(isWriting: false) { () throws(ClusterError) in server.lease }
    }

    func create(_ lease: Lease) async throws(ClusterError) -> Lease {
        try await send { () throws(ClusterError) in try server.write(lease.object) }
    }

    func replace(_ lease: Lease) async throws(ClusterError) -> Lease {
        try await send { () throws(ClusterError) in try server.write(lease.object) }
    }
}
