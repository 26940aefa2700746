import NIOCore
import NIOHTTP1
import Synchronization

/// The leader's answer on its way to the client. It goes at the client's pace: what the client does not read stays at the leader.
final class PassedAnswer: LeaderAnswer {
    private let response: Response
    private let begun = Atomic(false)

    init(_ response: Response) { self.response = response }

    var hasBegun: Bool { begun.load(ordering: .relaxed) }
    var clientLeaves: EventLoopFuture<Void>? { response.closed }

    func begin(_ head: HTTPResponseHead) {
        begun.store(true, ordering: .relaxed)
        let length = head.headers.first(name: "Content-Length").flatMap { Int($0) }
        let type = head.headers.first(name: "Content-Type") ?? Response.plain
        let extra = head.headers.filter { !Self.isOfConnection($0.name) }.map { ($0.name, $0.value) }
        response.write(.head(head.status, type: type, extra: extra, length: length))
    }

    func take(_ bytes: [UInt8]) -> EventLoopFuture<Void> { response.write(.bytes(bytes)) }

    func end() { response.write(.end) }

    /// What is of the leader's connection, and what the client's has by itself.
    private static func isOfConnection(_ name: String) -> Bool {
        ["connection", "keep-alive", "transfer-encoding", "content-length", "content-type"].contains(name.lowercased())
    }
}
