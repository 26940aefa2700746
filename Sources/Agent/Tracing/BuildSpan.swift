import Builder
import OCI
import Synchronization
import Telemetry

extension Span {
    /// A pipeline's build begins: the wait for its turn, the steps, and the push are parts of it.
    static func pipeline(_ order: BuildOrder, at revision: String) -> Span? {
        current?.child(
            "pipeline",
            [
                "cicd.pipeline.name": .text(order.pipeline.name), "vcs.ref.head.revision": .text(revision),
                "slipway.reason": .text(order.reason), "slipway.content_key": .text(order.key.description),
            ])
    }

    /// The pipeline's build has ended.
    func end(_ result: Result<MadeImage, ReconcileError>) {
        switch result {
        case .success(let image):
            set([
                "cicd.pipeline.result": .text("success"),
                "container.image.repo_digests": .texts(
                    Set(image.named.names.map { "\($0.repository)@\(image.report.digest)" }).sorted()),
                "container.image.tags": .texts(image.named.names.compactMap(\.tag)),
            ])
        case .failure(let error):
            set(["cicd.pipeline.result": .text(error.remembered == nil ? "cancellation" : "failure")])
            fail(error.phase.rawValue, error.summary)
        }
        end()
    }
}

/// The spans of a build's steps, from what the builder tells.
final class StepSpans: Sendable {
    private let parent: Span
    /// The step that a stage is at.
    private let steps = Mutex<[String: Span]>([:])

    /// - Parameter parent: the build's; `nil`: nothing is traced.
    init?(in parent: Span?) {
        guard let parent else { return nil }
        self.parent = parent
    }

    func handle(_ event: BuildEvent) { handle(event, in: "") }

    private func handle(_ event: BuildEvent, in stage: String) {
        switch event {
        case .inStage(let name, let inner): handle(inner, in: name)
        case .stepStarted(let name, let index, let count, let text, _):
            let span = parent.child(
                "step",
                [
                    "slipway.stage": .text(name), "slipway.step.index": .integer(Int64(index)),
                    "slipway.step.count": .integer(Int64(count)), "cicd.pipeline.task.name": .text(text),
                    "slipway.step.cached": .flag(false),
                ])
            steps.withLock { $0.updateValue(span, forKey: stage) }?.end()
        case .stepCached: steps.withLock { $0[stage] }?.set(["slipway.step.cached": .flag(true)])
        case .stepFinished: steps.withLock { $0.removeValue(forKey: stage) }?.end()
        default: break
        }
    }

    /// Ends what a failure cut off.
    func end() {
        let rest = steps.withLock { steps in
            defer { steps = [:] }
            return steps
        }
        for span in rest.values {
            span.fail("cut_off", "the build ended before the step did")
            span.end()
        }
    }
}
