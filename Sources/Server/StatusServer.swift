package import Agent
import NIOCore
import NIOHTTP1
import NIOPosix

/// `/healthz`, `/readyz`, `/metrics` and `/api/v1/status` over HTTP/1.1. Requests carry nothing that is looked at beyond the
/// method and the path; bodies are discarded.
package struct StatusServer: Sendable {
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    /// Starts to listen.
    ///
    /// - Parameter address: `HOST:PORT`; port 0 takes a free one.
    package static func start(address: String, health: AgentHealth) async throws(AgentError) -> StatusServer {
        let place = try ListenAddress(address)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 64)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                        try channel.pipeline.syncOperations.addHandler(
                            IdleStateHandler(readTimeout: .seconds(30), writeTimeout: .seconds(30)))
                        try channel.pipeline.syncOperations.addHandler(StatusHandler(health: health))
                    }
                }
                .bind(host: place.host, port: place.port).get()
            return StatusServer(channel: channel, group: group)
        } catch {
            try? await group.shutdownGracefully()
            throw AgentError(
                "cannot listen on \(address)", place: "listen", cause: "\(error)",
                hint: "another process may hold the port; choose one with --listen")
        }
    }

    /// The port that is listened on.
    package var port: Int { channel.localAddress?.port ?? 0 }

    package func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }
}

private final class StatusHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let health: AgentHealth
    private var head: HTTPRequestHead?

    init(health: AgentHealth) { self.health = health }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            self.head = nil
            respond(to: head, context: context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func respond(to request: HTTPRequestHead, context: ChannelHandlerContext) {
        let (status, type, text) = answer(to: request)
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: type)
        headers.add(name: "Content-Length", value: String(text.utf8.count))
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        if !request.isKeepAlive { headers.add(name: "Connection", value: "close") }
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: request.version, status: status, headers: headers))),
            promise: nil)
        if request.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if !request.isKeepAlive { context.close(promise: nil) }
    }

    private func answer(to request: HTTPRequestHead) -> (HTTPResponseStatus, String, String) {
        let plain = "text/plain; charset=utf-8"
        guard request.method == .GET || request.method == .HEAD else {
            return (.methodNotAllowed, plain, "only GET and HEAD\n")
        }
        switch request.uri.prefix(while: { $0 != "?" }) {
        case "/healthz": return (.ok, plain, "ok\n")
        case "/readyz":
            let readiness = health.readiness
            return (readiness.isReady ? .ok : .serviceUnavailable, plain, readiness.text + "\n")
        case "/metrics": return (.ok, "text/plain; version=0.0.4; charset=utf-8", health.metrics.text)
        case "/api/v1/status": return (.ok, "application/json", health.statusJSON)
        default: return (.notFound, plain, "there are /healthz, /readyz, /metrics and /api/v1/status\n")
        }
    }
}
