import Agent

/// `slipway doctor`: a line for each finding, its cause and what to change below it.
struct DoctorText {
    let report: DoctorReport

    init(_ report: DoctorReport) { self.report = report }

    var lines: [String] {
        let width = report.findings.map(\.code.rawValue.count).max() ?? 0
        var lines: [String] = []
        for finding in report.findings {
            let status = finding.status.rawValue.padded(to: 8)
            lines.append(status + finding.code.rawValue.padded(to: width + 2) + TerminalText.lasting(finding.summary))
            let indent = String(repeating: " ", count: 8)
            if let cause = finding.cause { lines.append("\(indent)cause: \(TerminalText.lasting(cause))") }
            if let hint = finding.hint { lines.append("\(indent)change: \(TerminalText.lasting(hint))") }
        }
        let errors = report.findings.count { $0.status == .error }
        let warnings = report.findings.count { $0.status == .warning }
        lines.append("")
        lines.append(
            report.isHealthy
                ? "Slipway can work here" + (warnings == 0 ? "." : ", with \(Self.count(warnings, "warning")).")
                : "Slipway cannot work here: \(Self.count(errors, "error")).")
        return lines
    }

    private static func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
}

/// `slipway doctor --output json`.
struct DoctorDocument: Encodable {
    struct Finding: Encodable {
        let code: String
        let status: String
        let subject: String?
        let message: String
        let cause: String?
        let change: String?
    }

    let healthy: Bool
    let findings: [Finding]

    init(_ report: DoctorReport) {
        healthy = report.isHealthy
        findings = report.findings.map {
            Finding(
                code: $0.code.rawValue, status: $0.status.rawValue, subject: $0.subject, message: $0.summary,
                cause: $0.cause, change: $0.hint)
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - unicodeScalars.count))
    }
}
