/// How a scrape is written.
package enum MetricsFormat: Sendable, CaseIterable {
    /// Prometheus' text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.0.
    case openMetrics

    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that a client prefers (RFC 9110 section 12.5.1). Who asks for neither gets the older one.
    ///
    /// - Parameter accept: the values of all `Accept` lines.
    package init(accept: [String]) {
        var best: [MetricsFormat: Double] = [:]
        for range in accept.joined(separator: ",").split(separator: ",") {
            var parts = range.split(separator: ";").map { part in
                part.filter { !$0.isWhitespace && $0 != "\"" }.lowercased()
            }
            guard !parts.isEmpty else { continue }
            let type = parts.removeFirst()
            let quality = parts.last { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            let version = parts.last { $0.hasPrefix("version=") }.map { String($0.dropFirst("version=".count)) }
            let format: MetricsFormat
            switch (type, version) {
            case ("application/openmetrics-text", nil), ("application/openmetrics-text", "1.0.0"): format = .openMetrics
            case ("text/plain", nil), ("text/plain", "0.0.4"), ("text/*", _), ("*/*", _): format = .prometheus
            default: continue
            }
            best[format] = max(best[format] ?? 0, quality)
        }
        let (open, plain) = (best[.openMetrics] ?? 0, best[.prometheus] ?? 0)
        self = open > 0 && open >= plain ? .openMetrics : .prometheus
    }
}
