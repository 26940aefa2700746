import Blocking
import Synchronization

/// A client over libcurl. Transfers run on threads that may block, each with a handle that keeps its connection, so that
/// consecutive requests to a host share one.
///
/// Redirections are followed here and not by libcurl, as far as `TransportPolicy` lets them: GET and HEAD to any host, with
/// credentials only as long as scheme, host and port stay the same; requests with a body only within their origin.
package final class HTTPClient: Sendable {
    package let configuration: HTTPConfiguration
    private let pool: HandlePool
    private let slots: Slots

    package init(_ configuration: HTTPConfiguration = HTTPConfiguration()) {
        self.configuration = configuration
        pool = HandlePool(capacity: configuration.idleConnections)
        slots = Slots(configuration.concurrency)
    }

    /// Sends a request; the body of the answer comes back in memory.
    ///
    /// - Parameter limit: bytes of the body beyond which the transfer is stopped (`tooLarge`).
    package func send(_ request: HTTPRequest, limit: Int) async throws(HTTPError) -> HTTPResponse {
        try await follow(request, receiver: nil, limit: limit)
    }

    /// Sends a request; the body of a successful answer goes to `receiver`, another comes back in memory, cut at `limit`.
    package func send(
        _ request: HTTPRequest, into receiver: any BodyReceiver, limit: Int = 1 << 16
    ) async throws(HTTPError) -> HTTPResponse {
        try await follow(request, receiver: receiver, limit: limit)
    }

    private func follow(
        _ request: HTTPRequest, receiver: (any BodyReceiver)?, limit: Int
    ) async throws(HTTPError) -> HTTPResponse {
        try configuration.transport.check(request.url)
        var request = request
        for _ in 0...configuration.maximumRedirects {
            let response = try await perform(request, receiver: receiver, limit: limit)
            guard let location = Self.redirection(response, of: request) else { return response }
            let target = try Self.target(location, of: request)
            try configuration.transport.check(target, namedBy: request.url)
            if target.origin != request.url.origin {
                guard request.method == "GET" || request.method == "HEAD" else {
                    throw HTTPError(
                        .redirect, "\(request.method) is not redirected to another host", place: "\(request.url)",
                        cause: "it leads to \(target)")
                }
                request.headers = request.headers.withoutCredentials
            }
            request.url = target
        }
        throw HTTPError(
            .redirect, "gave up after \(configuration.maximumRedirects) redirections", place: "\(request.url)")
    }

    private static func redirection(_ response: HTTPResponse, of request: HTTPRequest) -> String? {
        guard let location = response.headers["Location"] else { return nil }
        switch (response.status, request.method) {
        case (301...303, "GET"), (301...303, "HEAD"), (307...308, _): return location
        default: return nil
        }
    }

    private static func target(_ location: String, of request: HTTPRequest) throws(HTTPError) -> HTTPURL {
        do throws(HTTPError) {
            return try request.url.resolving(location)
        } catch {
            throw HTTPError(
                error.code == .tooLarge ? .tooLarge : .redirect, "a redirection cannot be followed",
                place: "\(request.url)", cause: error.cause ?? error.summary)
        }
    }

    private func perform(
        _ request: HTTPRequest, receiver: (any BodyReceiver)?, limit: Int
    ) async throws(HTTPError) -> HTTPResponse {
        await slots.acquire()
        defer { slots.release() }
        let cancellation = Cancellation()
        let (configuration, pool) = (configuration, pool)
        let result: Result<HTTPResponse, HTTPError> = await withTaskCancellationHandler {
            if Task.isCancelled { cancellation.cancel() }
            return await runBlocking {
                Result { () throws(HTTPError) in
                    let handle = try pool.take(request.url.origin)
                    let transfer = Transfer(
                        request, configuration: configuration, receiver: receiver, limit: limit,
                        cancellation: cancellation)
                    let response = try transfer.run(on: handle)
                    // After a failure the handle is dropped with its connection, whose state is unknown.
                    pool.put(handle, request.url.origin)
                    return response
                }
            }
        } onCancel: {
            cancellation.cancel()
            if case .stream(let source) = request.body { source.cancel() }
        }
        return try result.get()
    }
}

/// Set by the task that waits, read by the thread that works.
final class Cancellation: Sendable {
    private let flag = Atomic(false)

    var isCancelled: Bool { flag.load(ordering: .relaxed) }

    func cancel() { flag.store(true, ordering: .relaxed) }
}
