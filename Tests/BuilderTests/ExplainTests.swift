import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// Why a step was not in the cache: the first thing that is not as it was.
@Suite(.tags(.integration), .thorough) struct ExplainTests {
    private func reasons(
        _ bench: Workbench, _ text: String, state: String = "state",
        adjust: (inout BuildRequest) throws -> Void = { _ in }
    ) async throws -> [String] {
        let result = try await bench.build(text, state: state) {
            $0.explainsCache = true
            try adjust(&$0)
        }
        let told = result.log.all.compactMap { if case .stepExplained(let text) = $0 { text } else { nil } }
        #expect(told == result.image.steps.compactMap(\.reason))
        return told
    }

    @Test func namesTheFileAndHowItChanged() async throws {
        let bench = try await Workbench()
        try bench.write("src/one", "1")
        try bench.write("src/two", "2")
        try bench.link("src/link", to: "one")
        let text = "FROM busybox\nCOPY src /src\n"
        #expect(try await reasons(bench, text) == ["nothing like it was made before"])
        #expect(try await reasons(bench, text) == [])
        try bench.write("src/two", "changed")
        #expect(try await reasons(bench, text) == ["src/two: its content differs"])
        try bench.write("src/two", "changed", mode: 0o600)
        #expect(try await reasons(bench, text) == ["src/two: its mode is 600, and was 644"])
        try bench.write("src/three", "3")
        #expect(try await reasons(bench, text) == ["src/three is new"])
        try FileManager.default.removeItem(atPath: bench.directory.file("context/src/one"))
        #expect(try await reasons(bench, text) == ["src/one is gone"])
        try FileManager.default.removeItem(atPath: bench.directory.file("context/src/link"))
        try bench.link("src/link", to: "two")
        #expect(try await reasons(bench, text) == ["src/link: it leads to another place"])
        #expect(try await reasons(bench, text) { $0.noCache = true } == ["it was not looked for"])
    }

    @Test func namesVariablesButNotTheirValues() async throws {
        let bench = try await Workbench()
        let text = "FROM busybox\nARG seen\nARG other=1\nRUN echo $seen\n"
        _ = try await reasons(bench, text) { $0.buildArguments = [("seen", "letmein")] }
        let changed = try await reasons(bench, text) { $0.buildArguments = [("seen", "hunter2")] }
        #expect(changed == ["the variable seen differs"])
        let files = try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/records"))
        #expect(files.count == 2)
        for file in files {
            let record = try String(contentsOfFile: bench.directory.file("state/records/\(file)"), encoding: .utf8)
            #expect(!record.contains("letmein") && !record.contains("hunter2"))
        }
        #expect(
            try await reasons(bench, "FROM busybox\nARG seen\nENV more=1\nARG other=1\nRUN echo $seen\n") {
                $0.buildArguments = [("seen", "hunter2")]
            } == ["the variable more is new"])
    }

    @Test func namesTheInstructionTheBaseAndTheStepBelow() async throws {
        let bench = try await Workbench(ownsBase: true)
        let first = "FROM busybox\nRUN echo 1 > /x\nRUN echo 2 > /y\n"
        _ = try await reasons(bench, first)
        #expect(
            try await reasons(bench, "FROM busybox\nRUN echo 3 > /x\nRUN echo 2 > /y\n") == [
                "the instruction was 'RUN echo 1 > /x'",
                "what is below it differs: a step before it gave another layer",
            ])
        #expect(
            try await reasons(bench, first) {
                $0.platform = .host; $0.date(by: 1_700_000_000)
            }
            .first?.hasPrefix("the newest time that it may tell is ") == true)
        _ = try ImageFixtures.busybox(at: bench.directory.file("base"), environment: ["PATH=/bin", "NEW=1"])
        let base = try await reasons(bench, first)
        #expect(base.first?.hasPrefix("the base image ") == true, "\(base)")
        // A stage that files are taken from.
        func stages(_ number: Int) -> String {
            "FROM busybox AS made\nRUN echo \(number) > /f\nFROM busybox\nCOPY --from=made /f /g\n"
        }
        _ = try await reasons(bench, stages(1))
        #expect(try await reasons(bench, stages(2)).last == "what it takes from the stage made differs")
    }

    @Test func theSharedCacheRemembersToo() async throws {
        let bench = try await CacheBench()
        let text = "FROM busybox\nCOPY a /a\n"
        let cache = try bench.cache()
        _ = try await bench.build(text, state: "one") { $0.remoteCache = cache }
        try bench.bench.write("a", "changed")
        let second = try await bench.build(text, state: "two") {
            $0.remoteCache = cache
            $0.explainsCache = true
        }
        #expect(second.reasons == ["a: its content differs"])
    }
}
