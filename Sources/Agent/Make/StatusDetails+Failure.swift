import Builder
import Forge

extension StatusDetails {
    /// Why a build failed, with the line of its Dockerfile where that is known.
    init(of error: ReconcileError, in pipeline: Pipeline) {
        let failure = error.underlying as? BuildError
        var parts = [failure?.summary ?? error.summary]
        if let place = failure?.place { parts.append("Where: \(PullRequestSummary.code(place))") }
        if let cause = failure?.cause { parts.append("Why: \(PullRequestSummary.code(cause))") }
        if let hint = failure?.hint { parts.append("What to do: \(hint)") }
        var annotations: [Annotation] = []
        if let failure, let line = Self.line(failure.place, of: pipeline.dockerfile) {
            let message = failure.summary + (failure.cause.map { ": \($0)" } ?? "")
            annotations = [Annotation(path: pipeline.dockerfile, line: line, message: message)]
        }
        self.init(summary: parts.joined(separator: "\n\n"), annotations: annotations)
    }

    /// The line in `FILE:LINE` or `FILE:LINE:COLUMN`, where that is the pipeline's Dockerfile; the file is named from the context.
    private static func line(_ place: String?, of dockerfile: String) -> Int? {
        guard let place, let colon = place.firstIndex(of: ":") else { return nil }
        let file = place[..<colon]
        guard dockerfile == file || dockerfile.hasSuffix("/" + file) else { return nil }
        return Int(place[colon...].dropFirst().prefix { $0.isNumber }).flatMap { $0 > 0 ? $0 : nil }
    }
}
