import ArgumentParser
import Builder
import YAML

/// What `slipway build` says of RUN steps: their limits.
struct StepOptions: ParsableArguments {
    @Option(
        name: .customLong("step-timeout"),
        help: ArgumentHelp("How long one RUN step may take, such as 90s, 10m or 1h30m.", valueName: "duration"))
    var stepTimeout: String?

    @Option(
        name: .customLong("log-limit"),
        help: ArgumentHelp(
            "How much one RUN step may print, such as 500k or 10m; what comes after is dropped. 64m by default.",
            valueName: "size"))
    var logLimit: String?

    mutating func validate() throws {
        if let stepTimeout, DurationText.parse(stepTimeout) == nil {
            throw ValidationError("--step-timeout '\(stepTimeout)' is no duration: write it as 90s, 10m or 1h30m")
        }
        if let logLimit, Self.size(logLimit) == nil {
            throw ValidationError("--log-limit '\(logLimit)' is no size: write it as 2000000, 500k or 10m")
        }
    }

    func apply(to request: inout BuildRequest) {
        if let stepTimeout { request.stepTimeout = DurationText.parse(stepTimeout) }
        if let limit = logLimit.flatMap(Self.size) { request.stepOutputLimit = limit }
    }

    // MARK: Numbers

    /// Bytes, with `k`, `m` or `g` for powers of 1024.
    static func size(_ text: String) -> Int? {
        let shifts: [Character: Int] = ["k": 10, "m": 20, "g": 30]
        let shift = text.last.flatMap { shifts[Character($0.lowercased())] }
        guard let value = Int(shift == nil ? text : String(text.dropLast())), value > 0,
            value <= Int.max >> (shift ?? 0)
        else { return nil }
        return value << (shift ?? 0)
    }
}
