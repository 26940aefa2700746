/// What a metric is: its name, its kind, and what it means.
///
/// Names follow Prometheus' conventions: base units as a suffix, `_total` for counters, `_info` for information.
package struct MetricFamily: Sendable {
    package enum Kind: Sendable, Equatable {
        /// Only grows while the process lives.
        case counter
        case gauge
        /// A gauge that is always 1; its labels are what it says.
        case info
        /// Counts observations in buckets.
        ///
        /// - Parameter buckets: upper bounds in ascending order, without infinity.
        case histogram(buckets: [Double])
        /// A gauge that is set to a time, in seconds since 1970, and shown as the seconds that passed since.
        case age

        /// The type in the text format 0.0.4.
        package var prometheusType: String {
            switch self {
            case .counter: "counter"
            case .gauge, .info, .age: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    package let name: String
    package let kind: Kind
    /// The names of the labels that a series may have.
    package let labels: [String]
    package let help: String
    /// The family that replaces this one, which the next version drops.
    package let replacement: String?

    package init(
        _ name: String, _ kind: Kind, labels: [String] = [], help: String, replacedBy replacement: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.help = help
        self.replacement = replacement
    }

    /// The unit, as OpenMetrics declares it; `nil` for plain numbers.
    var unit: String? {
        ["seconds", "bytes"].first { openMetricsName.hasSuffix("_" + $0) }
    }

    /// The family's name in OpenMetrics, where only samples have the suffixes.
    var openMetricsName: String {
        switch kind {
        case .counter where name.hasSuffix("_total"): String(name.dropLast("_total".count))
        case .info where name.hasSuffix("_info"): String(name.dropLast("_info".count))
        default: name
        }
    }
}
