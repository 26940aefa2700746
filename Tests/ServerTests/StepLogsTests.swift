import Builder
import Synchronization
import TestSupport
import Testing

@testable import Agent
@testable import Server

/// A build's log by its steps, as the agent writes it.
@Suite(.tags(.unit)) struct StepLogsTests {
    private static let steps = [
        BuildRecord.Step(stage: "deps", index: 1, count: 1, text: "RUN a", startedAt: 1),
        BuildRecord.Step(stage: "app", index: 1, count: 2, text: "RUN b", startedAt: 1),
        BuildRecord.Step(stage: "app", index: 2, count: 2, text: "RUN c", startedAt: 2),
    ]

    private static func lines(_ logs: StepLogs, _ step: Int) -> [String] {
        (0..<logs.count(of: step)).map { logs.line($0 + 1, of: step) }
    }

    @Test func `lines are of the step that they name, else of the one that was named last`() {
        let text = """
            Building web from Dockerfile: there is no image
              base busybox sha256:aa (1 kB)
              [deps 1/1] RUN a
                not cached: it is new
                | first
              [app 1/2] RUN b
                | other
                [deps 1/1] | second
                | [deps 1/1] is text here
                | [app 2/2] | so is this
              [deps 1/1] took 1.5 s
                layer sha256:bb (2 kB)
              [unknown 1/1] RUN x
              [app 2/2] RUN c
                |   indented
            … 7 lines were left out here: the log was too long
                | of whom it is, is not known
            error: no
            """
        let logs = StepLogs(Array(text.utf8), of: Self.steps, isComplete: true)
        #expect(
            Self.lines(logs, 0) == [
                "Building web from Dockerfile: there is no image", "  base busybox sha256:aa (1 kB)",
                "  [unknown 1/1] RUN x", "… 7 lines were left out here: the log was too long",
                "of whom it is, is not known", "error: no",
            ])
        #expect(Self.lines(logs, 1) == ["not cached: it is new", "first", "second", "layer sha256:bb (2 kB)"])
        #expect(Self.lines(logs, 2) == ["other", "[deps 1/1] is text here", "[app 2/2] | so is this"])
        #expect(Self.lines(logs, 3) == ["  indented"])
        #expect(logs.count(of: 99) == 0 && logs.count(of: -1) == 0)
    }

    @Test(arguments: [
        "", "\n", "  [", "  []", "    [", "    [deps 1/1]", "   ", "  [deps 1/1", "    |", "\u{fffd}\n\n",
    ])
    func `what is no line of the agent's harms nothing`(_ text: String) {
        let logs = StepLogs(Array(text.utf8), of: Self.steps, isComplete: true)
        let all = (0...3).reduce(0) { $0 + logs.count(of: $1) }
        #expect(all <= text.split(separator: "\n", omittingEmptySubsequences: false).count)
    }

    @Test func `a search looks through colours, and knows no capitals`() {
        let text =
            "  [deps 1/1] RUN a\n    | Plain ERROR\n    | \u{1b}[31mer\u{1b}[0mror in red\n    | fine\n    | GRÖßE\n"
        let logs = StepLogs(Array(text.utf8), of: Self.steps, isComplete: true)
        #expect(logs.lines(of: 1, with: "Error", limit: 10) == [1, 2])
        #expect(logs.lines(of: 1, with: "größe", limit: 10) == [4])
        #expect(logs.lines(of: 1, with: "e", limit: 1) == [1])
        #expect(logs.lines(of: 2, with: "e", limit: 1).isEmpty && logs.lines(of: 1, with: "", limit: 9).isEmpty)
    }

    /// What the agent writes is what the page reads: also where steps run side by side, and end too soon for a word of it.
    @Test func `the agent's own lines come back to their steps`() {
        let lines = Mutex<[String]>([])
        let progress = BuildProgress { line in lines.withLock { $0.append(line) } }
        func output(_ stage: String, _ text: String) {
            progress.handle(.inStage(stage, .stepOutput(.stdout, Array("\(text)\n".utf8))))
        }
        progress.handle(.inStage("deps", .stepStarted(stage: "deps", index: 1, of: 1, text: "RUN a", location: nil)))
        output("deps", "deps one")
        progress.handle(.inStage("app", .stepStarted(stage: "app", index: 1, of: 2, text: "RUN b", location: nil)))
        output("deps", "deps two")
        output("app", "app one")
        progress.handle(.inStage("deps", .stepFinished(duration: .milliseconds(5))))
        output("app", "app two")
        progress.handle(.inStage("deps", .note("of nothing")))
        progress.handle(.inStage("app", .stepFinished(duration: .seconds(2))))
        progress.handle(.inStage("app", .stepStarted(stage: "app", index: 2, of: 2, text: "RUN c", location: nil)))
        output("app", "app three")
        let written = lines.withLock(\.self)
        let logs = StepLogs(Array(written.joined(separator: "\n").utf8), of: Self.steps, isComplete: true)
        #expect(Self.lines(logs, 1) == ["deps one", "deps two"], "\(written)")
        #expect(Self.lines(logs, 2) == ["app one", "app two"], "\(written)")
        #expect(Self.lines(logs, 3) == ["app three"], "\(written)")
    }
}
