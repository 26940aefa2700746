/// All that was found out, in the order in which it was looked at.
package struct DoctorReport: Sendable {
    package let findings: [DoctorFinding]

    package init(findings: [DoctorFinding]) { self.findings = findings }

    /// Whether the agent can work here. Warnings do not count.
    package var isHealthy: Bool { !findings.contains { $0.status == .error } }
}
