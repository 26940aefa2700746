import Diagnostics
import OCI
import Registry
import Sandbox

/// How many layers the stages of a plan come to, and what that is too many for. Known before a step is done.
struct LayerLimits {
    /// Of lower directories: the kernel mounts no more in one overlay (`OVL_MAX_STACK`, fs/overlayfs/params.h).
    static let overlay = 500
    /// From here on it is said that engines may not run the image: storage drivers end at 127 layers, and Docker takes two of
    /// them for a container (`maxLayerDepth`, daemon/internal/layer).
    static let noted = 127

    private let plan: BuildPlan
    /// Layers below the first step, by the stage's index.
    private var below: [Int: Int] = [:]
    private var total: [Int: Int] = [:]

    init(_ plan: BuildPlan) {
        self.plan = plan
        for stage in plan.stages {
            let base =
                switch stage.base {
                case .scratch: 0
                case .stage(let index): total[index] ?? 0
                case .image(let image): image.image.config.rootfs.diffIDs.count
                }
            below[stage.index] = base
            total[stage.index] = base + stage.steps.count(where: \.hasLayer)
        }
    }

    /// Why the plan cannot be carried out where RUN steps are isolated by overlays; `nil` when it can be.
    func refusal() -> BuildError? {
        for stage in plan.stages {
            var count = below[stage.index] ?? 0
            for step in stage.steps where step.hasLayer {
                // One more holds what every root has: /proc, /dev and the like.
                if case .run = step.action, count + 1 > Self.overlay {
                    return BuildError(
                        .isolation, "the RUN step stands on too many layers", place: step.location.description,
                        cause: "\(count) layers are below it, and the kernel mounts \(Self.overlay - 1) at most",
                        hint:
                            "join RUN, COPY and WORKDIR lines, start from a base with fewer layers, or use --isolation chroot"
                    )
                }
                count += 1
            }
        }
        return nil
    }

    /// A note on an image that other programs may not run; `nil` for others.
    func note(isSingleLayer: Bool) -> String? {
        guard !isSingleLayer, let count = total[plan.target], count >= Self.noted else { return nil }
        return
            "the image will have \(count) layers, and Docker runs images of \(Self.noted - 2) at most: join RUN and COPY lines, "
            + "or use --single-snapshot"
    }
}

extension StageScheduler {
    /// Refuses, before a step is done, a plan whose RUN steps cannot be mounted.
    func checkLayers() async throws(BuildError) {
        let limits = LayerLimits(plan)
        if let note = limits.note(isSingleLayer: request.isSingleLayer) { progress(.note(note)) }
        guard let refusal = limits.refusal() else { return }
        var mode = request.isolation
        // To find out takes milliseconds, which only such a plan pays here.
        if mode == nil { mode = await builder.isolation.report.automatic }
        if mode == .namespaces { throw refusal }
    }
}
