import Diagnostics
import TestSupport
import Testing

@testable import Dockerfile

/// Nothing here may trap, overflow the stack or take long.
@Suite("Hostile input", .tags(.unit), .thorough) struct HostileTests {
    @Test("10 MB in one instruction, and in many")
    func large() throws {
        let line = String(repeating: "x", count: 50_000)
        let joined = "FROM a\nRUN " + String(repeating: line + "\\\n", count: 200)
        #expect(try parse(joined).stages[0].instructions[0].original.utf8.count == 10_000_004)
        let many = "FROM a\n" + String(repeating: "ENV a=b\n", count: 50_000)
        #expect(try parse(many).stages[0].instructions.count == 50_000)
        #expect(throws: DockerfileError.self) {
            try Dockerfile.parse([UInt8](repeating: 0x0a, count: Dockerfile.sizeLimit + 1))
        }
    }

    @Test("10 000 stages in a row, each on the one before and copying from it")
    func stages() throws {
        var text = "FROM scratch AS s0\n"
        for index in 1..<10_000 { text += "FROM s\(index - 1) AS s\(index)\nCOPY --from=s\(index - 1) a b\n" }
        let result = try graph(text)
        #expect(result.order.count == 10_000)
        #expect(result.nodes[9_999].dependencies == [9_998])
        #expect(failure(String(repeating: "FROM a\n", count: Dockerfile.stageLimit + 1))?.code == .limit)
    }

    @Test("a cycle through 3000 stages")
    func cycle() {
        var text = ""
        for index in 0..<3_000 { text += "FROM a AS s\(index)\nCOPY --from=s\((index + 1) % 3_000) a b\n" }
        let error = graphFailure(text)
        #expect(error?.code == .cycle)
        #expect((error?.description.utf8.count ?? 0) < 600)
    }

    @Test(
        "odd bytes anywhere",
        arguments: [
            "\0", "FROM a\n\0", "FROM a\nRUN \0", "FROM a\nCOPY \0 \0", "FROM \0 AS \0", "FROM a\nENV \0=\0",
            "FROM a\nRUN <<\0\n\0",
            "FROM a\nENV a=\"", "FROM a\nENV a=\\", "FROM a\nENV '", "FROM a\nCOPY --", "FROM a\nCOPY --=",
            "FROM a\nCOPY --a=\"",
            "FROM a\nRUN --mount", "FROM a\nRUN --mount=,,,= x", "FROM a\nRUN --mount=\\\" x", "FROM a\nHEALTHCHECK \\",
            "# escape",
            "# =", "#=\n", "# check=;\nFROM a", "FROM a\nRUN <<\"\nx", "FROM a\nRUN <<'' x\n", "FROM a\nCMD [\"\\u",
            "FROM a\nCMD [\"\\ud800\\u",
            "FROM --", "FROM -- a", "FROM --platform= a", "FROM a\nLABEL $", "FROM a\nONBUILD \\", "\r\r\r",
            "FROM a\r\r\n", "FROM a\nRUN --mount=\"",
        ])
    func odd(_ text: String) {
        guard let file = try? parse(text) else { return }
        for instruction in file.stages.flatMap(\.instructions) { _ = try? instruction.expanded { _ in "v" } }
        _ = try? StageGraph.resolve(file, platform: "linux/amd64").lint()
    }

    @Test("every prefix and every single deletion of a rich file")
    func mutations() throws {
        let text = Array(
            """
            # syntax=docker/dockerfile:1
            # escape=\\
            ARG V=1 W
            FROM --platform=$BUILDPLATFORM a:${V:-x} AS b
            # c
            RUN --mount=type=cache,target=/x,sharing=locked --mount=type=secret,id=s <<-'E' cat <<F
            \ta
            \tE
            b
            F
            COPY --from=b --chown=1:2 --exclude=*.o ["a b", "${V%%.*}/"]
            ENV a="b\\"c" d='e' \\
              f=${V//x/\\}y}
            HEALTHCHECK --interval=1m30s --retries=2 CMD ["x", "\\u00e9"]
            ONBUILD ADD --checksum=sha256:x http://a/b <<H /
            h
            H
            EXPOSE 80-90/udp $V

            """.utf8)
        for index in text.indices {
            for bytes in [Array(text[..<index]), Array(text[..<index] + text[(index + 1)...])] {
                guard let file = try? Dockerfile.parse(bytes) else { continue }
                for instruction in file.stages.flatMap(\.instructions) { _ = try? instruction.expanded { _ in "v.w" } }
                _ = try? StageGraph.resolve(file, platform: "linux/amd64").lint()
            }
        }
    }

    @Test("expansion that doubles with every instruction stops")
    func doubling() throws {
        var value = "0123456789"
        var isStopped = false
        for _ in 0..<64 {
            let env = try instructions("ENV a=$a$a")[0]
            guard case .env(let expanded) = try? env.expanded({ _ in value }).instruction.kind else {
                isStopped = true
                break
            }
            value = expanded.pairs[0].value
        }
        #expect(isStopped)
    }

    @Test("words of megabytes")
    func longWords() throws {
        let dollars = String(repeating: "$a", count: 200_000)
        #expect(try WordExpander().expand(dollars) { _ in "" } == "")
        let quotes = String(repeating: "'a'\"b\"", count: 100_000)
        #expect(try WordExpander().expand(quotes) { _ in nil }.utf8.count == 200_000)
        #expect(throws: DockerfileError.self) {
            try WordExpander().expand(String(repeating: "'a", count: 100_001)) { _ in nil }
        }
    }

    @Test("values that double, a thousand times over")
    func values() throws {
        let big = "ENV v0=" + String(repeating: "x", count: 1000) + "\n"
        let doubling = (1...9).map { "ENV v\($0)=$v\($0 - 1)$v\($0 - 1)\n" }.joined()
        let copies = (0..<2_000).map { "ENV c\($0)=$v9\n" }.joined()
        // A gigabyte, when all of it were kept.
        _ = try graph("FROM scratch\n" + big + doubling + copies).lint()
        let globals = (big + doubling + copies).replacing("ENV", with: "ARG")
        #expect(graphFailure(globals + "FROM a")?.code == .limit)
    }

    @Test("triggers that multiply")
    func triggers() throws {
        let base = "FROM scratch AS a\n" + String(repeating: "ONBUILD LABEL a=b\n", count: 500)
        #expect(try graph(base + String(repeating: "FROM a\n", count: 20)).nodes[20].instructions.count == 500)
        let error = graphFailure(base + String(repeating: "FROM a\n", count: 21))
        #expect(error?.code == .limit)
        #expect(error?.location?.line == 522)
        var images = try graph(String(repeating: "FROM a\n", count: 21))
        let texts = [String](repeating: "LABEL a=b", count: 500)
        for index in 0..<20 { try images.insertTriggers(texts, into: index) }
        #expect(throws: DockerfileError.self) { try images.insertTriggers(texts, into: 20) }
        #expect(throws: DockerfileError.self) {
            var one = try graph("FROM a")
            try one.insertTriggers([String](repeating: "LABEL a=b", count: 10_001), into: 0)
        }
    }

    @Test("many patterns over long paths, and patterns of stars only")
    func patterns() throws {
        let path = (0..<50).map { "directory\($0)" }.joined(separator: "/")
        let stars = String(repeating: "**/a*b*c*?", count: 12)
        let matcher = try IgnoreMatcher(file: Array((0..<10).map { "\(stars)\($0)\n" }.joined().utf8))
        #expect(!matcher.excludes(path))
        let exponential = try IgnoreMatcher(patterns: [String(repeating: "*a", count: 100) + "b"])
        #expect(!exponential.excludes(String(repeating: "a", count: 1_000)))
        #expect(try IgnoreMatcher(patterns: ["**/x"]).excludes(String(repeating: "a/", count: 2_000) + "x"))
        // The parents are judged in passing: looked at one by one, they would take minutes.
        let long = try IgnoreMatcher(patterns: ["**/" + String(repeating: "a*/", count: 400) + "b?"])
        let deep = String(repeating: "a/", count: 2_000)
        #expect(!long.excludes(deep + "c"))
        #expect(long.excludes(deep + "bb/" + deep + "c"))
    }
}
