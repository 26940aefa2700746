import Agent
import NIOCore
import NIOHTTP1
import OCI
import Synchronization

/// What goes to a connection, in this order.
enum ResponsePart: Sendable {
    /// - Parameter length: `nil`: it is a stream.
    case head(HTTPResponseStatus, type: String, extra: [(String, String)], length: Int?)
    case bytes([UInt8])
    case end
}

/// Answers one request, from any task. What is written to a client that is gone goes nowhere.
struct Response: Sendable {
    private let channel: any Channel

    init(_ channel: any Channel) { self.channel = channel }

    /// On which its connection works.
    var eventLoop: any EventLoop { channel.eventLoop }
    /// When the client's connection has ended.
    var closed: EventLoopFuture<Void> { channel.closeFuture }

    func close() { channel.close(promise: nil) }

    /// - Returns: when the connection has taken it.
    @discardableResult
    func write(_ part: ResponsePart) -> EventLoopFuture<Void> { channel.writeAndFlush(part) }

    static let plain = "text/plain; charset=utf-8"

    func send(
        _ status: HTTPResponseStatus, type: String, _ body: [UInt8], extra: [(String, String)] = []
    ) {
        channel.write(ResponsePart.head(status, type: type, extra: extra, length: body.count), promise: nil)
        channel.write(ResponsePart.bytes(body), promise: nil)
        channel.writeAndFlush(ResponsePart.end, promise: nil)
    }

    func send(_ status: HTTPResponseStatus = .ok, type: String = Response.plain, text: String) {
        send(status, type: type, Array(text.utf8))
    }

    func send(_ status: HTTPResponseStatus = .ok, json value: some Encodable) {
        send(status, type: "application/json", Self.line(value))
    }

    /// A file whose name changes with its content.
    func send(_ asset: Asset) {
        send(.ok, type: asset.type, asset.bytes, extra: [("Cache-Control", "public, max-age=31536000, immutable")])
    }

    /// Sends the reader on to a page, after a form.
    func redirect(to address: Address) {
        send(.seeOther, type: Self.plain, [], extra: [("Location", address.text)])
    }

    func fail(_ error: ControlError, extra: [(String, String)] = []) {
        send(error.code.status, type: "application/json", Self.line(ErrorDocument(error)), extra: extra)
    }

    /// Begins a stream of events.
    func feed(_ filter: EventFeed.Filter, _ frames: EventFrames) -> EventFeed {
        // A proxy that buffers would hold events back.
        channel.writeAndFlush(
            ResponsePart.head(.ok, type: "text/event-stream", extra: [("X-Accel-Buffering", "no")], length: nil),
            promise: nil)
        return EventFeed(channel, filter, frames, limit: EventStream.waitingLimit)
    }

    /// Begins a stream of JSON values, one a line.
    func stream() -> EventStream { EventStream(channel) }

    fileprivate static func line(_ value: some Encodable) -> [UInt8] {
        ((try? CanonicalJSON.encode(value)) ?? Array("{}".utf8)) + [UInt8(ascii: "\n")]
    }

    /// Lines of progress, and at the end what came of it. A slow reader misses lines, and holds up nobody.
    final class EventStream: Sendable {
        private struct State {
            var leftOut = 0
            /// Bytes that the connection has not taken yet: counted here, because the connection's own count is as late as its thread.
            var waiting = 0
        }

        private let channel: any Channel
        private let state = Mutex(State())
        static let waitingLimit = 256 << 10

        fileprivate init(_ channel: any Channel) {
            self.channel = channel
            channel.writeAndFlush(
                ResponsePart.head(.ok, type: "application/x-ndjson", extra: [], length: nil), promise: nil)
        }

        func say(_ text: String) {
            let count = state.withLock { state -> Int? in
                guard state.waiting < Self.waitingLimit else {
                    state.leftOut += 1
                    return nil
                }
                defer { state.leftOut = 0 }
                return state.leftOut
            }
            guard let count else { return }
            if count > 0 { write(CycleEvent(line: "… \(count) lines were left out: they were not read in time")) }
            write(CycleEvent(line: text))
        }

        func end(_ event: CycleEvent) {
            write(event)
            channel.writeAndFlush(ResponsePart.end, promise: nil)
        }

        private func write(_ event: CycleEvent) {
            let bytes = Response.line(event)
            state.withLock { $0.waiting += bytes.count }
            channel.writeAndFlush(ResponsePart.bytes(bytes)).whenComplete { [self] _ in
                state.withLock { $0.waiting -= bytes.count }
            }
        }
    }
}

extension ControlError.Code {
    var status: HTTPResponseStatus {
        switch self {
        case .invalidRequest: .badRequest
        case .notFound, .unknownRepository, .unknownBuild: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .tooLarge: .payloadTooLarge
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .tooManyAttempts: .tooManyRequests
        case .missingImage, .paused, .buildIsOver: .conflict
        case .noSuchRange: .rangeNotSatisfiable
        case .unavailable: .serviceUnavailable
        case .failed: .internalServerError
        }
    }
}
