import Foundation

/// What a `FaultProxy` does to one request.
package enum Fault: String, Sendable, CaseIterable {
    /// The connection is closed before an answer, and the registry never sees the request.
    case dropped
    /// The same, with a reset.
    case reset
    /// The registry does what is asked, and its answer is lost.
    case answerLost
    /// The answer ends in the middle.
    case truncated
    /// Half of an answer, and then nothing.
    case stalled
    case tooMany
    case failing
    /// The registry does what is asked, and the answer is that it failed.
    case failingAfterwards
    /// A byte of the answer's body is another.
    case wrongBytes
}

/// A server of our own before a registry, which spoils the answer to one request and passes all others on.
///
/// `@unchecked Sendable`: everything mutable is touched under the lock.
package final class FaultProxy: @unchecked Sendable {
    private let registry: Int
    private let lock = NSLock()
    private var number = 0
    private var spoiled = 0
    private var fault = Fault.dropped
    private var server: StubServer?
    private var followed = 0
    private var follower: (@Sendable () -> Void)?
    private var failures = 0
    private var failed: [String: Int] = [:]
    private var kind: @Sendable (StubRequest) -> String? = { _ in nil }

    package init(before registryPort: Int) throws {
        registry = registryPort
        server = try StubServer { [weak self] in self?.answer($0) ?? .raw([]) }
    }

    package var host: String { server?.host ?? "" }

    /// Spoils the request of this number from now on, counted from 1; 0 for none.
    package func spoil(_ request: Int, with fault: Fault) {
        lock.withLock { (number, spoiled, self.fault) = (0, request, fault) }
    }

    /// Does something behind the request of this number since the last call of `spoil`, before it is answered.
    package func follow(_ request: Int, _ action: @escaping @Sendable () -> Void) {
        lock.withLock { (followed, follower) = (request, action) }
    }

    /// Answers the first requests of each kind with status 500, and passes all others on.
    package func fail(_ times: Int, _ kinds: @escaping @Sendable (StubRequest) -> String?) {
        lock.withLock { (failures, failed, kind) = (times, [:], kinds) }
    }

    /// The failures of `fail`, by kind.
    package var failuresByKind: [String: Int] { lock.withLock { failed } }

    /// All requests that came, oldest first.
    package var requests: [StubRequest] { server?.requests ?? [] }

    /// Requests since the last call of `spoil`.
    package var count: Int { lock.withLock { number } }

    private func answer(_ request: StubRequest) -> StubReply {
        let (current, follower): (Fault?, (@Sendable () -> Void)?) = lock.withLock {
            number += 1
            return (fault(for: request), number == followed ? self.follower : nil)
        }
        let reply = reply(to: request, spoiledBy: current)
        follower?()
        return reply
    }

    /// Under the lock.
    private func fault(for request: StubRequest) -> Fault? {
        if let kind = kind(request), failed[kind, default: 0] < failures {
            failed[kind, default: 0] += 1
            return .failing
        }
        return number == spoiled ? fault : nil
    }

    private func reply(to request: StubRequest, spoiledBy fault: Fault?) -> StubReply {
        switch fault {
        case nil: return .raw(pass(request))
        case .dropped: return .raw([])
        case .reset: return .reset([])
        case .answerLost:
            _ = pass(request)
            return .raw([])
        case .truncated:
            let whole = pass(request)
            return .raw(Array(whole.dropLast(max(1, whole.count / 3))))
        case .stalled: return .stall(Array(pass(request).prefix(40)))
        case .tooMany: return .text(429, #"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#)
        case .failing: return .text(500, #"{"errors":[{"code":"UNKNOWN"}]}"#)
        case .failingAfterwards:
            _ = pass(request)
            return .text(503, "")
        case .wrongBytes:
            var whole = pass(request)
            let head = String(decoding: whole, as: UTF8.self).components(separatedBy: "\r\n\r\n")[0].utf8.count + 4
            if head < whole.count { whole[head + (whole.count - head) / 2] ^= 1 }
            return .raw(whole)
        }
    }

    /// Asks the registry, in HTTP/1.0 so that its answer ends with the connection.
    private func pass(_ request: StubRequest) -> [UInt8] {
        guard let connection = LoopbackSocket.connect(registry) else { return [] }
        defer { close(connection) }
        var head = "\(request.method) \(request.target) HTTP/1.0\r\n"
        for (name, value) in request.headers where !["connection", "transfer-encoding"].contains(name) {
            head += "\(name): \(value)\r\n"
        }
        if request.headers["transfer-encoding"] != nil { head += "content-length: \(request.body.count)\r\n" }
        guard LoopbackSocket.send(connection, Array((head + "\r\n").utf8) + request.body) else { return [] }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(connection, &piece, piece.count, 0)
            if count <= 0 { return answer }
            answer += piece[..<count]
        }
    }
}
