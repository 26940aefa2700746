import Logging
import Synchronization

/// Logs cycles: what was done, and what is decided otherwise than before. A cycle that brings nothing new says nothing.
final class CycleLogger: Sendable {
    private struct Known {
        var decisions: [CycleReport.Decision] = []
        var failures: [String] = []
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
        let (decisions, failures, isWell) = known.withLock { known in
            let decisions = report.decisions.filter { !known.decisions.contains($0) }
            let failures = report.failures.filter { !known.failures.contains($0.message) }
            let isWell = !known.failures.isEmpty && report.failures.isEmpty
            known.decisions = report.decisions
            known.failures = report.failures.map(\.message)
            return (decisions, failures, isWell)
        }
        for decision in decisions {
            var metadata: Logger.Metadata = ["subject": "\(decision.subject)", "reason": "\(decision.reason)"]
            if let remedy = decision.remedy { metadata["hint"] = "\(remedy)" }
            logger.info("decided", metadata: metadata)
        }
        for failure in failures {
            var metadata: Logger.Metadata = ["phase": "\(failure.phase.rawValue)", "error": "\(failure.message)"]
            if let hint = failure.hint { metadata["hint"] = "\(hint)" }
            logger.error("failed", metadata: metadata)
        }
        if isWell { logger.notice("recovered") }
    }
}
