import OCI
import Registry

extension Builder {
    /// What a build would do, one line a stage and a step, without doing it.
    package func outline(_ request: BuildRequest) async throws(BuildError) -> [String] {
        let contexts = try PlanContexts(request, builder: self)
        let plan = try await planner(request, contexts).plan()
        var lines: [String] = []
        for stage in plan.stages {
            let base: String
            switch stage.base {
            case .scratch: base = "scratch"
            case .stage(let index): base = plan.stage(index).map { "stage \($0.name)" } ?? "stage \(index)"
            case .image(let image): base = "\(image.name)@\(image.image.manifestDigest)"
            }
            let role = stage.index == plan.target ? "target" : "needed"
            lines.append("\(stage.location): stage \(stage.name) (\(role)) from \(base)")
            for step in stage.steps { lines.append("\(step.location):   \(step.text)") }
        }
        return lines
    }
}
