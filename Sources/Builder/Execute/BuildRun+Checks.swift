import Diagnostics
import Dockerfile

/// Build checks that need the files of the image or of the context: they find something when a step is done, and not when its layer is
/// known.
extension BuildRun {
    /// Tells of a finding, unless the file switches the rule off; fails where the file asks for that.
    func report(_ rule: LintRule, _ message: String, at step: PlannedStep) throws(BuildError) {
        guard step.checks.contains(rule) else { return }
        let text = "\(message) (\(rule.rawValue))"
        guard plan.failsOnWarnings else { return progress(.note("\(step.location): \(text)")) }
        throw BuildError(
            .dockerfile, "\(step.location.file) asks to fail on warnings, and there is 1", place: "\(step.location)",
            cause: text, hint: "'# check=skip=\(rule.rawValue)' switches this one off")
    }

    /// The owner that an instruction means; a name that the image lacks is told of.
    func owner(_ text: String, in root: LayeredRoot, of step: PlannedStep) throws(BuildError) -> (
        uid: UInt32, gid: UInt32
    ) {
        let lookup = try UserLookup(of: root)
        for missing in lookup.unknown(in: text) {
            try report(
                .unknownOwner, "there is no \(missing) in the image; what is made belongs to root instead", at: step)
        }
        return lookup.owner(text)
    }
}
