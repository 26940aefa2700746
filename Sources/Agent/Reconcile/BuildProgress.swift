import Builder
import Synchronization

/// Turns the builder's events into plain lines: steps with their numbers and times, a RUN step's output below its step.
final class BuildProgress: Sendable {
    private struct State {
        var step = ""
        var partial: [UInt8] = []
    }

    private let state = Mutex(State())
    private let say: @Sendable (String) -> Void

    init(say: @escaping @Sendable (String) -> Void) { self.say = say }

    /// The longest line of output that is shown whole.
    private static let lineLimit = 2_000

    func handle(_ event: BuildEvent) {
        switch event {
        case .stepStarted(let stage, let index, let count, let text, _):
            let line = text.split(separator: "\n", omittingEmptySubsequences: false)
            let shown = line.count > 1 ? "\(line[0]) …" : text
            let step = stage.isEmpty ? "[\(index)/\(count)]" : "[\(stage) \(index)/\(count)]"
            state.withLock { $0.step = step }
            say("  \(step) \(shown.prefix(200))")
        case .stepOutput(_, let bytes): output(bytes)
        case .stepFinished(let duration):
            flush()
            if duration >= .milliseconds(100) {
                say("  \(state.withLock(\.step)) took \(Self.seconds(duration)) s")
            }
        case .stepCached(let digest, let size): say("    cached \(digest) (\(Self.size(size)))")
        case .basePulled(let name, let digest, let bytes): say("  base \(name) \(digest) (\(Self.size(bytes)))")
        case .layerWritten(let digest, let size): say("    layer \(digest) (\(Self.size(size)))")
        case .blobPushed(let digest, let size, let outcome, _):
            say("  \(outcome.rawValue) \(digest) (\(Self.size(size)))")
        case .manifestPushed(let digest, let location): say("  pushed \(location) \(digest)")
        case .note(let text): say("  note: \(text)")
        }
    }

    /// Output comes in pieces of any size; it is shown by lines.
    private func output(_ bytes: [UInt8]) {
        let lines = state.withLock { state -> [String] in
            state.partial += bytes
            var lines: [String] = []
            while let end = state.partial.firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(Self.printable(state.partial[..<end]))
                state.partial.removeSubrange(...end)
            }
            if state.partial.count > Self.lineLimit {
                lines.append(Self.printable(state.partial[...]))
                state.partial.removeAll()
            }
            return lines
        }
        for line in lines { say("    | \(line)") }
    }

    private func flush() {
        let rest = state.withLock { state -> [UInt8] in
            defer { state.partial.removeAll() }
            return state.partial
        }
        if !rest.isEmpty { say("    | \(Self.printable(rest[...]))") }
    }

    /// A step's output may hold anything; terminals are not to be steered by it.
    private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes.prefix(lineLimit), as: UTF8.self)
        return String(
            text.unicodeScalars.map { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7f ? "\u{FFFD}" : Character($0) })
    }

    static func size(_ bytes: Int64) -> String {
        switch bytes {
        case ..<1_000: "\(bytes) B"
        case ..<1_000_000: "\(tenths(bytes, 1_000)) kB"
        case ..<1_000_000_000: "\(tenths(bytes, 1_000_000)) MB"
        default: "\(tenths(bytes, 1_000_000_000)) GB"
        }
    }

    private static func tenths(_ bytes: Int64, _ unit: Int64) -> String {
        let tenths = bytes / (unit / 10)
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static func seconds(_ duration: Duration) -> String {
        let tenths = Int(duration.seconds * 10)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
