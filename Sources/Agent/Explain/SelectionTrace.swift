import ManifestUpdater
import OCI
import RegistryPoller
import Synchronization

/// Keeps what a selection decided about the places that an explanation is asked for.
final class SelectionTrace: Sendable {
    private let query: ExplainQuery
    private let trial: PolicyTrial?
    private let tagLimit: Int
    private let found = Mutex<[Explanation]>([])

    init(_ query: ExplainQuery, trying trial: PolicyTrial? = nil, tagLimit: Int = Explanation.tagLimit) {
        self.query = query
        self.trial = trial
        self.tagLimit = tagLimit
    }

    var explanations: [Explanation] { found.withLock { $0 } }

    /// - Parameters:
    ///   - outcome: what became of the item, or the failure's words.
    ///   - asked: what the dialect asked; `nil` when there was nothing to ask.
    func saw<Source: UpdateSource>(
        _ item: Source.Item, of source: Source, _ outcome: Result<SelectionOutcome, ReconcileError>,
        asked: Inquiry.Asked?, by answerer: ImageAnswerer
    ) async {
        let subject = source.subject(of: item)
        let current = asked?.place.current ?? source.written(at: item)
        guard query.matches(subject, image: current, repository: asked?.question.image.repository) else { return }
        var explanation: Explanation
        switch outcome {
        case .success(.chosen(let choice)):
            explanation = Explanation(subject: subject, state: .update, reason: choice.reason)
            explanation.chosen = choice.newImage.description
            explanation.remedy = "nothing: the next cycle writes it"
        case .success(.held(let reason)):
            explanation = Explanation(subject: subject, state: .held, reason: reason)
            explanation.remedy = "let go of it by 'slipway release', or wait for something newer"
        case .success(.paused(let reason)):
            explanation = Explanation(subject: subject, state: .paused, reason: reason)
            explanation.remedy = source.remedy(for: item)
        case .success(.left(let reason)):
            explanation = Explanation(subject: subject, state: asked == nil ? .left : .unchanged, reason: reason)
            explanation.remedy = source.remedy(for: item)
        case .failure(let error):
            explanation = Explanation(
                subject: subject, state: .failed, reason: error.summary + (error.cause.map { ": \($0)" } ?? ""))
            explanation.remedy = error.hint
        }
        explanation.decidedBy = source.decider(of: item)
        explanation.current = current
        if let asked {
            explanation.policy = asked.question.policy.description
            explanation.repository = asked.question.image.repository.familiar
            // What the registry says wrong was told by the outcome.
            let question = trial.map { asked.question.trying($0) } ?? asked.question
            if let considered = try? await answerer.considered(by: question) {
                explanation.consider(considered, limit: tagLimit)
                if let trial {
                    explanation.trial = Explanation.Trial(
                        policy: question.policy.description, current: question.image.tag,
                        chosen: considered.selection.tag,
                        reason: (try? trial.parsed(in: asked.question.policy.dialect)) == nil
                            ? "this is no policy of \(asked.question.policy.dialect.title)"
                            : considered.selection.reason)
                }
            }
            if explanation.remedy == nil {
                explanation.remedy =
                    "a tag that '\(asked.question.policy)' prefers to the one in use has to appear in "
                    + "\(asked.question.image.repository.familiar), or the policy has to change"
            }
        }
        let one = explanation
        found.withLock { $0.append(one) }
    }
}
