import Diagnostics
import TestSupport
import Testing

@testable import Dockerfile

/// What a user gets to read.
@Suite("Messages", .tags(.unit)) struct MessageTests {
    @Test(
        "rendered",
        arguments: [
            (
                "FROM alpine\nRNU apk add curl",
                """
                Dockerfile:2:1: unknown instruction 'RNU'
                 2 | RNU apk add curl
                   | ^
                  hint: did you mean RUN?
                """
            ),
            (
                "FROM alpine\n\nCOPY --form=build /a \\\n  /b",
                """
                Dockerfile:3:6: COPY has no flag '--form'
                 3 | COPY --form=build /a \\
                   |      ^
                  hint: did you mean --from?
                """
            ),
            (
                "FROM alpine\nRUN --mount=type=chache,target=/x \\\n    true",
                """
                Dockerfile:2:18: unknown mount type 'chache'
                 2 | RUN --mount=type=chache,target=/x \\
                   |                  ^
                  hint: did you mean cache?
                """
            ),
            (
                "FROM alpine\nENV a=1 \\\n\tb 2",
                """
                Dockerfile:3:2: 'b' is not of the form KEY=VALUE
                 3 | \tb 2
                   | \t^
                  hint: a value with blanks must stand in quotes
                """
            ),
            (
                "FROM alpine\nCMD [\"a\", 1]",
                """
                Dockerfile:2:1: the JSON array may hold strings only
                 2 | CMD ["a", 1]
                   | ^
                  hint: put every element into double quotes, or write the command without brackets
                """
            ),
            (
                "FROM alpine\nRUN cat <<EOF\nx",
                """
                Dockerfile:2:9: the heredoc 'EOF' has no end
                 2 | RUN cat <<EOF
                   |         ^
                  hint: end it with a line that is exactly EOF
                """
            ),
            (
                "RUN x",
                """
                Dockerfile:1:1: RUN cannot stand before the first FROM
                 1 | RUN x
                   | ^
                  hint: begin with FROM IMAGE; only ARG may come before it
                """
            ),
            (
                "FROM alpine A build",
                """
                Dockerfile:1:13: between the image and the stage's name belongs AS, not 'A'
                 1 | FROM alpine A build
                   |             ^
                  hint: write FROM [--platform=PLATFORM] IMAGE [AS NAME]
                """
            ),
        ])
    func rendered(_ text: String, _ message: String) {
        #expect(failure(text)?.description == message)
    }

    @Test("of the graph")
    func graphMessages() {
        #expect(
            graphFailure("ARG VERSION\nFROM ${VERSOIN}")?.description == """
                Dockerfile:2:6: the base image '${VERSOIN}' is empty after expansion
                 2 | FROM ${VERSOIN}
                   |      ^
                  hint: did you mean $VERSION?
                """)
        #expect(
            graphFailure("FROM a AS x\nCOPY --from=y a b\nFROM a AS y\nCOPY --from=x a b")?.summary
                == "stages take files from each other: x → y → x")
    }

    @Test("foreign text is shown within bounds")
    func bounded() {
        let long = "FROM a\n" + String(repeating: "X", count: 60_000)
        #expect((failure(long)?.description.utf8.count ?? 0) < 500)
        let controls = failure("FROM a\n\u{1b}[31mRNU x\u{7}")?.description ?? ""
        #expect(!controls.utf8.contains(0x1b) && !controls.utf8.contains(0x07))
        let middle = "FROM a\nCOPY " + String(repeating: "é", count: 500) + " --x"
        #expect(failure(middle + "\nFOO")?.location?.line == 3)
        let cases = "FROM a\nENV " + String(repeating: "a=é ", count: 500) + "broken"
        #expect(failure(cases)?.excerpt?.contains("broken") == true)
    }
}
