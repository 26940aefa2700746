package import HTTP
import Text

/// What the environment says of traces (OpenTelemetry specification, "Environment variables" and "OTLP exporter").
package struct TracingSettings: Sendable {
    package let endpoint: HTTPURL
    package var headers: [(name: String, value: String)] = []
    /// The attributes of this process.
    package var resource: [String: String] = [:]
    package var sampler = Sampler.parentBased(.alwaysOn)
    /// Seconds that one request may take.
    package var timeout = 10
    /// PEM files: certificates that are trusted, and what this client shows.
    package var trust = HTTPConfiguration.Trust()
    package var queueLimit = 2_048
    package var batchSize = 512
    /// How long spans wait for others.
    package var delay = Duration.seconds(5)

    /// - Parameters:
    ///   - environment: the variables of the process; empty ones count as unset.
    ///   - note: told what is ignored, without values that may be secret.
    /// - Returns: `nil` when no traces are asked for.
    package init?(_ environment: [String: String], note: (String) -> Void) {
        func value(_ name: String) -> String? {
            environment[name].map { $0.filter { !$0.isNewline } }.flatMap { $0.isEmpty ? nil : $0 }
        }
        func either(_ name: String) -> (name: String, value: String)? {
            for full in ["OTEL_EXPORTER_OTLP_TRACES_\(name)", "OTEL_EXPORTER_OTLP_\(name)"] {
                if let value = value(full) { return (full, value) }
            }
            return nil
        }
        func number(_ name: String, _ value: String?, in range: ClosedRange<Int>) -> Int? {
            guard let value else { return nil }
            guard let number = Int(value), range.contains(number) else {
                note("\(name) is ignored: it must be a number from \(range.lowerBound) to \(range.upperBound)")
                return nil
            }
            return number
        }

        if value("OTEL_SDK_DISABLED")?.lowercased() == "true" { return nil }
        guard let (name, address) = either("ENDPOINT") else { return nil }
        let exporters = (value("OTEL_TRACES_EXPORTER") ?? "otlp").split(separator: ",").map { String($0) }
        guard exporters.contains("otlp") else {
            if exporters != ["none"] { note("no traces are sent: OTEL_TRACES_EXPORTER must be otlp or none") }
            return nil
        }
        if let (name, text) = either("PROTOCOL"), text != "http/json" {
            if text == "grpc" {
                note(
                    "no traces are sent: \(name) is grpc, and Slipway speaks http/json only; name the collector's HTTP port"
                )
                return nil
            }
            note("\(name) is ignored: traces are sent as http/json")
        }
        guard let endpoint = Self.endpoint(address, isOfTraces: name.contains("TRACES")) else {
            note("no traces are sent: \(name) is not an http or https URL")
            return nil
        }
        self.endpoint = endpoint
        if let (name, text) = either("HEADERS") {
            guard let pairs = Self.pairs(text) else {
                note("no traces are sent: \(name) must be name=value,…, percent-encoded")
                return nil
            }
            headers = pairs
        }
        if let text = value("OTEL_RESOURCE_ATTRIBUTES") {
            // The specification wants all of them ignored when one is wrong.
            if let pairs = Self.pairs(text) {
                for pair in pairs { resource[pair.name] = pair.value }
            } else {
                note("OTEL_RESOURCE_ATTRIBUTES is ignored: it must be name=value,…, percent-encoded")
            }
        }
        resource["service.name"] = value("OTEL_SERVICE_NAME") ?? resource["service.name"] ?? "slipway"
        sampler = Self.sampler(value("OTEL_TRACES_SAMPLER"), value("OTEL_TRACES_SAMPLER_ARG"), note: note)
        if let (name, text) = either("TIMEOUT"), let milliseconds = number(name, text, in: 1...600_000) {
            timeout = (milliseconds + 999) / 1_000
        }
        trust.certificateBundle = either("CERTIFICATE")?.value
        trust.clientCertificate = either("CLIENT_CERTIFICATE")?.value
        trust.clientKey = either("CLIENT_KEY")?.value
        let queue = "OTEL_BSP_MAX_QUEUE_SIZE"
        queueLimit = number(queue, value(queue), in: 1...100_000) ?? queueLimit
        let batch = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
        batchSize = min(queueLimit, number(batch, value(batch), in: 1...10_000) ?? batchSize)
        let wait = "OTEL_BSP_SCHEDULE_DELAY"
        delay = number(wait, value(wait), in: 1...600_000).map { .milliseconds($0) } ?? delay
    }

    /// The base URL has a path of its own for each signal; that of the traces is taken as it is.
    private static func endpoint(_ text: String, isOfTraces: Bool) -> HTTPURL? {
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else { return nil }
        let path = isOfTraces ? "" : text.hasSuffix("/") ? "v1/traces" : "/v1/traces"
        return try? HTTPURL(text + path)
    }

    /// `name=value,…` as W3C Baggage writes it, with percent-encoded values; `nil` when it is wrong.
    private static func pairs(_ text: String) -> [(name: String, value: String)]? {
        var pairs: [(name: String, value: String)] = []
        for part in text.split(separator: ",") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = sides[0].filter { !$0.isWhitespace }
            guard sides.count == 2, !name.isEmpty,
                let value = PercentEncoding.decode(sides[1].drop(while: \.isWhitespace)),
                !value.contains(where: \.isNewline)
            else { return nil }
            pairs.append((name: name, value: value))
        }
        return pairs
    }

    private static func sampler(_ name: String?, _ argument: String?, note: (String) -> Void) -> Sampler {
        func ratio() -> Sampler {
            guard let argument else { return .traceIDRatio(1) }
            guard let share = Double(argument), (0...1).contains(share) else {
                note("OTEL_TRACES_SAMPLER_ARG is ignored: it must be a number from 0 to 1")
                return .traceIDRatio(1)
            }
            return .traceIDRatio(share)
        }
        switch name {
        case nil, "parentbased_always_on": return .parentBased(.alwaysOn)
        case "always_on": return .alwaysOn
        case "always_off": return .alwaysOff
        case "traceidratio": return ratio()
        case "parentbased_always_off": return .parentBased(.alwaysOff)
        case "parentbased_traceidratio": return .parentBased(ratio())
        default:
            note("OTEL_TRACES_SAMPLER is ignored: it names a sampler that Slipway does not have")
            return .parentBased(.alwaysOn)
        }
    }
}
