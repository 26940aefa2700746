import Agent
import NIOHTTP1
import Webhooks

/// `POST /webhooks/NAME`, and `/webhooks/NAME/SECRET` for senders that can show a secret in no other way.
struct WebhookService: Sendable {
    /// What of an address is webhooks.
    enum Part: Sendable {
        /// There are none here.
        case none
        /// They are beside everything else.
        case beside
        /// There is nothing else, so that the address can face strangers.
        case alone

        /// The receiver that a request is for, and what it says; `nil` for one that is for something else.
        func hook(_ request: ServerRequest) -> (receiver: String, WebhookRequest)? {
            guard self != .none, let path = request.path, (2...3).contains(path.count), path[0] == "webhooks" else {
                return nil
            }
            let hook = WebhookRequest(
                method: request.method.rawValue, pathSecret: path.count > 2 ? path[2] : "",
                headers: request.headers.map { (name: $0.name, value: $0.value) }, body: request.body)
            return (path[1], hook)
        }
    }

    let control: any AgentControl
    let part: Part

    /// Answers what is for a receiver, and, where there is nothing else, everything.
    ///
    /// - Returns: whether it was answered.
    func answer(_ request: ServerRequest, _ response: Response) async -> Bool {
        guard let (receiver, hook) = part.hook(request) else {
            if part == .alone { Self.send(.notFound, response) }
            return part == .alone
        }
        Self.send(await control.webhook(receiver, hook), response)
        return true
    }

    static func send(_ answer: WebhookAnswer, _ response: Response) {
        var extra: [(String, String)] = []
        if let seconds = answer.retryAfter { extra.append(("Retry-After", String(seconds))) }
        if let allow = answer.allow { extra.append(("Allow", allow)) }
        response.send(
            HTTPResponseStatus(statusCode: answer.status), type: Response.plain, Array((answer.text + "\n").utf8),
            extra: extra)
    }
}
