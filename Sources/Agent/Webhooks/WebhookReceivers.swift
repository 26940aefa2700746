import Blocking
import Webhooks

/// The receivers of a configuration, with their secrets read.
package struct WebhookReceivers: Sendable {
    struct Entry: Sendable {
        let receiver: WebhookReceiver
        /// The entries that it may start; empty: all.
        let repositories: [String]
    }

    let entries: [String: Entry]

    package static let none = WebhookReceivers(entries: [:])

    private init(entries: [String: Entry]) { self.entries = entries }

    /// - Throws: when a secret cannot be read or used.
    package static func load(_ configuration: WebhookConfiguration?) async throws(AgentError) -> WebhookReceivers {
        guard let configuration else { return .none }
        let entries = try await runBlocking { () throws(AgentError) -> [String: Entry] in
            var entries: [String: Entry] = [:]
            for receiver in configuration.receivers {
                entries[receiver.name] = Entry(
                    receiver: WebhookReceiver(
                        kind: receiver.kind, secrets: try secrets(of: receiver), registry: receiver.registry),
                    repositories: receiver.repositories)
            }
            return entries
        }
        return WebhookReceivers(entries: entries)
    }

    /// Bytes of a secret's file.
    private static let limit = 1 << 16

    /// Blocks.
    static func secrets(of receiver: WebhookConfiguration.Receiver) throws(AgentError) -> [WebhookSecret] {
        var secrets: [WebhookSecret] = []
        for file in receiver.secretFiles {
            let bytes = try TextFile.read(file, limit: limit)
            var text = String(decoding: bytes, as: UTF8.self)
            while let last = text.last, last.isNewline { text.removeLast() }
            do throws(WebhookSecretError) { secrets.append(try WebhookSecret(text, for: receiver.kind)) } catch {
                throw AgentError(error.summary, place: file, hint: error.hint)
            }
        }
        return secrets
    }
}
