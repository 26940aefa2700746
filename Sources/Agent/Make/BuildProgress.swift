package import Builder
import Synchronization
import Text

/// Turns the builder's events into plain lines: steps with their numbers and times, a RUN step's output below its step.
package final class BuildProgress: Sendable {
    /// What a stage is doing.
    private struct Work {
        var step = ""
        var isOpen = false
        var line: TerminalLine
    }

    private struct State {
        var works: [String: Work] = [:]
        /// The stage whose step was named last.
        var current = ""
        var open = 0
    }

    private let state = Mutex(State())
    private let keepsColours: Bool
    /// Takes a line that is printable as it is.
    private let put: @Sendable (String) -> Void

    /// - Parameter keepsColours: of what steps print, for a terminal.
    package init(keepsColours: Bool = false, say: @escaping @Sendable (String) -> Void) {
        self.keepsColours = keepsColours
        put = say
    }

    /// Instructions, names and notes may hold anything.
    private func say(_ line: String) { put(BoundedText.printable(line)) }

    private var idle: Work { Work(line: TerminalLine(keepsColours: keepsColours, limit: Self.lineLimit)) }

    /// The longest line of output that is shown as one.
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
                state.works[stage, default: idle].step = step
                state.works[stage]?.line = idle.line
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
            let isSaid = duration >= .milliseconds(100)
            let step = state.withLock { state -> String in
                if state.works[stage]?.isOpen == true {
                    state.works[stage]?.isOpen = false
                    state.open -= 1
                }
                // Its end names it as well, where it is said: a reader goes by what was named last.
                if isSaid { state.current = stage }
                return state.works[stage]?.step ?? ""
            }
            if isSaid { say("  \(step) took \(Self.seconds(duration)) s") }
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
        let lines = state.withLock { state in state.works[stage, default: idle].line.take(bytes) }
        put(lines, of: stage)
    }

    /// Shows what a step printed last without ending the line.
    private func flush(_ stage: String) {
        let rest = state.withLock { state -> [String] in
            guard let line = state.works[stage]?.line, !line.isEmpty else { return [] }
            return [state.works[stage]?.line.end()].compactMap { $0 }
        }
        put(rest, of: stage)
    }

    private func put(_ lines: [String], of stage: String) {
        guard !lines.isEmpty else { return }
        let label = BoundedText.printable(label(stage))
        for line in lines { put("    \(label)| \(line)") }
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
