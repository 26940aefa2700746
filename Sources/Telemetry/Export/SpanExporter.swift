import HTTP
import Synchronization

/// Sends spans to a collector in batches, from a queue with a bound. Whoever ends a span never waits for it: what has no room is dropped
/// and counted.
package final class SpanExporter: SpanSink {
    /// What became of spans.
    package enum Outcome: String, Sendable, CaseIterable { case exported, dropped, rejected }

    /// What is told while it works.
    package struct Reports: Sendable {
        /// Counts spans.
        let count: @Sendable (Outcome, Int) -> Void
        /// Told when sending begins to fail, with the reason, and `nil` when it works again.
        let trouble: @Sendable (String?) -> Void

        package init(
            count: @escaping @Sendable (Outcome, Int) -> Void, trouble: @escaping @Sendable (String?) -> Void
        ) {
            self.count = count
            self.trouble = trouble
        }
    }

    private struct State {
        var queue: [SpanRecord] = []
        var isClosed = false
        var isFailing = false
        /// What the worker waits for.
        var pause: Task<Void, Never>?
    }

    private let settings: TracingSettings
    private let version: String
    private let client: HTTPClient
    private let reports: Reports
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let worker = Mutex<Task<Void, Never>?>(nil)

    /// - Parameter version: of this program.
    package init(_ settings: TracingSettings, version: String, reports: Reports) {
        self.settings = settings
        self.version = version
        self.reports = reports
        var configuration = HTTPConfiguration()
        configuration.userAgent = "slipway/\(version)"
        // Whoever writes an http URL into the environment wants it so.
        configuration.plainHTTP = .hosts([
            settings.endpoint.authority, "\(settings.endpoint.host):\(settings.endpoint.port)",
        ])
        configuration.trust = [settings.endpoint.host: settings.trust]
        client = HTTPClient(configuration)
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Begins to send.
    package func start() { worker.withLock { $0 = $0 ?? Task { await run() } } }

    package func record(_ span: SpanRecord) {
        let (isTaken, isDue) = state.withLock { state -> (Bool, Bool) in
            guard !state.isClosed, state.queue.count < settings.queueLimit else { return (false, false) }
            state.queue.append(span)
            if state.queue.count == settings.batchSize, !state.isFailing { state.pause?.cancel() }
            return (true, true)
        }
        if isDue { signal.yield() }
        if !isTaken { reports.count(.dropped, 1) }
    }

    /// Sends what is left, once, and ends.
    package func shutdown(within limit: Duration) async {
        state.withLock { state in
            state.isClosed = true
            state.pause?.cancel()
        }
        signal.yield()
        signal.finish()
        guard let worker = worker.withLock({ $0 }) else { return }
        let end = Task {
            do { try await Task.sleep(for: limit) } catch { return }
            worker.cancel()
        }
        await worker.value
        end.cancel()
        let left = state.withLock { state in
            defer { state.queue = [] }
            return state.queue.count
        }
        if left > 0 { reports.count(.dropped, left) }
    }

    // MARK: The worker

    private func run() async {
        for await _ in signals {
            await pause(for: settings.delay, unless: { $0.queue.count >= self.settings.batchSize })
            while !Task.isCancelled, let batch = take() { await deliver(batch) }
        }
    }

    private func take() -> [SpanRecord]? {
        state.withLock { state in
            guard !state.queue.isEmpty else { return nil }
            let batch = Array(state.queue.prefix(settings.batchSize))
            state.queue.removeFirst(batch.count)
            return batch
        }
    }

    /// Ends early when the exporter is closed, or when enough has come.
    private func pause(for duration: Duration, unless isDue: (State) -> Bool) async {
        let pause = state.withLock { state -> Task<Void, Never>? in
            guard !state.isClosed, !isDue(state) else { return nil }
            let pause = Task<Void, Never> { try? await Task.sleep(for: duration) }
            state.pause = pause
            return pause
        }
        await pause?.value
        state.withLock { $0.pause = nil }
    }

    /// Requests for one batch; between them lie one second, two, four …
    private static let attempts = 6

    private func deliver(_ batch: [SpanRecord]) async {
        guard let body = try? OTLPRequest(batch, resource: settings.resource, version: version).encoded() else {
            return reports.count(.dropped, batch.count)
        }
        for attempt in 0..<Self.attempts {
            let answer = await send(body)
            switch answer {
            case .taken(let rejected):
                tell(nil)
                reports.count(.exported, batch.count - min(rejected, batch.count))
                if rejected > 0 { reports.count(.rejected, min(rejected, batch.count)) }
                return
            case .refused(let reason):
                tell(reason)
                return reports.count(.rejected, batch.count)
            case .busy(let reason, let wait):
                tell(reason)
                guard attempt + 1 < Self.attempts, !state.withLock(\.isClosed), !Task.isCancelled else { break }
                // By chance, so that many agents do not come back at once.
                let backoff = Double(1 << attempt) * Double.random(in: 0.5...1)
                await pause(for: .seconds(wait.map { Double(min($0, 60)) } ?? backoff), unless: { _ in false })
                continue
            }
            break
        }
        reports.count(.dropped, batch.count)
    }

    private enum Answer {
        /// - Parameter rejected: spans of which the collector says that it did not take them.
        case taken(rejected: Int)
        case refused(String)
        /// - Parameter wait: seconds after which to come again, if it says so.
        case busy(String, wait: Int?)
    }

    private func send(_ body: [UInt8]) async -> Answer {
        var headers = HTTPHeaders()
        headers.add("Content-Type", "application/json")
        for header in settings.headers { headers.add(header.name, header.value) }
        let request = HTTPRequest(
            "POST", settings.endpoint, headers: headers, body: .bytes(body), timeout: settings.timeout)
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await client.send(request, limit: 1 << 20)
        } catch {
            return .busy(error.summary + (error.cause.map { ": \($0)" } ?? ""), wait: nil)
        }
        switch response.status {
        case 200...299: return .taken(rejected: OTLPAnswer.rejected(in: response.body))
        // OTLP/HTTP, "Retryable response codes".
        case 429, 502, 503, 504:
            return .busy("the collector answers \(response.status)", wait: RetryAfter.seconds(response.headers))
        default: return .refused("the collector refuses them with \(response.status)")
        }
    }

    private func tell(_ trouble: String?) {
        let isNews = state.withLock { state in
            defer { state.isFailing = trouble != nil }
            return state.isFailing != (trouble != nil)
        }
        if isNews { reports.trouble(trouble) }
    }
}
