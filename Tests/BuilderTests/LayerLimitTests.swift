import Diagnostics
import Sandbox
import TestSupport
import Testing

@testable import Builder

/// Images of very many layers: what the kernel cannot mount is said before a step runs, what engines may not run is noted.
@Suite("Numbers of layers", .tags(.integration), .thorough) struct LayerLimitTests {
    private static func notes(_ log: EventLog) -> [String] {
        log.all.compactMap { if case .note(let text) = $0, text.contains("layers") { text } else { nil } }
    }

    private static func step(_ action: PlannedStep.Action) -> PlannedStep {
        PlannedStep(
            text: "", location: Diagnostics.SourceLocation(file: "Dockerfile", line: 1), action: action, history: nil)
    }

    private static func stage(_ index: Int, on base: PlannedStage.Base, _ steps: [PlannedStep]) -> PlannedStage {
        PlannedStage(
            index: index, name: "\(index)", location: Diagnostics.SourceLocation(file: "Dockerfile", line: 1),
            base: base,
            steps: steps, state: .onScratch, history: [])
    }

    /// Two stages, one on the other: as many layers as `below`, then the last step. Steps without a layer do not count.
    @Test(arguments: [
        (below: 499, isRun: true, isRefused: false), (below: 500, isRun: true, isRefused: true),
        (below: 700, isRun: false, isRefused: false),
    ]) func `RUN stands on as many layers as the kernel mounts`(below: Int, isRun: Bool, isRefused: Bool) {
        let folder = Self.step(.workdir(path: "/a", user: ""))
        let run = Self.step(
            .run(RunStep(arguments: ["true"], environment: [], workingDirectory: "/", user: "")))
        var steps = Array(repeating: folder, count: below - 300) + Array(repeating: Self.step(.metadata), count: 50)
        steps.append(isRun ? run : folder)
        let plan = BuildPlan(
            stages: [
                Self.stage(0, on: .scratch, Array(repeating: folder, count: 300)), Self.stage(1, on: .stage(0), steps),
            ], target: 1, sources: [:], warnings: [])
        #expect((LayerLimits(plan).refusal() != nil) == isRefused)
    }

    @Test func `a RUN step above the kernel's limit is refused before any step`() async throws {
        let bench = try await Workbench(isFast: true)
        guard bench.modes.contains(where: { $0.isolation == .namespaces }) else { return }
        try bench.write("a", "a")
        let log = EventLog()
        // The base has a layer of its own.
        var request = try bench.request("FROM busybox\n" + (0..<499).map { "COPY a /f\($0)\n" }.joined() + "RUN true\n")
        request.isolation = .namespaces
        let builder = try bench.builder()
        let error = await #expect(throws: BuildError.self) { try await builder.build(request) { log.append($0) } }
        #expect(error?.code == .isolation && error?.place?.hasPrefix("Dockerfile:501") == true, "\(error?.place ?? "")")
        #expect(error?.cause == "500 layers are below it, and the kernel mounts 499 at most")
        #expect(!log.all.contains { if case .stepStarted = $0 { true } else { false } })
        #expect(Self.notes(log).count == 1)
    }

    @Test(arguments: [(125, 0), (126, 1)]) func `an image of 127 layers is noted`(steps: Int, notes: Int) async throws {
        let bench = try await Workbench(isFast: true)
        try bench.write("a", "a")
        let dockerfile = "FROM busybox\n" + (0..<steps).map { "COPY a /f\($0)\n" }.joined()
        let result = try await bench.build(dockerfile)
        #expect(result.image.layers.count == steps + 1)
        #expect(Self.notes(result.log).count == notes)
        let single = try await bench.build(dockerfile, tag: "single") { $0.isSingleLayer = true }
        #expect(Self.notes(single.log).isEmpty)
    }
}
