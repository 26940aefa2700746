/// Writes a registry's values for a scrape.
///
/// Prometheus, "Exposition formats"; OpenMetrics 1.0.0, section 4.
struct Exposition {
    let format: MetricsFormat
    /// Seconds since 1970.
    let now: Double
    private var text = ""

    init(_ format: MetricsFormat, now: Double) {
        self.format = format
        self.now = now
    }

    static func text(_ tables: [MetricRegistry.Table], as format: MetricsFormat, now: Double) -> String {
        var exposition = Exposition(format, now: now)
        for table in tables { exposition.write(table) }
        if format == .openMetrics { exposition.text += "# EOF\n" }
        return exposition.text
    }

    private mutating func write(_ table: MetricRegistry.Table) {
        let family = table.family
        head(of: family)
        for (labels, value) in table.values.sorted(by: { $0.key < $1.key }) {
            sample(family.name, labels.text, Self.number(family.kind == .age ? max(0, now - value) : value))
        }
        for (labels, histogram) in table.histograms.sorted(by: { $0.key < $1.key }) {
            var count: UInt64 = 0
            for (bound, more) in zip(histogram.bounds.map(Self.number) + ["+Inf"], histogram.counts) {
                count += more
                sample(family.name + "_bucket", labels.adding("le", bound), "\(count)")
            }
            sample(family.name + "_sum", labels.text, Self.number(histogram.sum))
            sample(family.name + "_count", labels.text, "\(count)")
        }
    }

    private mutating func head(of family: MetricFamily) {
        var (name, type) = (family.name, family.kind.prometheusType)
        if format == .openMetrics {
            name = family.openMetricsName
            if family.kind == .info { type = "info" }
        }
        text += "# HELP \(name) \(escaped(family.help))\n# TYPE \(name) \(type)\n"
        if format == .openMetrics, let unit = family.unit { text += "# UNIT \(name) \(unit)\n" }
    }

    private mutating func sample(_ name: String, _ labels: String, _ value: String) {
        text += name
        if !labels.isEmpty { text += "{" + labels + "}" }
        text += " " + value + "\n"
    }

    private func escaped(_ help: String) -> String {
        var escaped = ""
        for character in help {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where format == .openMetrics: escaped += "\\\""
            default: escaped.append(character)
            }
        }
        return escaped
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return "\(value)"
    }
}

extension MetricRegistry {
    /// The whole page.
    ///
    /// - Parameter now: seconds since 1970, for what is shown as an age.
    package func text(as format: MetricsFormat, now: Double) -> String {
        Exposition.text(snapshot, as: format, now: now)
    }
}
