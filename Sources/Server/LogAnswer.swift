import Agent
import NIOHTTP1

/// Answers for a build's log: by lines from a byte on, or the whole text, of which a client may take a range.
struct LogAnswer: Sendable {
    let control: any AgentControl
    let build: BuildID

    /// A log is a few megabytes at most; more than that is asked for in pieces.
    static let limit = 16 << 20

    func send(_ request: ServerRequest, _ response: Response) async throws(ControlError) {
        if request.query["from"] != nil {
            let start = try request.number("from", in: 0...(1 << 40), otherwise: 0)
            let part = try await control.log(of: build, from: start)
            response.send(
                .ok, type: Response.plain, part.text,
                extra: [("Slipway-Log-End", "\(part.end)"), ("Slipway-Log-More", "\(part.hasMore)")])
            return
        }
        let (text, hasMore) = try await Self.whole(control, build)
        let extra = [
            ("Accept-Ranges", "bytes"), ("Slipway-Log-End", "\(text.count)"), ("Slipway-Log-More", "\(hasMore)"),
        ]
        // A range that depends on a validator (If-Range) is not one: a log that grows has none.
        let range = request.headers.contains(name: "If-Range") ? nil : request.headers.first(name: "Range")
        guard request.method == .GET, let range = range.flatMap(ByteRange.init) else {
            return response.send(.ok, type: Response.plain, text, extra: extra)
        }
        let bounds: Range<Int>
        do throws(ControlError) { bounds = try range.bounds(of: text.count) } catch {
            return response.fail(error, extra: [("Content-Range", "bytes */\(text.count)")])
        }
        let length = hasMore ? "*" : "\(text.count)"
        response.send(
            .partialContent, type: Response.plain, Array(text[bounds]),
            extra: extra + [("Content-Range", "bytes \(bounds.lowerBound)-\(bounds.upperBound - 1)/\(length)")])
    }

    /// - Returns: all lines that are there, and whether more may be or come.
    static func whole(
        _ control: any AgentControl, _ build: BuildID
    ) async throws(ControlError) -> (text: [UInt8], hasMore: Bool) {
        var text: [UInt8] = []
        while text.count < limit {
            let part = try await control.log(of: build, from: text.count)
            text += part.text
            if part.text.isEmpty || !part.hasMore { return (text, part.hasMore) }
        }
        return (text, true)
    }
}
