import Diagnostics
import TestSupport
import Testing
import YAML

@Suite(.tags(.unit))
struct DecodingTests {
    private struct Repository: Equatable {
        var name: String
        var interval: Duration?
        var depth: Int
        var paths: [String]
        var mode: Mode
        var labels: [String: String]
        var isActive: Bool
    }

    private enum Mode: String, CaseIterable { case fast, careful }

    private func read(_ text: String) throws(YAMLError) -> [Repository] {
        guard let top = try YAMLValue.document(Array(text.utf8), file: "agent.yaml") else { return [] }
        return try top.object { (top) throws(YAMLError) in
            try top.required("repositories").list { (item) throws(YAMLError) in
                try item.object { (item) throws(YAMLError) in
                    Repository(
                        name: try item.required("name").nonEmptyString(),
                        interval: try item.optional("interval")?.duration(),
                        depth: try item.optional("depth")?.integer(in: 1...10) ?? 1,
                        paths: try item.optional("paths")?.stringOrStrings() ?? [],
                        mode: try item.optional("mode")?.choice() ?? .fast,
                        labels: Dictionary(
                            uniqueKeysWithValues: try item.optional("labels")?.stringEntries().map {
                                ($0.key, $0.value)
                            } ?? []),
                        isActive: try item.optional("active")?.bool() ?? true)
                }
            }
        }
    }

    private func failure(_ text: String) throws -> YAMLError {
        try #require(#expect(throws: YAMLError.self) { try read(text) })
    }

    @Test func everyTypeIsRead() throws {
        let text = """
            x: &defaults
              interval: 1h30m
            """
        #expect(throws: YAMLError.self) { try read(text) }
        let repositories = try read(
            """
            repositories:
              - &first
                name: 1.10
                interval: 1h30m
                depth: 3
                paths: [a/*, "b"]
                mode: careful
                labels: {b: "1", a: two}
                active: false
              - <<: *first
                name: other
                paths: only
                depth:
            """)
        let first = Repository(
            name: "1.10", interval: .seconds(5400), depth: 3, paths: ["a/*", "b"], mode: .careful,
            labels: ["b": "1", "a": "two"], isActive: false)
        var other = first
        (other.name, other.paths, other.depth) = ("other", ["only"], 1)
        #expect(repositories == [first, other])
        #expect(try read("# nothing\n") == [])
    }

    @Test func unknownKeysAreRefusedWithASuggestion() throws {
        let error = try failure("repositories:\n  - name: a\n    intervall: 5m\n")
        #expect(error.code == .unknownKey)
        #expect(error.location == SourceLocation(file: "agent.yaml", line: 3, column: 5))
        #expect(error.path == "repositories[0]")
        #expect(error.summary == "repositories[0]: unknown key 'intervall'")
        #expect(error.hint == "did you mean 'interval'?")
        #expect(try failure("repositories: []\nqqq: 1\n").hint == "known here: repositories")
    }

    @Test func aMissingKeyIsNamed() throws {
        let error = try failure("repositories:\n  - paths: []\n")
        #expect(error.code == .missingKey)
        #expect(error.summary == "repositories[0]: 'name' is missing")
    }

    @Test func `a key that is missing because it is misspelt is told as misspelt`() throws {
        let error = try failure("repositories:\n  - paths: []\n    nmae: a\n")
        #expect(error.code == .unknownKey)
        #expect(error.location == SourceLocation(file: "agent.yaml", line: 3, column: 5))
        #expect(error.summary == "repositories[0]: unknown key 'nmae'")
        #expect(error.hint == "did you mean 'name'?")
    }

    @Test func duplicatesAreRefused() throws {
        let error = try failure("repositories:\n  - name: a\n    name: b\n")
        #expect(error.code == .duplicateKey)
        #expect(error.location?.line == 3)
        #expect(error.summary == "repositories[0].name: is set twice")
    }

    @Test(arguments: [
        ("name: [a]", "repositories[0].name: expected a text, found a list"),
        ("name: {a: b}", "repositories[0].name: expected a text, found a mapping"),
        ("name: ''", "repositories[0].name: must not be empty"),
        ("{name: a, interval: 5}", "repositories[0].interval: '5' is not a duration"),
        ("{name: a, interval: 5 m}", "repositories[0].interval: '5 m' is not a duration"),
        ("{name: a, depth: 11}", "repositories[0].depth: 11 is out of range"),
        ("{name: a, depth: x}", "repositories[0].depth: 'x' is not a whole number"),
        ("{name: a, paths: {}}", "repositories[0].paths: expected a list, found a mapping"),
        ("{name: a, paths: [[]]}", "repositories[0].paths[0]: expected a text, found a list"),
        ("{name: a, mode: carefull}", "repositories[0].mode: 'carefull' is not allowed here"),
        ("{name: a, labels: [a]}", "repositories[0].labels: expected a mapping, found a list"),
        ("{name: a, labels: {a b: [x]}}", "repositories[0].labels.\"a b\": expected a text, found a list"),
        ("{name: a, active: yes}", "repositories[0].active: 'yes' is neither true nor false"),
        ("just text", "repositories[0]: expected a mapping, found a text"),
    ])
    func mistakesAreNamedWithTheirPath(_ text: String, _ summary: String) throws {
        let error = try failure("repositories:\n- \(text)\n")
        #expect(error.summary == summary)
        #expect(error.location?.line == 2)
    }

    @Test func hintsSayWhatToWrite() throws {
        #expect(try failure("repositories: [{name: a, interval: 5}]").hint == "add a unit: 5s or 5m")
        #expect(
            try failure("repositories: [{name: a, mode: carefull}]").hint
                == "did you mean 'careful'? Allowed: fast, careful")
    }

    @Test func aSecondDocumentIsRefused() throws {
        let error = try failure("repositories: []\n---\na: b\n")
        #expect(error.location?.line == 3)
    }

    @Test(arguments: [
        ("30s", 30.0), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172_800), ("1.5h", 5400), ("0", 0),
        ("0s", 0),
        ("1us", 0.000001), ("0.1s", 0.1),
    ])
    func durations(_ text: String, _ seconds: Double) { #expect(DurationText.parse(text) == .seconds(seconds)) }

    @Test(arguments: [
        "", "5", "m", "5x", "-5s", "5s5", "1.s", "1..5s", "9999999999999d", "99999999999999999999s", "5 s",
        "1.0000000001s", "٣s",
    ])
    func noDurations(_ text: String) { #expect(DurationText.parse(text) == nil) }
}
