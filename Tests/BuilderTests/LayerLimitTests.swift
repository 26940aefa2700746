import Builder
import Sandbox
import TestSupport
import Testing

/// Images of very many layers: what the kernel cannot mount is said before a step runs, what engines may not run is noted.
@Suite("Numbers of layers", .tags(.integration)) struct LayerLimitTests {
    private static func notes(_ log: EventLog) -> [String] {
        log.all.compactMap { if case .note(let text) = $0, text.contains("layers") { text } else { nil } }
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
