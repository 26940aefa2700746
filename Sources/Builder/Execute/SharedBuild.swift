/// What the stages of one build have in common, while it is under way.
struct SharedBuild: Sendable {
    let request: BuildRequest
    let plan: BuildPlan
    let contexts: PlanContexts
    let builder: Builder
    let scratch: ScratchDirectory
    let bases: BaseFetcher
    /// The stages that are there, and the places for steps.
    let board: StageBoard
    /// The cache that other machines share.
    let remote: RemoteStepCache?

    /// The stages that stand on a stage or take files from it.
    let dependents: [Int: [Int]]

    init(
        _ scheduler: StageScheduler, scratch: ScratchDirectory, bases: BaseFetcher, board: StageBoard,
        remote: RemoteStepCache?
    ) {
        request = scheduler.request
        plan = scheduler.plan
        contexts = scheduler.contexts
        builder = scheduler.builder
        self.scratch = scratch
        self.bases = bases
        self.board = board
        self.remote = remote
        dependents = Self.dependents(in: scheduler.plan)
    }

    private static func dependents(in plan: BuildPlan) -> [Int: [Int]] {
        var found: [Int: [Int]] = [:]
        for stage in plan.stages {
            var needs = Set(stage.steps.flatMap(\.stages))
            if case .stage(let index) = stage.base { needs.insert(index) }
            for need in needs { found[need, default: []].append(stage.index) }
        }
        return found
    }
}
