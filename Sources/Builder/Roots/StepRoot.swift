import Sandbox

/// Where a RUN step has its root directory: one type for each isolation. One object serves all steps of a stage.
protocol StepRoot: AnyObject {
    var mode: IsolationMode { get }

    /// Puts the stage's files where the step finds them, runs it, and gathers what it changed.
    ///
    /// - Parameter command: runs the step in a sandbox whose root is set.
    func run(
        _ step: PreparedStep, by command: (SandboxStep) async throws(BuildError) -> Void
    ) async throws(BuildError)

    /// The stage has no more steps.
    func end() throws(BuildError)
}

extension StepRoot {
    func end() throws(BuildError) {}
}

/// A RUN step that is ready but for its root.
struct PreparedStep {
    var sandbox: SandboxStep
    /// The stage's layers.
    let root: LayeredRoot
    /// The times that files of the root are shown with.
    let times: ShownTimes
    /// An empty directory, for what the step changes, in overlay format.
    let upper: HostPath
}
