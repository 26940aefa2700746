import Blocking
import OCI
import Sandbox

/// Runs the stages of a plan, each as soon as what it needs is there, and makes the image of the last.
struct StageScheduler {
    let request: BuildRequest
    let plan: BuildPlan
    let contexts: PlanContexts
    let builder: Builder
    let progress: @Sendable (BuildEvent) -> Void

    func image(contentKey: ContentKey) async throws(BuildError) -> BuiltImage {
        for warning in plan.warnings { progress(.note(warning)) }
        // What is built on stays while the image is used.
        let lease = try builder.store.lease.use()
        let scratch = try ScratchDirectory(in: builder.store.buildsFolder)
        let board = StageBoard(limit: request.jobs ?? max(2, ProcessorCount.value))
        let bases = BaseFetcher(builder, progress: progress)
        let dependents = self.dependents
        let outcome = await withTaskGroup(of: Result<Int, BuildError>.self) { group in
            for stage in plan.stages {
                let run = BuildRun(
                    stage, request, plan: plan, dependents: dependents, contexts: contexts, builder: builder,
                    scratch: scratch, board: board, bases: bases, progress: labelled(stage))
                group.addTask {
                    do throws(BuildError) {
                        await board.publish(try await run.execute(), of: stage.index)
                        return .success(stage.index)
                    } catch {
                        await board.fail(error)
                        return .failure(error)
                    }
                }
            }
            var failure: BuildError?
            for await case .failure(let error) in group {
                // What failed first is the reason; that others were stopped for it is none.
                if failure == nil || failure?.code == .cancelled && error.code != .cancelled { failure = error }
                group.cancelAll()
            }
            return failure
        }
        await bases.cancel()
        if let outcome { throw outcome }
        guard let stage = plan.stage(plan.target) else {
            throw BuildError(.dockerfile, "the Dockerfile has no stage to build")
        }
        let files = try await board.files(of: plan.target)
        let assembler = ImageAssembler(
            request: request, stage: stage, layers: files.layers, contentKey: contentKey,
            isolation: await isolation(board), lease: lease)
        return try assembler.image(base: files.base)
    }

    /// How the steps were isolated that ran, in whatever stage.
    private func isolation(_ board: StageBoard) async -> IsolationMode? {
        for stage in plan.stages {
            if let mode = try? await board.files(of: stage.index).isolation { return mode }
        }
        return nil
    }

    private func labelled(_ stage: PlannedStage) -> @Sendable (BuildEvent) -> Void {
        let (progress, name) = (progress, stage.name)
        return { progress(.inStage(name, $0)) }
    }

    /// The stages that stand on a stage or take files from it.
    private var dependents: [Int: [Int]] {
        var found: [Int: [Int]] = [:]
        for stage in plan.stages {
            var needs = Set(stage.steps.flatMap(\.stages))
            if case .stage(let index) = stage.base { needs.insert(index) }
            for need in needs { found[need, default: []].append(stage.index) }
        }
        return found
    }
}
