package import Telemetry

/// The agent's metrics. ``MetricTable`` has their names and meanings.
///
/// Counters begin at zero with each process and never go backward in it.
package final class Metrics: Sendable {
    private let registry = MetricRegistry(MetricTable.families)
    private let clock: any AgentClock

    package init(clock: any AgentClock = SystemClock()) {
        self.clock = clock
        registry.set(1, of: "slipway_build_info", LabelSet([("version", Version.number)]))
        // Who has no replicas leads.
        set("slipway_leader", 1)
        set("process_start_time_seconds", Double(clock.now))
        // An increase is seen only from a value that was there before.
        for result in ["success", "failure"] { add("slipway_reloads_total", 0, [("result", result)]) }
        add("slipway_leader_changes_total", 0)
        for result in ["delivered", "dropped"] { add("slipway_webhooks_handed_over_total", 0, [("result", result)]) }
        for result in SpanExporter.Outcome.allCases {
            add("slipway_trace_spans_total", 0, [("result", result.rawValue)])
        }
    }

    /// Adds to a counter of the table.
    package func add(_ name: String, _ amount: Double = 1, _ labels: [(String, String)] = []) {
        registry.add(amount, to: name, LabelSet(labels.map { (name: $0.0, value: $0.1) }))
    }

    /// Sets a gauge of the table.
    ///
    /// - Parameter value: `nil` removes the series.
    package func set(_ name: String, _ value: Double?, _ labels: [(String, String)] = []) {
        registry.set(value, of: name, LabelSet(labels.map { (name: $0.0, value: $0.1) }))
    }

    /// Takes an observation into a histogram of the table.
    package func observe(_ name: String, _ value: Double, _ labels: [(String, String)] = []) {
        registry.observe(value, in: name, LabelSet(labels.map { (name: $0.0, value: $0.1) }))
    }

    /// Replaces all series of a gauge that a repository has.
    ///
    /// - Parameter values: each with its labels beside `repository`.
    func replace(_ name: String, of repository: String, with values: [(labels: [(String, String)], value: Double)]) {
        let series = values.map { labels, value in
            (
                labels: LabelSet([(name: "repository", value: repository)] + labels.map { (name: $0.0, value: $0.1) }),
                value: value
            )
        }
        registry.replace(name, with: series, where: "repository", is: repository)
    }

    /// Drops the series of a repository that is not watched any more: they would keep their last value until the process ends.
    package func forget(repository: String) { registry.forget("repository", repository) }

    /// Everything, in the text format 0.0.4.
    package var text: String { text(as: .prometheus) }

    /// Everything, as a scrape gets it.
    package func text(as format: MetricsFormat) -> String {
        let process = ProcessReading()
        set("process_resident_memory_bytes", process.residentBytes)
        set("process_open_fds", process.openDescriptors.map { Double($0) })
        set("process_max_fds", process.descriptorLimit)
        set("process_cpu_seconds_total", process.cpuSeconds)
        return registry.text(as: format, now: Double(clock.now))
    }
}
