/// A way to people or programs.
package protocol NotificationChannel: Sendable {
    /// As rules, logs and metrics call it.
    var name: String { get }
    var type: NotificationChannelType { get }
    /// How many notices one message may tell. What has to wait is told together.
    var batchLimit: Int { get }
    /// The files that it reads whenever it sends, so that what is in them may change.
    var files: [ChannelFile] { get }
    /// Sends one message, once.
    ///
    /// - Parameter notices: one at least, `batchLimit` at most.
    func deliver(_ notices: [Notice]) async throws(DeliveryError) -> DeliveryReceipt
}

package enum NotificationChannelType: String, Sendable, CaseIterable {
    case slack, teams, email, webhook
}

/// A file that a channel names.
package struct ChannelFile: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        case secret
        /// PEM, of authorities.
        case certificates
    }

    /// `urlFile`, `secrets.routingKey`.
    package let key: String
    package let path: String
    package let content: Content

    package init(_ key: String, _ path: String, _ content: Content = .secret) {
        self.key = key
        self.path = path
        self.content = content
    }
}
