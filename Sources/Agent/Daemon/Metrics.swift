import Synchronization

/// Counters and gauges in Prometheus' text format.
///
/// Names and label values are the agent's own, of a small closed set: no client library is worth its weight here.
package final class Metrics: Sendable {
    private struct Family {
        let help: String
        let type: String
        var values: [String: Double] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    package init() {
        declare("slipway_cycles_total", "counter", "Reconcile cycles, by repository and result.")
        declare("slipway_cycle_seconds_sum", "counter", "Time spent in cycles, by repository.")
        declare("slipway_phase_seconds_total", "counter", "Time spent in each phase of the cycles, by phase.")
        declare("slipway_images_built_total", "counter", "Images built and pushed, by repository.")
        declare("slipway_updates_total", "counter", "Image references rewritten, by repository.")
        declare("slipway_commits_total", "counter", "Commits pushed, by repository.")
        declare("slipway_failures_total", "counter", "Failures, by repository and phase.")
        declare("slipway_reloads_total", "counter", "Reloads of the configuration, by result.")
        declare(
            "slipway_webhook_requests_total", "counter",
            "Requests to webhook receivers, by receiver and result: accepted, ignored, repeated, refused, limited, unavailable."
        )
        declare("slipway_webhook_cycles_total", "counter", "Cycles that webhooks began.")
        declare(
            "slipway_webhook_latency_seconds_total", "counter",
            "Time from the arrival of a webhook to the end of the cycle that it began.")
        declare(
            "slipway_notifications_total", "counter",
            "Notifications, by channel and outcome: delivered, retried, failed, dropped.")
        declare("slipway_repository_up", "gauge", "Whether the last cycle of a repository had no failure.")
        declare("slipway_last_success_timestamp_seconds", "gauge", "End of the last cycle without failure.")
        declare(
            "slipway_repository_failing_since_timestamp_seconds", "gauge",
            "Since when every cycle of a repository fails in the same way; missing where none does.")
    }

    private func declare(_ name: String, _ type: String, _ help: String) {
        families.withLock { $0[name] = Family(help: help, type: type) }
    }

    package func add(_ name: String, _ amount: Double = 1, _ labels: [(String, String)] = []) {
        families.withLock { $0[name]?.values[Self.render(labels), default: 0] += amount }
    }

    /// - Parameter value: `nil` takes it away.
    package func set(_ name: String, _ value: Double?, _ labels: [(String, String)] = []) {
        families.withLock { $0[name]?.values[Self.render(labels)] = value }
    }

    /// The last cycle without failure ended.
    ///
    /// - Parameter now: in seconds since 1970.
    func succeeded(_ repository: String, at now: Double) {
        set("slipway_last_success_timestamp_seconds", now, [("repository", repository)])
    }

    /// How a repository is doing now.
    package func record(_ status: RepositoryStatus) {
        let isUp = status.state != .failing && status.state != .stalled && status.state != .starting
        let repository = [("repository", status.repository)]
        set("slipway_repository_up", isUp ? 1 : 0, repository)
        set("slipway_repository_failing_since_timestamp_seconds", status.failingSince.map { Double($0) }, repository)
    }

    /// A cycle ended that a webhook began.
    func recordHinted(seconds: Double) {
        add("slipway_webhook_cycles_total")
        add("slipway_webhook_latency_seconds_total", seconds)
    }

    /// A build ended.
    package func record(_ build: BuildEnd) {
        let repository = ("repository", build.key.repository)
        for step in build.steps { add("slipway_phase_seconds_total", step.seconds, [("phase", step.phase.rawValue)]) }
        switch build.result {
        case .success: add("slipway_images_built_total", 1, [repository])
        case .failure(let error):
            guard error.remembered != nil else { return }
            add("slipway_failures_total", 1, [repository, ("phase", error.phase.rawValue)])
        }
    }

    /// Drops what is told of a repository that is not watched any more: its last value would stand for ever.
    package func forget(repository: String) {
        let label = Self.pair("repository", repository)
        families.withLock { families in
            families = families.mapValues { family in
                var family = family
                family.values = family.values.filter { labels, _ in
                    labels != "{\(label)}" && !labels.hasPrefix("{\(label),")
                }
                return family
            }
        }
    }

    package func record(_ report: CycleReport, seconds: Double, now: Double) {
        let repository = ("repository", report.repository)
        add("slipway_cycles_total", 1, [repository, ("result", report.failures.isEmpty ? "success" : "failure")])
        add("slipway_cycle_seconds_sum", seconds, [repository])
        for step in report.steps { add("slipway_phase_seconds_total", step.seconds, [("phase", step.phase.rawValue)]) }
        add("slipway_updates_total", report.commit == nil ? 0 : Double(report.updates.count), [repository])
        add("slipway_commits_total", report.commit == nil ? 0 : 1, [repository])
        // Builds are counted when they end, once each, whoever waited for them.
        for failure in report.failures where failure.attempts == nil {
            add("slipway_failures_total", 1, [repository, ("phase", failure.phase.rawValue)])
        }
        if report.failures.isEmpty { succeeded(report.repository, at: now) }
    }

    /// The whole page (`text/plain; version=0.0.4`).
    package var text: String {
        families.withLock { families in
            var text = ""
            for (name, family) in families.sorted(by: { $0.key < $1.key }) {
                text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.type)\n"
                for (labels, value) in family.values.sorted(by: { $0.key < $1.key }) {
                    text += "\(name)\(labels) \(value)\n"
                }
            }
            return text
        }
    }

    private static func render(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map(pair).joined(separator: ",") + "}"
    }

    private static func pair(_ name: String, _ value: String) -> String {
        var escaped = ""
        for character in value {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return "\(name)=\"\(escaped)\""
    }
}
