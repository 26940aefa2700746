import Diagnostics
import OCI
import Registry

extension ContentKey {
    /// Raised when builds of unchanged input would come out differently.
    private static let version = "slipway.content.1"

    /// The key of a plan: what the stages do, on what they stand, and what they take from the context. Neither the time nor
    /// the annotations nor unused arguments count.
    init(of plan: BuildPlan, _ request: BuildRequest, _ contexts: PlanContexts) async throws(BuildError) {
        var hasher = KeyHasher()
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
            for step in stage.steps { try await Self.add(step, plan, contexts, to: &hasher) }
            do throws(OCIError) { hasher.add(try CanonicalJSON.encode(stage.state.config)) } catch {
                throw BuildError(.dockerfile, from: error)
            }
        }
        hasher.add(Int64(plan.target))
        self.init(digest: hasher.finish())
    }

    private static func add(
        _ step: PlannedStep, _ plan: BuildPlan, _ contexts: PlanContexts, to hasher: inout KeyHasher
    ) async throws(BuildError) {
        hasher.add(step.history?.createdBy)
        switch step.action {
        case .metadata: hasher.add("metadata")
        case .workdir(let path, let user): hasher.add(["workdir", path, user])
        case .copy(let copy): try await add(copy, step, plan, contexts, to: &hasher)
        case .run(let run): try await add(run, plan, contexts, to: &hasher)
        }
    }

    private static func add(
        _ copy: CopyStep, _ step: PlannedStep, _ plan: BuildPlan, _ contexts: PlanContexts, to hasher: inout KeyHasher
    ) async throws(BuildError) {
        hasher.add(["copy", copy.destination, copy.owner ?? "", "\(copy.unpacks)", "\(copy.isLinked)"])
        hasher.add(copy.mode.map { "\($0)" })
        hasher.add(copy.sources)
        hasher.add(copy.excludes)
        for file in copy.inlineFiles {
            hasher.add(file.name)
            hasher.add(file.content)
        }
        guard let source = try await contextSource(copy.origin, plan, contexts, to: &hasher) else { return }
        do throws(BuildError) { try await ContentSelection(source: source).add(copy, to: &hasher) } catch {
            throw error.at(step.location)
        }
    }

    private static func add(
        _ run: RunStep, _ plan: BuildPlan, _ contexts: PlanContexts, to hasher: inout KeyHasher
    ) async throws(BuildError) {
        hasher.add(["run", run.workingDirectory, run.user, "\(run.hasNetwork)"])
        hasher.add(run.arguments)
        hasher.add(run.environment.filter { !run.hidden.contains($0.0) }.flatMap { [$0.0, $0.1] })
        if let script = run.script { hasher.add(script.body) }
        for mount in run.mounts {
            hasher.add(mount.target)
            guard case .bind(let origin, let path, let isReadOnly) = mount.kind else {
                // Secrets and caches count by their names, never by what they hold.
                hasher.add("\(mount.kind)")
                continue
            }
            hasher.add(["bind", path, "\(isReadOnly)"])
            if let source = try await contextSource(origin, plan, contexts, to: &hasher) {
                try await ContentSelection(source: source).add(path: path, to: &hasher)
            }
        }
    }

    /// The context that has to be looked into; other origins are told by their digest or number.
    private static func contextSource(
        _ origin: CopyOrigin, _ plan: BuildPlan, _ contexts: PlanContexts, to hasher: inout KeyHasher
    ) async throws(BuildError) -> ContextSource? {
        switch origin {
        case .context:
            hasher.add("context")
            return try await contexts.main()
        case .stage(let index):
            hasher.add("from \(index)")
            return nil
        case .named(let name):
            guard case .image(let base)? = plan.sources[name] else {
                hasher.add("named context")
                return try await contexts.named(name)
            }
            hasher.add("image \(base.image.manifestDigest)")
            return nil
        }
    }
}
