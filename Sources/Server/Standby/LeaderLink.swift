import Agent
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Webhooks

/// Takes what the leader answers. Called on one event loop.
protocol LeaderAnswer: AnyObject, Sendable {
    /// When nobody wants the answer any more; `nil`: never.
    var clientLeaves: EventLoopFuture<Void>? { get }
    func begin(_ head: HTTPResponseHead)
    /// - Returns: when there is room for more.
    func take(_ bytes: [UInt8]) -> EventLoopFuture<Void>
    func end()
}

/// Sends requests to the replica that leads.
///
/// Tokens of the API are in them, so they go only to the IP address that the Lease has, and where this replica shows a certificate, only to
/// a server that proves to have the same key.
final class LeaderLink: Sendable {
    enum Outcome: Sendable {
        case complete
        /// The request was sent, and the answer did not come to its end.
        case broken
        /// The leader has not got the request, or did not lead.
        case nothingSent
    }

    /// On requests that a replica passed on: they are not passed on again.
    static let passedHeader = "Slipway-Passed-By"
    /// On the answer of a replica that was thought to lead.
    static let standbyHeader = "Slipway-Standby"
    static let doesNotLead = WebhookAnswer(503, "this replica does not lead", retryAfter: 2)

    private let identity: String
    private let tls: ServerTLS?

    init(identity: String, tls: ServerTLS?) {
        self.identity = identity
        self.tls = tls
    }

    func send(
        _ request: ServerRequest, to place: LeaderPlace, on loop: any EventLoop, _ answer: any LeaderAnswer
    ) async -> Outcome {
        // Neither is TLS given up, nor is a stranger's certificate believed.
        guard place.isTLS == (tls != nil) else { return .nothingSent }
        let (outcomes, feed) = AsyncStream.makeStream(of: Outcome.self)
        let tls = tls
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.seconds(3))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(try tls.clientHandler()) }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(
                        LeaderConnection(answer) { outcome in
                            feed.yield(outcome)
                            feed.finish()
                        })
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: place.host, port: place.port).get()
            let head = HTTPRequestHead(
                version: .http1_1, method: request.method, uri: request.target, headers: headers(of: request))
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            if !request.body.isEmpty {
                channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: request.body))), promise: nil)
            }
            try await channel.writeAndFlush(HTTPClientRequestPart.end(nil)).get()
        } catch {
            return .nothingSent
        }
        answer.clientLeaves?.whenComplete { _ in channel.close(promise: nil) }
        for await outcome in outcomes { return outcome }
        return .broken
    }

    private func headers(of request: ServerRequest) -> HTTPHeaders {
        let ofConnection: Set<String> = [
            "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect",
            "content-length", "proxy-authorization", Self.passedHeader.lowercased(),
        ]
        var headers = HTTPHeaders(
            request.headers.filter { !ofConnection.contains($0.name.lowercased()) }.map { ($0.name, $0.value) })
        if !request.body.isEmpty || request.method == .POST {
            headers.add(name: "Content-Length", value: String(request.body.count))
        }
        headers.add(name: Self.passedHeader, value: identity)
        headers.add(name: "Connection", value: "close")
        return headers
    }
}

/// One request to the leader.
private final class LeaderConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let answer: any LeaderAnswer
    private let finish: @Sendable (LeaderLink.Outcome) -> Void
    /// Bytes that the client has not taken yet.
    private var waiting = 0
    private var isPassedOver = false

    private static let limit = 256 << 10

    init(_ answer: any LeaderAnswer, finish: @escaping @Sendable (LeaderLink.Outcome) -> Void) {
        self.answer = answer
        self.finish = finish
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            isPassedOver = head.headers.contains(name: LeaderLink.standbyHeader)
            if !isPassedOver { answer.begin(head) }
        case .body(let part):
            guard !isPassedOver else { return }
            let count = part.readableBytes
            waiting += count
            if waiting > Self.limit { context.channel.setOption(.autoRead, value: false).whenFailure { _ in } }
            let (channel, bound) = (context.channel, NIOLoopBound(self, eventLoop: context.eventLoop))
            answer.take(Array(part.readableBytesView)).hop(to: context.eventLoop).whenComplete { _ in
                let handler = bound.value
                handler.waiting -= count
                if handler.waiting <= Self.limit / 2 { channel.setOption(.autoRead, value: true).whenFailure { _ in } }
            }
        case .end:
            if isPassedOver {
                finish(.nothingSent)
            } else {
                answer.end()
                finish(.complete)
            }
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.broken)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
