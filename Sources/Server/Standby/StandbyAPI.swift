import Agent
import NIOHTTP1
import Telemetry
import Webhooks

/// What a replica answers that does not lead. Probes, metrics and style sheets are its own; everything else goes to the leader, reading too:
/// what a standby knows of repositories is nothing.
struct StandbyAPI: Sendable {
    private let replica: Replica
    private let gate: RequestGate
    private let webhooks: WebhookService.Part
    private let link: LeaderLink
    private let handover: WebhookHandover

    init(_ replica: Replica, gate: RequestGate, webhooks: WebhookService.Part, link: LeaderLink) {
        self.replica = replica
        self.gate = gate
        self.webhooks = webhooks
        self.link = link
        handover = WebhookHandover(replica, link: link)
    }

    func stop() async { await handover.stop() }

    /// - Parameter isLast: whether the request has waited long enough for a leader.
    /// - Returns: whether it was answered.
    func answer(_ request: ServerRequest, _ response: Response, isLast: Bool) async -> Bool {
        if let (receiver, hook) = webhooks.hook(request) {
            WebhookService.send(take(hook, for: receiver, request, response), response)
            return true
        }
        if webhooks == .alone {
            WebhookService.send(.notFound, response)
            return true
        }
        let route: Route
        do throws(ControlError) { route = try await gate.route(of: request) } catch {
            response.fail(error, extra: gate.headers(of: error, request))
            return true
        }
        switch route {
        case .alive: response.send(text: "ok\n")
        case .ready:
            let readiness = replica.readiness
            response.send(readiness.isReady ? .ok : .serviceUnavailable, text: readiness.text + "\n")
        case .metrics:
            let format = request.metricsFormat
            response.send(type: format.contentType, text: replica.metrics(as: format))
        case .asset(let asset): response.send(asset)
        default: return await pass(request, response, isLast: isLast)
        }
        return true
    }

    private func take(
        _ hook: WebhookRequest, for receiver: String, _ request: ServerRequest, _ response: Response
    ) -> WebhookAnswer {
        guard !request.wasPassedOn else { return LeaderLink.doesNotLead }
        if let refusal = replica.refusal(of: receiver, hook) { return refusal }
        let isTaken = handover.take(
            WebhookHandover.Entry(receiver: receiver, hook: hook, request: request, loop: response.eventLoop))
        return isTaken ? WebhookAnswer(202, "accepted") : WebhookAnswer(503, "no replica leads", retryAfter: 30)
    }

    // MARK: Passing on

    private func pass(_ request: ServerRequest, _ response: Response, isLast: Bool) async -> Bool {
        let leader = replica.leader
        let name = leader.map { "\($0.identity) leads" }
        guard gate.access != nil else {
            // Its own user comes in here without a token, and the leader knows nothing of that.
            refuse(
                request, response, "this replica is a standby", cause: name ?? "no replica leads yet",
                hint: leader.map { "run the command in its pod, \($0.pod)" } ?? "try again in a moment")
            return true
        }
        guard !request.wasPassedOn else {
            refuse(
                request, response, "this replica does not lead", cause: name,
                extra: [(LeaderLink.standbyHeader, "true")])
            return true
        }
        if let place = leader?.api, leader?.identity != replica.identity {
            let answer = PassedAnswer(response)
            switch await link.send(request, to: place, on: response.eventLoop, answer) {
            case .complete: return true
            case .broken where answer.hasBegun:
                response.close()
                return true
            case .broken where request.method != .GET && request.method != .HEAD:
                refuse(
                    request, response, "the leader did not answer", cause: name,
                    hint: "it may have done what was asked: look before you ask again")
                return true
            case .broken, .nothingSent: break
            }
        }
        guard isLast else { return false }
        refuse(
            request, response, leader == nil ? "no replica leads" : "the leader cannot be reached",
            cause: leader?.api.map { "\(leader?.identity ?? "") at \($0.text) does not answer" }
                ?? leader.map { "\($0.identity) does not say where it is" },
            hint: "try again in a moment; docs/replicas.md says what replicas need of each other")
        return true
    }

    private func refuse(
        _ request: ServerRequest, _ response: Response, _ summary: String, cause: String?, hint: String? = nil,
        extra: [(String, String)] = []
    ) {
        let error = ControlError(.unavailable, summary, cause: cause, hint: hint ?? "try again in a moment")
        let extra = extra + [("Retry-After", "2")]
        guard request.isForPage else { return response.fail(error, extra: extra) }
        response.send(.serviceUnavailable, type: Response.plain, Array("\(error)\n".utf8), extra: extra)
    }
}

extension Leader {
    /// The pod's name, as identities begin.
    var pod: String { identity.lastIndex(of: "_").map { String(identity[..<$0]) } ?? identity }
}
