import Sandbox

/// How the RUN steps of a stage are isolated: settled by the first.
final class StageIsolation {
    private let workspace: StageWorkspace
    private var chosen: (any StepRoot)?

    init(_ workspace: StageWorkspace) { self.workspace = workspace }

    /// `nil` when no step ran.
    var mode: IsolationMode? { chosen?.mode }

    func root() async throws(BuildError) -> any StepRoot {
        if let chosen { return chosen }
        let root: any StepRoot =
            switch try await choice() {
            case .namespaces: OverlayRoot(workspace)
            case .chroot: ChrootRoot(workspace)
            case .inPlace: InPlaceRoot(workspace)
            }
        chosen = root
        return root
    }

    func end() throws(BuildError) { try chosen?.end() }

    private func choice() async throws(BuildError) -> IsolationMode {
        let report = await workspace.build.builder.isolation.report
        if let wanted = workspace.build.request.isolation {
            guard report.available.contains(wanted) else {
                throw BuildError(
                    .isolation, "this machine cannot isolate RUN steps by \(wanted.rawValue)",
                    cause: report.reasons[wanted],
                    hint: report.remedies[wanted])
            }
            return wanted
        }
        // Where in-place is all that was asked for, it is all that the report has.
        guard let best = report.automatic ?? (report.available == [.inPlace] ? .inPlace : nil) else {
            let reasons = IsolationMode.allCases.compactMap { mode in
                report.reasons[mode].map { "\(mode.rawValue): \($0)" }
            }
            throw BuildError(
                .isolation, "this machine cannot isolate RUN steps", cause: reasons.joined(separator: "; "),
                hint: "allow user namespaces, or run as root")
        }
        return best
    }
}
