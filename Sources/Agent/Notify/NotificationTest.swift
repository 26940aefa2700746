import Notifications

/// What a host answered to a message that was sent to try its channel.
package struct NotificationTest: Codable, Sendable {
    package let channel: String
    package let type: String
    package let delivered: Bool
    package var host: String?
    /// Of HTTP, or of SMTP.
    package var status: Int?
    package var answer: String?
    package var error: String?
    package var hint: String?

    /// Sends a message by one channel, once, and waits for the answer.
    ///
    /// - Throws: where there is no such channel.
    package static func send(
        by name: String, of configuration: AgentConfiguration, at now: Int64 = SystemClock().now
    ) async throws(AgentError) -> NotificationTest {
        let channels = configuration.notifications?.channels ?? []
        guard let channel = channels.first(where: { $0.name == name }) else {
            let names = channels.map(\.name).joined(separator: ", ")
            throw AgentError(
                "the configuration has no channel '\(name)'", place: "notifications.channels",
                hint: names.isEmpty ? "docs/notifications.md shows what to write" : "there are: \(names)")
        }
        let notice = Notice(
            .test, title: "Slipway: a test of the channel '\(name)'",
            text: "Somebody ran 'slipway notify --test'. Nothing happened, and nothing is to be done.",
            facts: configuration.repositories.isEmpty
                ? [] : [Notice.Fact("Repositories", String(configuration.repositories.count))],
            link: configuration.notifications?.pages, at: now)
        do throws(DeliveryError) {
            let receipt = try await channel.deliver([notice])
            return NotificationTest(
                channel: name, type: channel.type.rawValue, delivered: true, host: receipt.host,
                status: receipt.status, answer: receipt.answer)
        } catch {
            var told = error.summary
            if let cause = error.cause, !cause.isEmpty { told += ": \(cause)" }
            return NotificationTest(
                channel: name, type: channel.type.rawValue, delivered: false, host: error.place, status: error.status,
                error: told, hint: error.hint)
        }
    }
}
