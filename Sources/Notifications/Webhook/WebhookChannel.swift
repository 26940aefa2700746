import Glibc
import HTTP
package import Template
import Text

/// Any HTTP endpoint: a CloudEvent, or a body of the operator's own, signed where there is a secret for it.
package struct WebhookChannel: NotificationChannel {
    /// What requests look like.
    package struct Shape: Sendable {
        package var method = "POST"
        /// `nil`: a CloudEvent.
        package var body: BodyTemplate?
        /// Their values are templates.
        package var headers: [(name: String, value: Template)] = []
        /// The agent, in CloudEvents.
        package var source = "/slipway"

        package init() {}
    }

    /// What receivers know requests by.
    package struct Secrets: Sendable {
        /// A Bearer token.
        package var token: SecretFile?
        /// The key of signatures.
        package var signing: SecretFile?
        /// What templates have as `.secrets.NAME`.
        package var named: [String: SecretFile] = [:]

        package init() {}
    }

    package let name: String
    package let type = NotificationChannelType.webhook
    package let batchLimit = 1
    private let address: ChannelAddress
    private let shape: Shape
    private let secrets: Secrets
    private let transport: ChannelTransport
    /// In seconds since 1970.
    private let now: @Sendable () -> Int64

    package init(
        name: String, address: ChannelAddress, shape: Shape, secrets: Secrets, transport: ChannelTransport,
        now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }
    ) {
        self.name = name
        self.address = address
        self.shape = shape
        self.secrets = secrets
        self.transport = transport
        self.now = now
    }

    package var files: [ChannelFile] {
        var files = address.files + transport.files
        if let token = secrets.token { files.append(ChannelFile("tokenFile", token.path)) }
        if let signing = secrets.signing { files.append(ChannelFile("secretFile", signing.path)) }
        for (name, file) in secrets.named.sorted(by: { $0.key < $1.key }) {
            files.append(ChannelFile("secrets.\(name)", file.path))
        }
        return files
    }

    /// Whether the templates can be rendered, by a notice that has all that notices can have.
    package func check() throws(TemplateError) {
        let fact = Notice.Fact("Commit", "0123456")
        let values = TemplateFields.values(
            Notice(
                .buildFailed, of: "shop", subject: "web", title: "title", text: "text", hint: "hint", facts: [fact],
                link: "https://slipway.example.com/", incident: "shop/build/web", at: 0),
            secrets: secrets.named.mapValues { _ in "secret" })
        _ = try shape.body?.render(values)
        for (_, value) in shape.headers { _ = try value.render(values) }
    }

    package func deliver(_ notices: [Notice]) async throws(DeliveryError) -> DeliveryReceipt {
        guard let notice = notices.first else { throw DeliveryError("there is nothing to send") }
        let read = try await Read(address, secrets)
        let delivery = HTTPDelivery(transport: transport, redaction: read.redaction)
        let (body, headers) = try content(of: notice, read)
        return delivery.receipt(
            try await delivery.send(
                shape.method, to: read.url.replacing("{id}", with: notice.id), headers: headers, body: body))
    }

    /// What the files say now.
    private struct Read {
        let url: String
        let token: String?
        let signing: String?
        var named: [String: String] = [:]

        init(_ address: ChannelAddress, _ secrets: Secrets) async throws(DeliveryError) {
            url = try await address.read()
            token = try await secrets.token?.read()
            signing = try await secrets.signing?.read()
            for (name, file) in secrets.named { named[name] = try await file.read() }
        }

        var redaction: Redaction {
            Redaction([token, signing].compactMap(\.self) + named.values, urls: [url])
        }
    }

    private func content(
        of notice: Notice, _ read: Read
    ) throws(DeliveryError) -> (body: [UInt8], headers: HTTPHeaders) {
        let body: [UInt8]
        var headers = HTTPHeaders()
        do throws(TemplateError) {
            let values = TemplateFields.values(notice, secrets: read.named)
            if let template = shape.body {
                body = (try template.render(values) ?? .members([])).bytes
                headers["Content-Type"] = "application/json; charset=utf-8"
            } else {
                body = CloudEvent(notice: notice, source: shape.source).json.bytes
                headers["Content-Type"] = CloudEvent.contentType
            }
            if let token = read.token { headers["Authorization"] = "Bearer \(token)" }
            for (name, value) in shape.headers { headers[name] = printable(try value.render(values), limit: 4_000) }
        } catch {
            throw DeliveryError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
        if let secret = read.signing {
            let signature = try WebhookSignature(secret: secret)
            for (name, value) in signature.headers(id: notice.id, time: now(), body: body) { headers[name] = value }
        }
        return (body, headers)
    }
}
