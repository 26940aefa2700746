import Dockerfile
import OCI
import TestSupport
import Testing

@testable import Builder

/// What many variables cost: told by how often the lists that hold them move in memory, which each copy of them does. A list
/// that grows in place moves each time that it doubles.
@Suite("Work of variables", .tags(.unit), .thorough) struct EnvironmentWorkTests {
    /// A file of a kind, with one line for each number.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var base = 0
        let line: @Sendable (Int) -> String
    }

    private static let cases = [
        Case(testDescription: "ENV of new names") { "ENV N\($0)=value-$PATH" },
        Case(testDescription: "ENV of one name") { "ENV N=\($0)" },
        Case(testDescription: "ARG") { "ARG N\($0)=${PATH}" },
        Case(testDescription: "ENV and ARG in turn") { $0 % 2 == 0 ? "ENV E\($0)=$PATH" : "ARG A\($0)=$PATH" },
        Case(testDescription: "ENV on a base with 100,000 variables", base: 100_000) { "ENV N\($0)=${BASE7}" },
        Case(testDescription: "ENV of the names of a large base", base: 100_000) { "ENV BASE\($0)=$BASE7" },
        Case(testDescription: "LABEL on a large base", base: 100_000) { "LABEL l\($0)=$BASE7" },
    ]

    /// How often the lists moved while `count` lines were applied.
    private func moves(_ test: Case, lines count: Int) throws -> Int {
        let text = "FROM scratch\n" + (0..<count).map { test.line($0) + "\n" }.joined()
        let dockerfile = try Dockerfile.parse(Array(text.utf8))
        let instructions = try #require(dockerfile.stages.first).instructions
        #expect(instructions.count == count)
        var config = ContainerConfig()
        config.env = (0..<test.base).map { "BASE\($0)=\($0)" } + ["PATH=/bin"]
        let context = EmptyContext()
        var planner = StagePlanner(
            BuildRequest(context: context, createdAt: 0), state: StageState(config: config, author: nil),
            globalValue: { _ in nil }, origin: { (_, _) throws(BuildError) in .context })
        // The first line makes the base's list the stage's own.
        try planner.apply(try #require(instructions.first))
        var places = Self.places(of: planner.state)
        var moves = 0
        for instruction in instructions.dropFirst() {
            try planner.apply(instruction)
            let now = Self.places(of: planner.state)
            moves += zip(places, now).count { $0 != $1 }
            places = now
        }
        return moves
    }

    private static func places(of state: StageState) -> [UInt] {
        [
            state.variables.pairs.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) },
            state.arguments.pairs.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) },
            state.config.env.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) },
        ]
    }

    @Test(arguments: cases) func `a line costs the same after ten thousand others`(test: Case) throws {
        let few = try moves(test, lines: 1_000)
        let many = try moves(test, lines: 10_000)
        // Three lists, each of which doubles four times more.
        #expect(few <= 40, "lists moved \(few) times in 1,000 lines")
        #expect(many <= few + 15, "lists moved \(few) times in 1,000 lines and \(many) times in 10,000")
    }

    @Test func `a name that a base gives twice is kept once, in its first place`() {
        var config = ContainerConfig()
        config.env = ["A=1", "B", "A=2", "PATH=/bin"]
        var state = StageState(config: config, author: nil)
        #expect(state.config.env == ["A=1", "B", "A=2", "PATH=/bin"])
        state.setEnvironment("C", "3")
        #expect(state.config.env == ["A=2", "B=", "PATH=/bin", "C=3"])
        state.setEnvironment("A", "4")
        #expect(state.config.env == ["A=4", "B=", "PATH=/bin", "C=3"])
        #expect(state.variables.pairs.map { "\($0.0)=\($0.1)" } == state.config.env)
    }
}
