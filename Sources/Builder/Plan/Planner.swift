import Registry

struct Planner {
    init(_ request: BuildRequest, contexts: PlanContexts, registry: RegistryAccess) {}
    func plan() async throws(BuildError) -> BuildPlan { fatalError() }
}
extension ContentKey {
    init(of plan: BuildPlan, _ request: BuildRequest, _ contexts: PlanContexts) async throws(BuildError) {
        fatalError()
    }
}
