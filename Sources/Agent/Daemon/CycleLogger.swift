import Logging
import Synchronization

/// Logs cycles: what was done, and what is decided otherwise than before. A cycle that brings nothing new says nothing.
final class CycleLogger: Sendable {
    private struct Known {
        var decisions: Set<CycleReport.Decision> = []
        var failures: [String] = []

        /// What of a report is new.
        mutating func take(_ report: CycleReport) -> News {
            let news = News(
                decisions: report.decisions.filter { !decisions.contains($0) },
                failures: report.failures.filter { !failures.contains($0.message) },
                isWell: !failures.isEmpty && report.failures.isEmpty)
            // A cycle that failed may not have come to decide on everything: what it left out holds on, and is no news when
            // it is decided again.
            let decided = Set(report.decisions.map(\.subject))
            let undecided = report.failures.isEmpty ? [] : decisions.filter { !decided.contains($0.subject) }
            decisions = Set(report.decisions)
            if undecided.count <= Self.limit { decisions.formUnion(undecided) }
            failures = report.failures.map(\.message)
            return news
        }

        private static let limit = 10_000
    }

    private struct News: Sendable {
        let decisions: [CycleReport.Decision]
        let failures: [CycleReport.Failure]
        /// Whether nothing fails any more.
        let isWell: Bool
    }

    private let logger: Logger
    private let known = Mutex(Known())

    init(_ logger: Logger, repository: String) {
        var logger = logger
        logger[metadataKey: "repository"] = "\(repository)"
        self.logger = logger
    }

    /// A line of progress: what happens is for everybody, the rest for who looks closer.
    func line(_ line: ProgressLine) {
        if line.isEvent { logger.info("\(line.text)") } else { logger.debug("\(line.text)") }
    }

    func ended(_ report: CycleReport) {
        let news = known.withLock { $0.take(report) }
        for decision in news.decisions {
            var metadata: Logger.Metadata = ["subject": "\(decision.subject)", "reason": "\(decision.reason)"]
            if let remedy = decision.remedy, !remedy.isEmpty { metadata["hint"] = "\(remedy)" }
            logger.info("decided", metadata: metadata)
        }
        for failure in news.failures {
            var metadata: Logger.Metadata = ["phase": "\(failure.phase.rawValue)", "error": "\(failure.message)"]
            if let hint = failure.hint, !hint.isEmpty { metadata["hint"] = "\(hint)" }
            logger.error("failed", metadata: metadata)
        }
        if news.isWell { logger.notice("recovered") }
    }
}
