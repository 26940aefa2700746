import Synchronization

/// Holds the values of a closed set of metrics.
///
/// A client library would bring its own threads, registries and naming; this is a table of numbers.
package final class MetricRegistry: Sendable {
    struct Table: Sendable {
        let family: MetricFamily
        var values: [LabelSet: Double] = [:]
        var histograms: [LabelSet: Histogram] = [:]

        var isFull: Bool { values.count + histograms.count >= MetricRegistry.seriesLimit }

        mutating func remove(where isGone: (LabelSet) -> Bool) {
            values = values.filter { !isGone($0.key) }
            histograms = histograms.filter { !isGone($0.key) }
        }
    }

    /// Series of one family: a last line of defence, since every label that a stranger can choose has a bound of its own.
    static let seriesLimit = 20_000

    private let tables: Mutex<[String: Table]>

    package init(_ families: [MetricFamily]) {
        tables = Mutex(
            Dictionary(families.map { ($0.name, Table(family: $0)) }, uniquingKeysWith: { first, _ in first }))
    }

    /// Adds to a counter. Amounts below zero are ignored.
    package func add(_ amount: Double, to name: String, _ labels: LabelSet) {
        guard amount >= 0 else { return }
        tables.withLock { tables in
            guard tables[name]?.values[labels] != nil || tables[name]?.isFull == false else { return }
            tables[name]?.values[labels, default: 0] += amount
        }
    }

    /// - Parameter value: of a gauge; `nil` removes the series.
    package func set(_ value: Double?, of name: String, _ labels: LabelSet) {
        tables.withLock { tables in
            guard value == nil || tables[name]?.values[labels] != nil || tables[name]?.isFull == false else { return }
            tables[name]?.values[labels] = value
        }
    }

    /// Takes an observation into a histogram.
    package func observe(_ value: Double, in name: String, _ labels: LabelSet) {
        tables.withLock { tables in
            guard let table = tables[name], case .histogram(let bounds) = table.family.kind else { return }
            guard table.histograms[labels] != nil || !table.isFull else { return }
            tables[name]?.histograms[labels, default: Histogram(bounds: bounds)].observe(value)
        }
    }

    /// Replaces all series of a family whose first label has a value.
    package func replace(
        _ name: String, with values: [(labels: LabelSet, value: Double)], where label: String, is value: String
    ) {
        tables.withLock { tables in
            tables[name]?.remove { $0.begins(with: label, value) }
            for (labels, value) in values where tables[name]?.isFull == false { tables[name]?.values[labels] = value }
        }
    }

    /// Removes the series of every family whose first label has a value.
    package func forget(_ label: String, _ value: String) {
        tables.withLock { tables in
            for name in tables.keys { tables[name]?.remove { $0.begins(with: label, value) } }
        }
    }

    /// The families that have values, ordered by name.
    var snapshot: [Table] {
        tables.withLock { tables in
            tables.values.filter { !$0.values.isEmpty || !$0.histograms.isEmpty }
        }.sorted { $0.family.name < $1.family.name }
    }
}
