/// What one client may cost.
package struct ServerLimits: Sendable {
    /// Bytes of a request's body.
    package var body = 1 << 20
    /// How long a request may take to arrive, and the pause before the next one; and how long an answer that is complete may take
    /// to be read.
    package var patience = Duration.seconds(30)
    /// Bytes of an answer that may wait for its reader. Of a stream, lines of progress are left out beyond it.
    package var waiting = 256 << 10
    /// Open connections; further ones are closed at once. Each reader of events has one.
    package var connections = 1_024
    /// Between the comments of a stream of events.
    package var heartbeat = Duration.seconds(15)

    package init() {}

    /// For strangers: the largest pushes of git hosts, from few at once.
    package static let webhooks: ServerLimits = {
        var limits = ServerLimits()
        limits.body = 3 << 20
        limits.patience = .seconds(10)
        limits.connections = 64
        return limits
    }()
}
