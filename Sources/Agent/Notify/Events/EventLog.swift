import Cluster
import Logging
import Synchronization

/// Logs what goes wrong with Events: each missing right once, and an outage of the API server once until it is over.
final class EventLog: Sendable {
    private struct State {
        var missing: Set<ClusterRight> = []
        var isDown = false
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(_ logger: Logger) { self.logger = logger }

    /// - Parameter verb: of RBAC: what the agent tried to do with the resource, as in `ClusterRight.all`.
    func failed(_ error: ClusterError, _ verb: String, _ resource: String, in namespace: String) {
        let right = ClusterRight.all.first { $0.feature == .events && $0.verb == verb && $0.resource == resource }
        guard error.code == .forbidden, let right else {
            let isNew = state.withLock { state in
                defer { state.isDown = true }
                return !state.isDown
            }
            if isNew { logger.warning("an Event was not written", metadata: ["error": "\(error)"]) }
            return
        }
        guard state.withLock({ $0.missing.insert(right).inserted }) else { return }
        let effect =
            switch verb {
            case "create": "Events are not written"
            case "patch": "repeated Events are not counted"
            default: "Events are not on the Deployment"
            }
        logger.warning(
            "\(effect): a right is missing",
            metadata: [
                "right": "\(right.shown) in \(namespace)", "error": "\(error.cause ?? error.summary)",
                "hint":
                    "grant it by a Role (the chart's \(ClusterFeature.events.chartValue)), or set cluster.events: false",
            ])
    }

    func succeeded() { state.withLock { $0.isDown = false } }

    func leftOut(_ count: Int) {
        logger.debug("Events were left out: there are too many", metadata: ["count": "\(count)"])
    }
}
