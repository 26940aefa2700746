import Foundation
import TestSupport
import Testing

/// `slipway dockerfile`, as a person types it.
@Suite(.tags(.endToEnd)) struct DockerfileCommandTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("dockerfile-command") }

    private func slipway(_ arguments: [String], _ dockerfile: String, input: String? = nil) throws -> Shell.Output {
        try Data(dockerfile.utf8).write(to: URL(fileURLWithPath: scratch.file("Dockerfile")))
        return try Shell.run(
            [try Loop.binary, "dockerfile"] + arguments, in: scratch.path, input: input.map { Array($0.utf8) },
            allowFailure: true)
    }

    private func json(_ output: Shell.Output) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(output.stdout.utf8)) as? [String: Any])
    }

    @Test func warningsFailOnlyWhenAskedTo() throws {
        let text = "FROM scratch\nCMD a\n"
        let plain = try slipway(["lint"], text)
        #expect(plain.status == 0)
        #expect(
            plain.stdout == """
                Dockerfile:2:1: warning: CMD in shell form does not pass signals on; write it as a JSON array \
                (JSONArgsRecommended)
                 2 | CMD a
                   | ^

                """)
        #expect(try slipway(["lint", "--error"], text).status == 1)
        #expect(try slipway(["lint"], "# check=error=true\n" + text).status == 1)
        #expect(try slipway(["lint", "--error", "--skip", "JSONArgsRecommended"], text).status == 0)
        #expect(try slipway(["lint", "--skip", "NoSuchRule"], text).status == 64)
        let value = try json(try slipway(["lint", "--output", "json"], text))
        let warning = try #require((value["warnings"] as? [[String: Any]])?.first)
        #expect(warning["rule"] as? String == "JSONArgsRecommended")
        #expect(warning["line"] as? Int == 2 && warning["column"] as? Int == 1)
        #expect(value["passed"] as? Bool == true)
    }

    @Test func errorsHaveTheirPlace() throws {
        let broken = try slipway(["lint", "-"], "", input: "FROM a\nCOPY --form=b c d\n")
        #expect(broken.status == 1)
        #expect(
            broken.stderr == """
                Error: <stdin>:2:6: COPY has no flag '--form'
                 2 | COPY --form=b c d
                   |      ^
                  hint: did you mean --from?

                """)
        let value = try json(try slipway(["lint", "--output", "json"], "FROM a\nRNU x\n"))
        let error = try #require(value["error"] as? [String: Any])
        #expect(error["line"] as? Int == 2 && error["hint"] as? String == "did you mean RUN?")
        #expect(try slipway(["parse"], "FROM a\nRNU x\n").status == 1)
        #expect(try slipway(["parse", "missing"], "").status == 1)
    }

    @Test func theIgnoreFileCounts() throws {
        try Data("secret\n".utf8).write(to: URL(fileURLWithPath: scratch.file(".dockerignore")))
        let found = try slipway(["lint"], "FROM scratch\nCOPY secret /\n")
        #expect(found.stdout.contains("Dockerfile:2:6: warning: COPY takes 'secret'"))
        try Data().write(to: URL(fileURLWithPath: scratch.file("Dockerfile.dockerignore")))
        #expect(try slipway(["lint"], "FROM scratch\nCOPY secret /\n").stdout == "")
    }

    @Test func theTreeAsJSON() throws {
        let value = try json(
            try slipway(
                ["parse", "--output", "json"],
                "# escape=`\nARG V=1\nFROM a:$V AS b\nRUN --mount=type=tmpfs,target=/t <<E `\n  x\nbody\nE\n"))
        #expect((value["directives"] as? [String: Any])?["escape"] as? String == "`")
        let stage = try #require((value["stages"] as? [[String: Any]])?.first)
        #expect(stage["name"] as? String == "b")
        let run = try #require((stage["instructions"] as? [[String: Any]])?.first)
        #expect(run["keyword"] as? String == "RUN" && run["form"] as? String == "shell")
        #expect((run["flags"] as? [[String: String]]) == [["name": "mount", "value": "type=tmpfs,target=/t"]])
        #expect((run["heredocs"] as? [[String: Any]])?.first?["body"] as? String == "body\n")
        let end = (run["range"] as? [String: [String: Int]])?["end"]
        #expect(end == ["line": 7, "column": 2])
    }
}
