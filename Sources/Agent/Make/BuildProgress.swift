package import Builder
import Synchronization

/// Turns the builder's events into plain lines: steps with their numbers and times, a RUN step's output below its step.
package final class BuildProgress: Sendable {
    /// What a stage is doing.
    private struct Work {
        var step = ""
        var isOpen = false
        var partial: [UInt8] = []
    }

    private struct State {
        var works: [String: Work] = [:]
        /// The stage whose step was named last.
        var current = ""
        var open = 0
    }

    private let state = Mutex(State())
    private let say: @Sendable (String) -> Void

    package init(say: @escaping @Sendable (String) -> Void) { self.say = { say(BoundedText.printable($0)) } }

    /// The longest line of output that is shown whole.
    private static let lineLimit = 2_000

    package func handle(_ event: BuildEvent) { handle(event, in: "") }

    private func handle(_ event: BuildEvent, in stage: String) {
        switch event {
        case .inStage(let name, let inner): handle(inner, in: name)
        case .stepStarted(let name, let index, let count, let text, _):
            let line = text.split(separator: "\n", omittingEmptySubsequences: false)
            let shown = line.count > 1 ? "\(line[0]) …" : text
            let step = name.isEmpty ? "[\(index)/\(count)]" : "[\(name) \(index)/\(count)]"
            state.withLock { state in
                state.works[stage, default: Work()].step = step
                if state.works[stage]?.isOpen == false {
                    state.works[stage]?.isOpen = true
                    state.open += 1
                }
                state.current = stage
            }
            say("  \(step) \(shown.prefix(200))")
        case .stepOutput(_, let bytes): output(bytes, of: stage)
        case .stepFinished(let duration):
            flush(stage)
            let step = state.withLock { state -> String in
                if state.works[stage]?.isOpen == true {
                    state.works[stage]?.isOpen = false
                    state.open -= 1
                }
                // Its end names it as well.
                state.current = stage
                return state.works[stage]?.step ?? ""
            }
            if duration >= .milliseconds(100) { say("  \(step) took \(Self.seconds(duration)) s") }
        case .stepCached(let digest, let size): say("    \(label(stage))cached \(digest) (\(Self.size(size)))")
        case .stepExplained(let reason): say("    \(label(stage))not cached: \(reason)")
        case .basePulled(let name, let digest, let bytes): say("  base \(name) \(digest) (\(Self.size(bytes)))")
        case .layerWritten(let digest, let size): say("    \(label(stage))layer \(digest) (\(Self.size(size)))")
        case .blobPushed(let digest, let size, let outcome, _):
            say("  \(outcome.rawValue) \(digest) (\(Self.size(size)))")
        // Lines stay: they tell what is complete.
        case .transfer: break
        case .manifestPushed(let digest, let location): say("  pushed \(location) \(digest)")
        case .note(let text): say("  note: \(text)")
        }
    }

    /// The step's name, where a line could be taken for another's: several steps are under way, or another was named since.
    private func label(_ stage: String) -> String {
        state.withLock { state in
            guard state.open > 1 || state.current != stage, let work = state.works[stage] else { return "" }
            return work.step + " "
        }
    }

    /// Output comes in pieces of any size; it is shown by lines.
    private func output(_ bytes: [UInt8], of stage: String) {
        let lines = state.withLock { state -> [String] in
            var partial = state.works[stage]?.partial ?? []
            partial += bytes
            var lines: [String] = []
            var start = partial.startIndex
            while let end = partial[start...].firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(Self.text(partial[start..<end]))
                start = end + 1
            }
            partial.removeSubrange(..<start)
            if partial.count > Self.lineLimit {
                lines.append(Self.text(partial[...]))
                partial.removeAll()
            }
            state.works[stage, default: Work()].partial = partial
            return lines
        }
        let label = lines.isEmpty ? "" : label(stage)
        for line in lines { say("    \(label)| \(line)") }
    }

    private func flush(_ stage: String) {
        let rest = state.withLock { state -> [UInt8] in
            defer { state.works[stage]?.partial.removeAll() }
            return state.works[stage]?.partial ?? []
        }
        if !rest.isEmpty { say("    \(label(stage))| \(Self.text(rest[...]))") }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        BoundedText.line(String(decoding: bytes, as: UTF8.self), limit: lineLimit)
    }

    package static func size(_ bytes: Int64) -> String {
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
