import Diagnostics
import Dockerfile

/// Where the steps of one stage work, and what they leave each other beside the layers. Used on the stage's thread only.
final class StageWorkspace {
    let build: BuildEnvironment
    let stage: PlannedStage
    let progress: @Sendable (BuildEvent) -> Void
    /// The step that is under way, within the stage.
    var position = 0
    /// What steps left under ignored paths, in overlay format.
    var asides: [HostPath] = []
    private var directories = 0

    init(_ build: BuildEnvironment, stage: PlannedStage, progress: @escaping @Sendable (BuildEvent) -> Void) {
        self.build = build
        self.stage = stage
        self.progress = progress
    }

    var ownership: OwnershipMode { build.store.ownership }

    /// A new empty directory, that is removed with the build.
    func newDirectory() throws(BuildError) -> HostPath {
        directories += 1
        return try build.scratch.makeDirectory("\(stage.index)-\(directories)")
    }

    /// The file system of `scratch`.
    var emptyRoot: LayeredRoot { LayeredRoot(layers: [], ownership: ownership) }

    // MARK: Build checks

    /// Tells of what a build check found that needs the files of the image or of the context: it finds something when a step is done, and
    /// not when its layer is known. Nothing is told where the file switches the rule off.
    ///
    /// - Throws: where the file asks to fail on warnings.
    func report(_ rule: LintRule, _ message: String, at step: PlannedStep) throws(BuildError) {
        guard step.checks.contains(rule) else { return }
        let text = "\(message) (\(rule.rawValue))"
        guard build.plan.failsOnWarnings else { return progress(.note("\(step.location): \(text)")) }
        throw BuildError(
            .dockerfile, "\(step.location.file) asks to fail on warnings, and there is 1", place: "\(step.location)",
            cause: text, hint: "'# check=skip=\(rule.rawValue)' switches this one off")
    }

    /// The owner that an instruction means; a name that the image lacks is told of.
    func owner(
        _ text: String, in root: LayeredRoot, of step: PlannedStep
    ) throws(BuildError) -> (uid: UInt32, gid: UInt32) {
        let lookup = try UserLookup(of: root)
        for missing in lookup.unknown(in: text) {
            try report(
                .unknownOwner,
                "there is no \(missing) in the image; what is made belongs to \(lookup.shownOwner(text)) instead",
                at: step)
        }
        return lookup.owner(text)
    }
}
