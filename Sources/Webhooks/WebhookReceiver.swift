import JSON

/// What is made of a request.
package enum WebhookOutcome: Sendable, Equatable {
    /// It is authentic. Without events it concerns nobody here.
    ///
    /// - Parameter delivery: what the sender calls this delivery; the same when it is sent again.
    case accepted([WebhookEvent], delivery: String?)
    case refused(WebhookRefusal)
}

/// Why a request is not taken. Never 410: some senders take it for a farewell.
package enum WebhookRefusal: Sendable, Equatable {
    /// It is not a POST.
    case method
    /// The secret is missing or wrong.
    case unauthorized
    /// The secret of the path is missing or wrong: as if there was no such receiver.
    case notFound
    /// The body is compressed.
    case encoding
    /// It is authentic and cannot be read.
    case malformed(String)

    package var status: Int {
        switch self {
        case .method: 405
        case .unauthorized: 401
        case .notFound: 404
        case .encoding: 415
        case .malformed: 400
        }
    }
}

/// Authenticates and reads the requests of one sender. A value without state: the same request and time give the same outcome.
package struct WebhookReceiver: Sendable {
    package let kind: WebhookKind
    /// All of them count, so that one can be replaced by another. None: everybody is believed.
    private let secrets: [WebhookSecret]
    /// The registry of its images, whatever the body says.
    private let registry: String?

    /// - Parameter secrets: none where the operator said that everybody is to be believed.
    package init(kind: WebhookKind, secrets: [WebhookSecret], registry: String? = nil) {
        self.kind = kind
        self.secrets = secrets
        self.registry = registry
    }

    /// - Parameter now: in seconds since 1970.
    package func receive(_ request: WebhookRequest, now: Int64) -> WebhookOutcome {
        guard request.method == "POST" else { return .refused(.method) }
        // Bitbucket's test button does not sign, and does nothing.
        if kind == .bitbucketServer, request.header("X-Event-Key") == "diagnostics:ping" {
            return .accepted([], delivery: nil)
        }
        if let encoding = request.header("Content-Encoding"), encoding.lowercased() != "identity" {
            return .refused(.encoding)
        }
        // Gitea signs what is in the form, the others sign the form.
        let content = kind.sendsForms ? FormBody.content(of: request) : request.body
        if !secrets.isEmpty {
            let signed = kind == .gitea || kind == .forgejo ? content ?? request.body : request.body
            let proof = WebhookProof(request: request, signed: signed, now: now)
            guard secrets.reduce(false, { $1.isShown(by: proof, to: kind) || $0 }) else {
                return .refused(kind.hasSecretInPath ? .notFound : .unauthorized)
            }
        }
        guard let content else { return .refused(.malformed("the form has no field 'payload'")) }
        do throws(JSONFailure) {
            let body = try JSONReader.read(content, limits: .event)
            guard case .object = body else { return .refused(.malformed("the body is not a JSON object")) }
            let events = EventReader(kind: kind, registry: registry).events(in: body, of: request)
            return .accepted(events, delivery: delivery(of: request))
        } catch {
            return .refused(.malformed(error.reason))
        }
    }

    /// The headers that name a delivery.
    private func delivery(of request: WebhookRequest) -> String? {
        let names: [String] =
            switch kind {
            case .github, .ghcr: ["X-GitHub-Delivery"]
            case .gitea, .forgejo: ["X-Forgejo-Delivery", "X-Gitea-Delivery"]
            case .gitlab: ["webhook-id", "Idempotency-Key"]
            case .bitbucket, .bitbucketServer: ["X-Request-UUID", "X-Request-Id"]
            case .standardWebhooks: ["webhook-id"]
            default: []
            }
        return names.lazy.compactMap { request.header($0) }.first { $0.utf8.count <= 200 }
    }
}
