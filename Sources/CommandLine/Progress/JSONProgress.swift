import Agent
import Builder
import OCI
import Synchronization

/// One JSON object a line for each thing that happens.
final class JSONProgress: Sendable {
    private let write: @Sendable (String) -> Void
    private let now: @Sendable () -> ContinuousClock.Instant
    /// When a blob on its way was told of last, or began.
    private let told = Mutex<[BlobTransfer.ID: ContinuousClock.Instant]>([:])

    init(
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }, write: @escaping @Sendable (String) -> Void
    ) {
        self.now = now
        self.write = write
    }

    private struct Line: Encodable {
        var time = BuildReporter.now
        var level = "info"
        let event: String
        var stage: String?
        var step: Int?
        var steps: Int?
        var text: String?
        var stream: String?
        var image: String?
        var digest: String?
        var bytes: Int64?
        var of: Int64?
        var direction: String?
        var outcome: String?
        var seconds: Double?

        init(_ event: String) { self.event = event }
    }

    func say(_ text: String) {
        var line = Line("message")
        line.text = text
        put(line)
    }

    func handle(_ event: BuildEvent) { handle(event, in: nil) }

    private func handle(_ event: BuildEvent, in stage: String?) {
        if case .inStage(let name, let inner) = event { return handle(inner, in: name) }
        if case .transfer(let transfer) = event, !isDue(transfer) { return }
        var line = Self.line(event)
        line.stage = stage
        put(line)
    }

    /// Once a second for each blob, and never for one that takes less: what is complete has lines of its own.
    private func isDue(_ transfer: BlobTransfer) -> Bool {
        guard transfer.state == .underWay else { return false }
        return told.withLock { told in
            let time = now()
            guard let last = told[transfer.id] else {
                told[transfer.id] = time
                return false
            }
            guard time - last >= .seconds(1) else { return false }
            told[transfer.id] = time
            return true
        }
    }

    private static func line(_ event: BuildEvent) -> Line {
        func line(_ name: String, _ digest: Digest? = nil, _ bytes: Int64? = nil, image: String? = nil) -> Line {
            var line = Line(name)
            line.digest = digest.map { "\($0)" }
            line.bytes = bytes
            line.image = image
            return line
        }
        var result: Line
        switch event {
        case .inStage(_, let inner): return self.line(inner)
        case .stepStarted(_, let index, let count, let text, _):
            result = line("step")
            result.step = index
            result.steps = count
            result.text = text
        case .stepOutput(let stream, let bytes):
            result = line("output")
            result.stream = stream == .stdout ? "stdout" : "stderr"
            result.text = String(decoding: bytes, as: UTF8.self)
        case .stepCached(let digest, let size): result = line("cached", digest, size)
        case .stepExplained(let text):
            result = line("explained")
            result.text = text
        case .stepFinished(let duration):
            result = line("finished")
            result.seconds = (duration.seconds * 1000).rounded() / 1000
        case .basePulled(let name, let digest, let bytes): result = line("base", digest, bytes, image: name)
        case .layerWritten(let digest, let size): result = line("layer", digest, size)
        case .blobPushed(let digest, let size, let outcome, let location):
            result = line("blob", digest, size, image: "\(location)")
            result.outcome = outcome.rawValue
        case .transfer(let transfer):
            result = line("transfer", transfer.id.digest, transfer.bytes, image: "\(transfer.id.repository)")
            result.of = transfer.total
            result.direction = transfer.id.direction.rawValue
        case .manifestPushed(let digest, let location): result = line("pushed", digest, image: "\(location)")
        case .note(let text):
            result = line("note")
            result.level = "warning"
            result.text = text
        }
        return result
    }

    private func put(_ line: Line) {
        if let bytes = try? CanonicalJSON.encode(line) { write(String(decoding: bytes, as: UTF8.self)) }
    }
}
