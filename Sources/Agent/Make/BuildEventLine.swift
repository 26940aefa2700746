package import Builder
import FoundationEssentials
import OCI
import Text

/// Something that happens in a build, as a line of JSON: `slipway build --progress json`. What is written can be read again, so that a
/// build elsewhere is shown like one of this process.
package struct BuildEventLine: Sendable, Codable, Equatable {
    package var time: String
    package var level = "info"
    package var event: String
    /// The stage that works.
    package var stage: String?
    /// The stage's name in the Dockerfile, which several stages at work are told apart by.
    package var name: String?
    package var step: Int?
    package var steps: Int?
    package var text: String?
    package var stream: String?
    package var image: String?
    package var digest: String?
    package var bytes: Int64?
    package var of: Int64?
    package var direction: String?
    package var outcome: String?
    package var seconds: Double?

    /// One line that is not an event of the builder's.
    package init(message: String, time: String) {
        event = "message"
        text = message
        self.time = time
    }

    /// - Returns: `nil` for a line of something else.
    package init?(_ line: [UInt8]) {
        guard line.first == UInt8(ascii: "{"),
            let read = try? JSONDecoder().decode(BuildEventLine.self, from: Data(line))
        else { return nil }
        self = read
    }

    package init(_ event: BuildEvent, time: String) {
        switch event {
        case .inStage(let stage, let inner):
            self.init(inner, time: time)
            self.stage = stage
        case .stepStarted(let name, let index, let count, let text, _):
            self.init("step", time, text: text)
            self.name = name.isEmpty ? nil : name
            step = index
            steps = count
        case .stepOutput(let stream, let bytes):
            self.init("output", time, text: String(decoding: bytes, as: UTF8.self))
            self.stream = stream == .stdout ? "stdout" : "stderr"
        case .stepCached(let digest, let size): self.init("cached", time, digest, size)
        case .stepExplained(let text): self.init("explained", time, text: text)
        case .stepFinished(let duration):
            self.init("finished", time)
            seconds = (duration.seconds * 1000).rounded() / 1000
        case .basePulled(let name, let digest, let bytes): self.init("base", time, digest, bytes, image: name)
        case .layerWritten(let digest, let size): self.init("layer", time, digest, size)
        case .blobPushed(let digest, let size, let outcome, let location):
            self.init("blob", time, digest, size, image: "\(location)")
            self.outcome = outcome.rawValue
        case .transfer(let transfer):
            self.init("transfer", time, transfer.id.digest, transfer.bytes, image: "\(transfer.id.repository)")
            of = transfer.total
            direction = transfer.id.direction.rawValue
        case .manifestPushed(let digest, let location):
            self.init("pushed", time, digest, image: "\(location)")
        case .note(let text):
            self.init("note", time, text: text)
            level = "warning"
        }
    }

    private init(
        _ event: String, _ time: String, _ digest: Digest? = nil, _ bytes: Int64? = nil, image: String? = nil,
        text: String? = nil
    ) {
        self.event = event
        self.time = time
        self.digest = digest.map { "\($0)" }
        self.bytes = bytes
        self.image = image
        self.text = text
    }

    /// What happened; `nil` for an unknown event, one that lacks something, and a transfer, which is nobody's news later.
    package var buildEvent: BuildEvent? {
        guard let inner = innerEvent else { return nil }
        return stage.map { .inStage($0, inner) } ?? inner
    }

    private var innerEvent: BuildEvent? {
        let digest = digest.flatMap { try? Digest($0) }
        switch event {
        case "message", "note": return text.map { .note($0) }
        case "step":
            guard let step, let steps, let text else { return nil }
            return .stepStarted(stage: name ?? "", index: step, of: steps, text: text, location: nil)
        case "output": return text.map { .stepOutput(stream == "stderr" ? .stderr : .stdout, Array($0.utf8)) }
        case "cached": return digest.map { .stepCached($0, size: bytes ?? 0) }
        case "explained": return text.map { .stepExplained($0) }
        case "finished": return .stepFinished(duration: .milliseconds(Int64(((seconds ?? 0) * 1000).rounded())))
        case "base":
            guard let digest, let image else { return nil }
            return .basePulled(name: image, digest: digest, bytes: bytes ?? 0)
        case "layer": return digest.map { .layerWritten($0, size: bytes ?? 0) }
        case "blob":
            guard let digest, let place, let outcome = outcome.flatMap(BuildEvent.BlobOutcome.init) else { return nil }
            return .blobPushed(digest, size: bytes ?? 0, outcome: outcome, to: place)
        case "pushed":
            guard let digest, let place else { return nil }
            return .manifestPushed(digest, to: place)
        default: return nil
        }
    }

    private var place: ImageLocation? { image.flatMap { try? ImageLocation($0) } }
}
