/// What a sender is told.
package struct WebhookAnswer: Sendable, Equatable {
    package let status: Int
    /// One line; no more of what is here than the sender knows.
    package let text: String
    /// Seconds after which it may try again.
    package var retryAfter: Int?
    /// The methods that are allowed.
    package var allow: String?

    package init(_ status: Int, _ text: String, retryAfter: Int? = nil, allow: String? = nil) {
        self.status = status
        self.text = text
        self.retryAfter = retryAfter
        self.allow = allow
    }

    /// No receiver has this name, or its secret is of the path and wrong: nobody can tell which.
    package static let notFound = WebhookAnswer(404, "there is nothing at this address")

    package init(_ refusal: WebhookRefusal) {
        switch refusal {
        case .method: self.init(refusal.status, "use POST here", allow: "POST")
        case .unauthorized: self.init(refusal.status, "the secret is missing or wrong")
        case .notFound: self = .notFound
        case .encoding: self.init(refusal.status, "send the body as it is, without Content-Encoding")
        case .malformed(let reason): self.init(refusal.status, reason)
        }
    }
}
