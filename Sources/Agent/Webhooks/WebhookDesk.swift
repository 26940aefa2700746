import Logging
import OCI
import Synchronization
import Webhooks

/// What a request asks for, once it is believed.
struct WebhookCall: Sendable {
    /// The entries that are to be looked at.
    let repositories: Set<String>
    /// Images of which what is known is out of date, with the tag where it is known.
    let images: [(location: RepositoryLocation, tag: String?)]
}

/// Takes the requests of git hosts and registries: admits, authenticates and reads them, and finds out whom they concern. What it keeps
/// of them is bounded, however many there are.
final class WebhookDesk: Sendable {
    private struct State {
        var receivers = WebhookReceivers.none
        var followers = WebhookFollowers()
        var rates: [String: RequestRate] = [:]
        var deliveries = RecentDeliveries()
        /// When it was last logged that a receiver refuses; in seconds since 1970.
        var toldAt: [String: Int64] = [:]
        var isStopping = false
    }

    /// What becomes of requests, in metrics.
    private enum Result: String {
        case accepted, ignored, repeated, refused, limited, unavailable, forwarded
    }

    let images = FollowedImages()
    private let state = Mutex(State())
    private let clock: any AgentClock
    private let metrics: Metrics
    private let logger: Logger

    init(clock: any AgentClock, metrics: Metrics, logger: Logger) {
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    /// Works by another configuration from now on.
    func adopt(_ receivers: WebhookReceivers, _ repositories: [AgentConfiguration.RepositoryConfiguration]) {
        let followers = WebhookFollowers(repositories)
        state.withLock { state in
            state.receivers = receivers
            state.followers = followers
            state.rates = state.rates.filter { receivers.entries[$0.key] != nil }
            state.toldAt = state.toldAt.filter { receivers.entries[$0.key] != nil }
        }
        images.keep(Set(repositories.map(\.name)))
    }

    /// From now on, senders are asked to come again.
    func stop() { state.withLock { $0.isStopping = true } }

    /// What is to be done with a request.
    private enum Verdict {
        case turnedAway(WebhookAnswer)
        case genuine([WebhookEvent], delivery: String?, WebhookReceivers.Entry)
    }

    /// - Parameter name: of the receiver, as the path has it.
    private func verdict(on request: WebhookRequest, to name: String, at now: Int64) -> Verdict {
        let (entry, isStopping, isAdmitted) = state.withLock { state -> (WebhookReceivers.Entry?, Bool, Bool) in
            guard let entry = state.receivers.entries[name] else { return (nil, false, false) }
            let isAdmitted = state.rates[name, default: RequestRate(now: now)].admits(request.body.count, at: now)
            return (entry, state.isStopping, isAdmitted)
        }
        guard let entry else { return .turnedAway(.notFound) }
        guard !isStopping else {
            count(.unavailable, name)
            return .turnedAway(WebhookAnswer(503, "the agent is stopping", retryAfter: 30))
        }
        guard isAdmitted else {
            count(.limited, name)
            tell(name, "webhook requests come too fast and are turned away", at: now)
            return .turnedAway(WebhookAnswer(429, "too many requests", retryAfter: 2))
        }
        switch entry.receiver.receive(request, now: now) {
        case .refused(let refusal):
            count(.refused, name)
            let answer = WebhookAnswer(refusal)
            tell(name, "webhook request refused", reason: answer.text, at: now)
            return .turnedAway(answer)
        case .accepted(let events, let delivery): return .genuine(events, delivery: delivery, entry)
        }
    }

    /// Judges a request that another replica is to obey.
    ///
    /// - Returns: the answer to one that is turned away; `nil` for one that is genuine.
    func refusal(of request: WebhookRequest, to name: String) -> WebhookAnswer? {
        switch verdict(on: request, to: name, at: clock.now) {
        case .turnedAway(let answer): return answer
        case .genuine:
            count(.forwarded, name)
            return nil
        }
    }

    func receive(_ name: String, _ request: WebhookRequest) -> (answer: WebhookAnswer, call: WebhookCall?) {
        let now = clock.now
        switch verdict(on: request, to: name, at: now) {
        case .turnedAway(let answer): return (answer, nil)
        case .genuine(let events, let delivery, let entry):
            guard let call = call(events, by: entry) else {
                count(.ignored, name)
                return (WebhookAnswer(events.isEmpty ? 200 : 202, events.isEmpty ? "ok" : "accepted"), nil)
            }
            // Only what was obeyed is remembered: what concerned nobody may do so by the next configuration.
            let isNew = delivery.map { id in
                state.withLock { $0.deliveries.insert(id, of: name, at: now) }
            }
            guard isNew ?? true else {
                count(.repeated, name)
                return (WebhookAnswer(200, "this delivery was taken before"), nil)
            }
            count(.accepted, name)
            logger.debug(
                "asked for",
                metadata: [
                    "request": "webhook", "receiver": "\(name)",
                    "repository": "\(call.repositories.sorted().joined(separator: " "))",
                ])
            return (WebhookAnswer(202, "accepted"), call)
        }
    }

    /// Whom the events concern; `nil` for nobody.
    private func call(_ events: [WebhookEvent], by entry: WebhookReceivers.Entry) -> WebhookCall? {
        let allowed = Set(entry.repositories)
        let followers = state.withLock(\.followers)
        var names: Set<String> = []
        var stale: [RepositoryLocation: Set<String?>] = [:]
        for event in events {
            switch event {
            case .git(let event): names.formUnion(followers.names(for: event))
            case .image(let event):
                guard let image = Self.image(event) else { continue }
                let following = images.followers(of: image)
                guard !following.isEmpty else { continue }
                names.formUnion(following)
                stale[image, default: []].insert(event.tag)
            case .unnamed: names.formUnion(allowed)
            }
        }
        if !allowed.isEmpty { names.formIntersection(allowed) }
        guard !names.isEmpty else { return nil }
        return WebhookCall(
            repositories: names, images: stale.flatMap { image, tags in tags.map { (location: image, tag: $0) } })
    }

    private static func image(_ event: ImageEvent) -> RepositoryLocation? {
        let name = try? RegistryRepository("\(event.registry)/\(event.repository.lowercased())")
        return name.map { RepositoryLocation($0) }
    }

    private func count(_ result: Result, _ receiver: String) {
        metrics.add("slipway_webhook_requests_total", 1, [("receiver", receiver), ("result", result.rawValue)])
    }

    /// Writes down that a receiver turns requests away, not more than once a minute: strangers decide how often it does.
    private func tell(_ receiver: String, _ message: Logger.Message, reason: String? = nil, at now: Int64) {
        let isDue = state.withLock { state in
            if let last = state.toldAt[receiver], now >= last, now - last < 60 { return false }
            state.toldAt[receiver] = now
            return true
        }
        guard isDue else { return }
        var metadata: Logger.Metadata = ["receiver": "\(receiver)"]
        if let reason { metadata["reason"] = "\(reason)" }
        logger.warning(message, metadata: metadata)
    }
}
