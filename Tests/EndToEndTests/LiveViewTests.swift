import Foundation
import TestSupport
import Testing

/// `slipway build` on a terminal: a pseudo-terminal of script(1), whose output goes through a screen of the tests' own.
@Suite(.tags(.endToEnd)) struct LiveViewTests {
    private let scratch: TemporaryDirectory

    init() throws {
        scratch = try TemporaryDirectory("live-view")
        try ImageFixtures.busybox(at: scratch.file("base"))
        try Shell.run(["mkdir", "-p", scratch.file("context")])
    }

    /// Two stages that wait for each other, and then for a while, so that the view shows both.
    private func dockerfile(one: String = "sleep 0.5", two: String = "sleep 0.5") -> String {
        let wait = #"n=0; until [ -e /m/$O ] || [ $n = 300 ]; do n=$((n+1)); sleep 0.05; done"#
        return """
            FROM busybox AS one
            RUN --mount=type=cache,id=m,target=/m touch /m/1; O=2; \(wait); printf '\\033[31mfrom-one\\033[0m \\303\\274\\tis longer than forty columns, by far\\n'; \(one); echo > /x
            FROM busybox AS two
            RUN --mount=type=cache,id=m,target=/m touch /m/2; O=1; \(wait); printf 'from-two \\033]0;title\\007\\346\\227\\245\\n'; \(two); echo > /y
            FROM scratch
            COPY --from=one /x /
            COPY --from=two /y /
            """
    }

    private func run(
        _ dockerfile: String, columns: Int = 100, rows: Int = 24, signal: String? = nil
    ) throws -> (status: Int32, screen: TerminalScreen, raw: String) {
        try Data(dockerfile.utf8).write(to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
        let command =
            [
                try Loop.binary, "build", "--context", scratch.file("context"), "--state-dir", scratch.file("state"),
                "--build-context", "busybox=oci-layout://\(scratch.file("base"))", "--no-push", "--no-cache", "--jobs",
                "2",
            ]
        try Data(
            """
            stty cols \(columns) rows \(rows)
            echo $$ > \(scratch.file("pid"))
            exec env --default-signal=INT,TERM \(command.joined(separator: " "))
            """.utf8
        ).write(to: URL(fileURLWithPath: scratch.file("run.sh")))
        let raw = scratch.file("raw")
        // A shell lets its background commands ignore SIGINT; `env` takes that back.
        let kill = signal.map {
            """
            n=0; until { grep -q from-one \(raw) && grep -q from-two \(raw); } || [ $n = 400 ]; do n=$((n+1)); sleep 0.05; done
            kill -\($0) $(cat \(scratch.file("pid")))
            """
        }
        let output = try Shell.run(
            [
                // Swift's threads block signals, and a shell that inherits that never hears that its command ended.
                "--default-signal", "sh", "-c",
                """
                script -qec 'exec sh \(scratch.file("run.sh"))' /dev/null < /dev/null > \(raw) & p=$!
                \(kill ?? "")
                wait $p
                """,
                // script(1) takes the user's shell, and one that waits for its command tells of a signal itself.
            ], environment: ["HOME": scratch.path, "TERM": "xterm", "SHELL": "/bin/sh"], allowFailure: true)
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: raw)), as: UTF8.self)
        return (output.status, TerminalScreen(columns: columns, text), text)
    }

    /// Nothing of the view is left, and the terminal is as it was.
    private func isClean(_ screen: TerminalScreen) -> Bool {
        // Colours that a failed step printed are in the error as they were.
        screen.unknown.allSatisfy { $0.hasSuffix("m") } && screen.isCursorVisible && screen.cursorColumn == 0
            && !screen.text.contains { $0.contains("building ") }
    }

    @Test func `stages side by side`() throws {
        let (status, screen, raw) = try run(dockerfile())
        #expect(status == 0, "\(raw)")
        #expect(isClean(screen), "\(screen.text)")
        let both = screen.erased.filter { frame in
            frame.contains { $0.hasPrefix("[one 1/1]") } && frame.contains { $0.hasPrefix("[two 1/1]") }
        }
        #expect(both.allSatisfy { $0.last { !$0.isEmpty }?.hasPrefix("building") == true })
        #expect(screen.erased.allSatisfy { $0.allSatisfy { $0.count < 100 } }, "\(screen.erased)")
        // Times are there also where the text is cut.
        let head = both.last?.first { $0.hasPrefix("[one 1/1]") } ?? ""
        #expect(head.hasSuffix("s") && head.contains("… "), "\(head)")
        #expect(
            both.contains { frame in
                frame.contains { $0.hasPrefix("    from-one ü is longer") } && frame.contains("    from-two ?")
            }, "\(both)")
        let whole = screen.text.joined()
        for text in ["[one 1/1] RUN ", "[two 1/1] RUN ", "[stage-2 2/2] COPY --from=two /y / "] {
            #expect(whole.contains(text))
        }
        #expect(screen.text.last?.hasPrefix("sha256:") == true)
    }

    @Test func `a terminal with less columns and lines than there is to show`() throws {
        let (status, screen, raw) = try run(dockerfile(), columns: 40, rows: 3)
        #expect(status == 0 && isClean(screen), "\(raw)")
        #expect(screen.erased.allSatisfy { $0.allSatisfy { $0.count < 40 } }, "\(screen.erased)")
        #expect(screen.erased.allSatisfy { $0.filter { !$0.isEmpty }.count < 3 }, "\(screen.erased)")
        #expect(screen.erased.contains { $0.contains { $0.hasPrefix("building") && $0.hasSuffix("1 more under way") } })
        #expect(screen.text.joined().suffix(71).hasPrefix("sha256:"))
    }

    @Test func `a step that fails`() throws {
        let (status, screen, raw) = try run(dockerfile(one: "echo gone wrong; exit 7"))
        #expect(status == 1 && isClean(screen), "\(raw)")
        let whole = screen.text.joined()
        #expect(whole.contains("Error: Dockerfile:2:1: the command failed with exit code 7"))
        #expect(screen.text.last?.contains("gone wrong") == true, "\(screen.text)")
    }

    @Test(arguments: [("INT", 2), ("TERM", 15)] as [(String, Int32)]) func `a signal`(name: String, number: Int32)
        throws
    {
        let (status, screen, raw) = try run(dockerfile(one: "sleep 60", two: "sleep 60"), signal: name)
        #expect(status == 128 + number, "\(raw)")
        #expect(isClean(screen), "\(screen.text)")
        #expect(screen.text.last == "interrupted by SIG\(name)")
        let whole = screen.text.joined()
        #expect(whole.contains("[one 1/1] RUN") && whole.contains("interrupted after"), "\(screen.text)")
    }
}
