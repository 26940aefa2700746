import Dockerfile
import OCI

/// What the layer of one step is made from: equal keys give equal layers, as far as the step itself always does the same.
///
/// Nothing in it depends on where or when something was built: the file system below counts by its chain id, contexts by
/// their files' contents, other stages by their chain ids, variables by those that the step sees.
struct StepKey: Sendable {
    let digest: Digest
    /// What it was made of, in words; empty when nobody wanted to know.
    let record: StepRecord

    /// Raised when a step of unchanged input would give another layer.
    private static let version = "slipway.step.4"

    /// - Parameters:
    ///   - variant: what the request says of how layers are made; empty for the usual.
    ///   - isRecorded: whether it is told in words as well, which takes long for a step of many files.
    init(
        _ step: PlannedStep, at site: StepSite, on ground: StepGround, variant: [String], isRecorded: Bool,
        hasher steps: StepHasher
    ) async throws(BuildError) {
        var hasher = KeyHasher()
        if isRecorded { hasher.record = StepRecord() }
        hasher.note(.site, "", site.line)
        hasher.note(.platform, "", site.platform.description)
        hasher.add(Self.version)
        hasher.add(site.platform.description)
        if !variant.isEmpty { hasher.add(variant) }
        // What is linked does not look at what is below, so it does not change with it.
        let isIndependent = if case .copy(let copy) = step.action { copy.isLinked && !copy.looksUpOwner } else { false }
        let linkedOn = ground.linkedOn.map { "\($0)" } ?? ""
        hasher.add(isIndependent ? "anything \(linkedOn)" : ground.chain.map { "\($0)" } ?? "scratch")
        if !isIndependent {
            if let base = ground.base { hasher.note(.base, "", base) }
            hasher.note(.below, "", ground.chain.map { StepRecord.short("\($0)") } ?? "scratch")
        }
        let times = ground.recordLimit.map { "\($0)" }
        if let times { hasher.note(.times, "", times) }
        hasher.add(times)
        try await steps.add(step, to: &hasher)
        record = hasher.record ?? StepRecord()
        digest = hasher.finish()
    }
}

/// What a step stands on, as far as its layer depends on it.
struct StepGround: Sendable {
    /// The layers below; `nil` on scratch.
    var chain: Digest?
    /// What counts for a linked step instead of the layers below; `nil` for nothing.
    var linkedOn: Digest?
    /// The base image's name and digest, for the record.
    var base: String?
    /// The newest time that the layer may tell, in seconds since 1970; `nil`: it tells times as they are.
    var recordLimit: Int64?
}

extension CopyStep {
    /// Whether all files have times of their own. Others get that of the moment at which they are put there, and then have to be newer
    /// than what the steps before made, also where they are linked.
    func hasTimes(in request: BuildRequest) -> Bool {
        guard inlineFiles.isEmpty, takesFromOrigin, sources.allSatisfy({ if case .path = $0 { true } else { false } })
        else { return false }
        switch origin {
        case .context: return request.context is DirectoryContext
        case .stage: return true
        case .named: return false
        }
    }

    /// Whether the owner is a name, which the files below know.
    var looksUpOwner: Bool { owner.map(UserLookup.looksUp) ?? false }
}
