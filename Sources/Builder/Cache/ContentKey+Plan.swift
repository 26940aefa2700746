import Diagnostics
import OCI
import Registry

extension ContentKey {
    /// Raised when builds of unchanged input would come out differently.
    private static let version = "slipway.content.2"

    /// The key of a plan: what the stages do, on what they stand, and what they take from the context. Neither the time nor
    /// the annotations nor unused arguments count.
    init(of plan: BuildPlan, _ request: BuildRequest, _ contexts: PlanContexts) async throws(BuildError) {
        var hasher = KeyHasher()
        let steps = StepHasher(plan: plan, contexts: contexts, stageNames: [:], countsReaders: false)
        hasher.add(Self.version)
        hasher.add(request.platform.description)
        hasher.add(request.format.rawValue)
        hasher.add(request.labels.flatMap { [$0.0, $0.1] })
        hasher.add(Int64(plan.stages.count))
        for stage in plan.stages {
            switch stage.base {
            case .scratch: hasher.add("scratch")
            case .stage(let index): hasher.add("stage \(index)")
            case .image(let base): hasher.add("image \(base.image.manifestDigest)")
            }
            hasher.add(Int64(stage.index))
            hasher.add(Int64(stage.steps.count))
            for step in stage.steps { try await steps.add(step, to: &hasher) }
            do throws(OCIError) { hasher.add(try CanonicalJSON.encode(stage.state.config)) } catch {
                throw BuildError(.dockerfile, from: error)
            }
        }
        hasher.add(Int64(plan.target))
        self.init(digest: hasher.finish())
    }
}
