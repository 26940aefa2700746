import Synchronization
import Text

/// Takes down what a build says and does. All of it returns at once: nothing waits for the disk.
package final class BuildRecorder: Sendable {
    package let id: BuildID
    private let state: Mutex<BuildRecord>
    /// `nil` where the log cannot be written: the build goes on without.
    let log: LogWriter?
    private let events: BuildEvents?

    init(_ record: BuildRecord, log: LogWriter?, events: BuildEvents? = nil) {
        id = record.id
        self.events = events
        state = Mutex(record)
        self.log = log
    }

    /// As it stands now.
    package var record: BuildRecord { state.withLock { $0 } }

    /// Appends a line to the log, with its colours; events have it without.
    package func say(_ line: String) {
        log?.append(line)
        events?.said(line.withoutEscapes, record)
    }

    /// Notes a step, or what became of it: there is one of each stage and index.
    package func note(_ step: BuildRecord.Step) {
        var step = step
        step.text = BoundedText.ends(of: step.text, limit: 2_000)
        let build = state.withLock { record in
            if let index = record.steps.lastIndex(where: { $0.stage == step.stage && $0.index == step.index }) {
                record.steps[index] = step
            } else if record.steps.count < BuildRecord.listLimit {
                record.steps.append(step)
            }
            return record
        }
        events?.stepped(step, build)
    }

    package func note(_ layer: CycleReport.Layer) {
        var layer = layer
        layer.createdBy = layer.createdBy.map { BoundedText.ends(of: $0, limit: 2_000) }
        state.withLock { record in
            if record.layers.count < BuildRecord.listLimit { record.layers.append(layer) }
        }
    }

    package func note(_ facts: BuildRecord.ImageFacts) { state.withLock { $0.facts = facts } }

    /// What turned out only when the build was planned.
    package func set(contentKey: String, names: [String]) {
        state.withLock { record in
            record.description.contentKey = contentKey
            record.description.names = Array(names.prefix(100))
        }
    }

    func change(_ body: (inout BuildRecord) -> Void) -> BuildRecord {
        state.withLock { record in
            body(&record)
            return record
        }
    }
}
