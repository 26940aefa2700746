import Agent
import NIOCore
import NIOHTTP1

/// One connection: gathers each request within its bounds, hands it on, and writes the answer. One request at a time: the pipeline
/// before it holds back the next.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let api: any RequestAnswering
    private let limits: ServerLimits
    private let load: ServerLoad
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var isTooLarge = false
    /// Whether the connection ends with the answer.
    private var closes = false
    /// When the client is given up that does not send, or does not read.
    private var deadline: Scheduled<Void>?

    init(api: any RequestAnswering, limits: ServerLimits, load: ServerLoad) {
        self.api = api
        self.limits = limits
        self.load = load
    }

    func channelActive(context: ChannelHandlerContext) {
        arm(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func arm(_ context: ChannelHandlerContext) {
        let channel = context.channel
        deadline?.cancel()
        deadline = context.eventLoop.scheduleTask(in: TimeAmount(limits.patience)) { channel.close(promise: nil) }
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
            isTooLarge = false
            // A client that pauses between requests has its whole time for this one.
            arm(context)
        case .body(let part):
            // What is too much is read over, so that the client gets to read the answer.
            isTooLarge = isTooLarge || body.count + part.readableBytes > limits.body
            if isTooLarge { body = [] } else { body += Array(part.readableBytesView) }
        case .end:
            deadline?.cancel()
            guard let head else { return }
            let request = ServerRequest(head, body: body, from: context.remoteAddress?.ipAddress)
            body = []
            let (api, load, response, isTooLarge) = (api, load, Response(context.channel), isTooLarge)
            let limit = limits.body
            load.begin()
            // Not cancelled when the client goes: what was begun ends.
            Task {
                if isTooLarge {
                    response.fail(ControlError(.tooLarge, "the body has more than \(limit) bytes"))
                } else {
                    await api.answer(request, response)
                }
                load.end()
            }
        }
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let head else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let status, let type, let extra, let length):
            var headers = HTTPHeaders()
            headers.add(name: "Content-Type", value: type)
            if let length { headers.add(name: "Content-Length", value: String(length)) }
            headers.add(name: "X-Content-Type-Options", value: "nosniff")
            headers.add(name: "Cache-Control", value: "no-store")
            for (name, value) in extra { headers.replaceOrAdd(name: name, value: value) }
            // HTTP/1.0 has no chunks: the end of a stream is that of its connection.
            closes = !head.isKeepAlive || length == nil && head.version == .http1_0
            if closes { headers.add(name: "Connection", value: "close") }
            let response = HTTPResponseHead(version: head.version, status: status, headers: headers)
            context.write(wrapOutboundOut(.head(response)), promise: promise)
        case .bytes(let bytes):
            guard head.method != .HEAD else {
                promise?.succeed()
                return
            }
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: promise)
        case .end:
            self.head = nil
            arm(context)
            if closes {
                let channel = context.channel
                let written = context.eventLoop.makePromise(of: Void.self)
                written.futureResult.whenComplete { _ in channel.close(promise: nil) }
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
                promise?.succeed()
            } else {
                context.write(wrapOutboundOut(.end(nil)), promise: promise)
            }
        }
    }
}
