import Telemetry
package import Webhooks

extension AgentLoop {
    /// A request for one of the receivers. What it asks for is begun before it is answered, and not waited for.
    package nonisolated func webhook(_ receiver: String, _ request: WebhookRequest) async -> WebhookAnswer {
        let arrival = ContinuousClock.now
        let (answer, call) = webhooks.receive(receiver, request)
        guard let call else { return answer }
        let span = tracing.webhook(receiver, request)
        await obey(call, since: arrival, for: span?.context)
        span?.set(["http.response.status_code": .integer(Int64(answer.status))])
        span?.end()
        return answer
    }

    /// - Parameter cause: the webhook's span.
    private func obey(
        _ call: WebhookCall, since arrival: ContinuousClock.Instant, for cause: SpanContext?
    ) async {
        // Before the cycles begin, which would else be content with what an earlier one has read.
        for (location, tag) in call.images { await fleet.expire(tag, in: location) }
        for name in call.repositories { await watchers[name]?.hint(at: arrival, for: cause) }
    }
}
