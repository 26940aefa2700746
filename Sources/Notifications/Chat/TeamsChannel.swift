import HTTP

/// Microsoft Teams: the webhook of a workflow ("Send webhook alerts to a channel"), which posts an Adaptive Card. The connectors of
/// Office 365, which took other messages, are gone.
package struct TeamsChannel: NotificationChannel {
    package let name: String
    package let type = NotificationChannelType.teams
    package let batchLimit = 10
    private let url: SecretFile
    private let transport: ChannelTransport

    package init(name: String, url: SecretFile, transport: ChannelTransport) {
        self.name = name
        self.url = url
        self.transport = transport
    }

    package var files: [ChannelFile] { [ChannelFile("urlFile", url.path)] + transport.files }

    package func deliver(_ notices: [Notice]) async throws(DeliveryError) -> DeliveryReceipt {
        let url = try await url.read()
        let delivery = HTTPDelivery(transport: transport, redaction: Redaction(urls: [url]))
        return delivery.receipt(
            try await delivery.send(
                "POST", to: url, headers: ["Content-Type": "application/json"],
                body: TeamsMessage(notices: notices).bytes))
    }
}
