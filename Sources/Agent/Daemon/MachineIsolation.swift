import Builder
import FileSystem
package import Sandbox

/// How RUN steps can be isolated on this machine, cut down to what the configuration asks for.
package enum MachineIsolation {
    /// Looks at the machine once, and says what it allows.
    package static func report(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> IsolationReport {
        // Nothing can be tried in a directory that cannot be written, and whatever is said of isolation would hide that.
        if let problem = StateDirectory.problem(with: configuration.stateDirectory) {
            throw AgentError(failing: problem)
        }
        let report = await SandboxProbe.probe(stateDirectory: configuration.stateDirectory)
        switch configuration.isolation {
        case .auto:
            tell(report, say)
            return report
        case .namespaces, .chroot, .inPlace:
            let mode = configuration.isolation.mode ?? .namespaces
            guard report.available.contains(mode) else {
                throw AgentError(
                    "isolation by \(mode.rawValue) is not possible here", cause: report.reasons[mode],
                    hint: report.remedies[mode] ?? "use --isolation auto")
            }
            say("RUN steps are isolated by \(mode.rawValue)\(report.identities)")
            return report.only(mode)
        }
    }

    /// The same, and where nothing special is asked for, not before a step has to be run.
    package static func whenAsked(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> Isolation {
        guard configuration.isolation == .auto else {
            return Isolation(try await report(configuration, say: say))
        }
        return Isolation(stateDirectory: configuration.stateDirectory) { tell($0, say) }
    }

    /// How the agent itself isolates RUN steps: not at all where Jobs run them.
    static func ofAgent(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> Isolation {
        guard configuration.builder == .kubernetes else {
            return Isolation(try await report(configuration, say: say))
        }
        return Isolation(stateDirectory: configuration.stateDirectory) { _ in }
    }

    private static func tell(_ report: IsolationReport, _ say: (String) -> Void) {
        guard let mode = report.automatic else {
            let reasons = report.reasons.map { "\($0.key.rawValue): \($0.value)" }.sorted()
            return say("RUN steps cannot be run on this machine (\(reasons.joined(separator: "; ")))")
        }
        say("RUN steps are isolated by \(mode.rawValue)\(report.identities)")
        for stronger in IsolationMode.allCases.prefix(while: { $0 != mode }) {
            say("  not by \(stronger.rawValue): \(report.reasons[stronger] ?? "")")
        }
    }
}
