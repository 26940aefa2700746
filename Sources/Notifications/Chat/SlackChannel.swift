import FoundationEssentials
import HTTP

/// Slack: by an incoming webhook, which has its channel, or by a bot's token (`chat.postMessage`, with the scope `chat:write`).
package struct SlackChannel: NotificationChannel {
    package enum Access: Sendable, Equatable {
        case webhook(SecretFile)
        /// - Parameters:
        ///   - api: where its methods are.
        ///   - channel: an id, or a name with `#`.
        case bot(token: SecretFile, channel: String, api: String)
    }

    package static let api = "https://slack.com/api"

    package let name: String
    package let type = NotificationChannelType.slack
    package let batchLimit = 10
    private let access: Access
    private let transport: ChannelTransport

    package init(name: String, access: Access, transport: ChannelTransport) {
        self.name = name
        self.access = access
        self.transport = transport
    }

    package var files: [ChannelFile] {
        switch access {
        case .webhook(let file): [ChannelFile("urlFile", file.path)] + transport.files
        case .bot(let token, _, _): [ChannelFile("tokenFile", token.path)] + transport.files
        }
    }

    package func deliver(_ notices: [Notice]) async throws(DeliveryError) -> DeliveryReceipt {
        let message = SlackMessage(notices: notices)
        switch access {
        case .webhook(let file):
            let url = try await file.read()
            let delivery = HTTPDelivery(transport: transport, redaction: Redaction(urls: [url]))
            return delivery.receipt(
                try await delivery.send(
                    "POST", to: url, headers: ["Content-Type": "application/json; charset=utf-8"],
                    body: message.payload().bytes))
        case .bot(let file, let channel, let api):
            let token = try await file.read()
            let delivery = HTTPDelivery(transport: transport, redaction: Redaction([token]))
            let response = try await delivery.send(
                "POST", to: "\(api)/chat.postMessage",
                headers: ["Content-Type": "application/json; charset=utf-8", "Authorization": "Bearer \(token)"],
                body: message.payload(channel: channel).bytes)
            try check(response, delivery)
            return delivery.receipt(response)
        }
    }

    private struct Answer: Decodable {
        let ok: Bool
        let error: String?
    }

    /// Slack's methods answer 200 where they fail, too.
    private func check(_ response: HTTPResponse, _ delivery: HTTPDelivery) throws(DeliveryError) {
        let host = response.head.url.authority
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)) else {
            throw DeliveryError(
                "the answer is not Slack's", place: host, cause: delivery.receipt(response).answer,
                hint: "check the channel's 'api'", status: response.status)
        }
        guard !answer.ok else { return }
        let code = answer.error ?? "an error without a name"
        let passing = [
            "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
        ]
        throw DeliveryError(
            "Slack refuses the message", place: host, cause: delivery.redaction.line(code), hint: Self.hint(code),
            status: response.status,
            retry: passing.contains(code)
                ? .later(after: RetryAfter.seconds(response.headers)) : .never)
    }

    private static func hint(_ code: String) -> String? {
        switch code {
        case "not_in_channel", "channel_not_found": "invite the bot to the channel: /invite @NAME"
        case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
            "check the bot's token in 'tokenFile'; it begins with xoxb-"
        case "missing_scope": "give the app the scope chat:write, and install it again"
        default: nil
        }
    }
}
