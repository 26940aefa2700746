import Builder
import Synchronization
import Text

/// Tells of a build: as lines for people, and as steps, layers and a log for history.
final class BuildTrace: Sendable {
    private let clock: any AgentClock
    private let recorder: BuildRecorder?
    private let cycle: CycleRecorder
    private let progress: BuildProgress
    /// The step that a stage is at.
    private let steps = Mutex<[String: BuildRecord.Step]>([:])

    init(_ cycle: CycleRecorder, clock: any AgentClock, recorder: BuildRecorder?) {
        self.clock = clock
        self.recorder = recorder
        self.cycle = cycle
        progress = BuildProgress(keepsColours: true) { text in
            recorder?.say(text)
            cycle.say(text.withoutEscapes)
        }
    }

    /// The build's name in history, where it is kept.
    var build: BuildID? { recorder?.id }

    /// Something that happens to the build.
    func announce(_ text: String) {
        recorder?.say(text)
        cycle.announce(text)
    }

    func handle(_ event: BuildEvent) {
        progress.handle(event)
        if let recorder { note(event, in: "", recorder) }
    }

    private func note(_ event: BuildEvent, in stage: String, _ recorder: BuildRecorder) {
        switch event {
        case .inStage(let name, let inner): note(inner, in: name, recorder)
        case .stepStarted(let name, let index, let count, let text, _):
            let step = BuildRecord.Step(stage: name, index: index, count: count, text: text, startedAt: clock.now)
            steps.withLock { $0[stage] = step }
            recorder.note(step)
        case .stepCached: change(stage, recorder) { $0.isCached = true }
        case .stepExplained(let reason): change(stage, recorder) { $0.why = BoundedText.ends(of: reason, limit: 500) }
        case .stepFinished(let duration): change(stage, recorder) { $0.seconds = duration.seconds }
        default: break
        }
    }

    private func change(_ stage: String, _ recorder: BuildRecorder, _ body: (inout BuildRecord.Step) -> Void) {
        let step = steps.withLock { steps -> BuildRecord.Step? in
            guard var step = steps[stage] else { return nil }
            body(&step)
            steps[stage] = step
            return step
        }
        if let step { recorder.note(step) }
    }

    /// What the image is.
    func note(_ image: any PushableImage) {
        for layer in image.layers { recorder?.note(layer) }
        if let facts = image.facts { recorder?.note(facts) }
    }

    func started(in history: HistoryStore?) async {
        if let recorder { await history?.start(recorder) }
    }

    func ended(_ outcome: BuildOutcome, in history: HistoryStore?) async {
        if let recorder { await history?.finish(recorder, outcome) }
    }
}
