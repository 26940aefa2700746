package import Webhooks

/// Who may tell the agent that something has changed, and where.
package struct WebhookConfiguration: Sendable {
    /// Where webhooks alone are answered, `HOST:PORT`; `nil`: beside everything else, where `listen` says.
    package var listen: String?
    package var receivers: [Receiver] = []

    package init() {}

    /// `POST /webhooks/NAME`.
    package struct Receiver: Sendable {
        package var name: String
        package var kind: WebhookKind
        /// Files with a secret each, of which the sender has to know one; none: everybody is believed.
        package var secretFiles: [String] = []
        /// The registry that the images of its events are in, whatever the events say.
        package var registry: String?
        /// The entries that it may start, and starts when an event names none; empty: all that follow what an event names.
        package var repositories: [String] = []

        package init(name: String, kind: WebhookKind) {
            self.name = name
            self.kind = kind
        }
    }
}
