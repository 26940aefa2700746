import TestSupport
import Testing

@testable import Dockerfile

/// Section 2.
@Suite("Heredocs", .tags(.unit)) struct HeredocTests {
    @Test(
        "operators",
        arguments: [
            ("RUN <<EOF", ["EOF"]), ("RUN cat <<EOF > x", ["EOF"]), ("RUN <<A <<B", ["A", "B"]),
            ("RUN << EOF", ["EOF"]),
            ("RUN <<- EOF", ["EOF"]), ("RUN <<-EOF", ["EOF"]), ("RUN 3<<EOF", ["EOF"]), ("RUN 1<<X", ["X"]),
            ("RUN <<<EOF", []), ("RUN \"<<EOF\"", []), ("RUN '<<EOF'", []), ("RUN $((1<<2))", []), ("RUN a<<EOF", []),
            ("RUN echo it's <<EOF", []), ("RUN <<", []), ("RUN <<'EOF'", ["EOF"]), ("RUN <<\"E O F\"", ["E O F"]),
            ("RUN <<E\\OF", ["EOF"]), ("RUN <<'E'OF", ["EOF"]), ("RUN <<$X", ["$X"]), ("RUN <<${X}", ["${X}"]),
            ("RUN echo ${#x} <<EOF", []), ("RUN cat<<EOF", []), ("RUN <<EOF;", ["EOF;"]), ("RUN <<A<<B", []),
        ])
    func operators(_ line: String, _ names: [String]) throws {
        #expect(try Heredoc.operators(in: Array(line.utf8)).map(\.name) == names)
    }

    @Test(
        "quoted names do not expand",
        arguments: [
            ("<<EOF", true), ("<<'EOF'", false), ("<<\"EOF\"", false), ("<<'E'OF", false), ("<<E\\OF", true),
            ("<<-\"EOF\"", false), ("<<-EOF", true),
        ])
    func quoting(_ word: String, _ expands: Bool) throws {
        #expect(try Heredoc(operator: word)?.expands == expands)
    }

    @Test("descriptors")
    func descriptors() throws {
        #expect(try Heredoc(operator: "3<<EOF")?.descriptor == 3)
        #expect(try Heredoc(operator: "<<EOF")?.descriptor == 0)
        #expect(try Heredoc(operator: "99999999999999999999<<EOF")?.descriptor == 0)
        #expect(try Heredoc(operator: "x<<EOF") == nil)
    }

    private func run(_ text: String) throws -> RunInstruction {
        guard case .run(let run) = try kind(text) else { throw WrongCount(text: text, count: 0) }
        return run
    }

    @Test("bodies are verbatim")
    func bodies() throws {
        let body = "# no comment\na \\\n\nRUN x\n\t<<EOF\n # escape=`\nEOF \n"
        #expect(try run("RUN <<EOF\n" + body + "EOF\n").heredocs.map(\.body) == [Array(body.utf8)])
        #expect(try run("RUN <<EOF\r\nx\r\nEOF\r\n").heredocs.map(\.body) == [Array("x\r\n".utf8)])
        #expect(try run("RUN <<EOF\nEOF").heredocs.map(\.body) == [[]])
        let two = try run("RUN <<A cat <<B\n1\nB\nA\n2\nA\nB")
        #expect(two.heredocs.map { String(decoding: $0.body, as: UTF8.self) } == ["1\nB\n", "2\nA\n"])
    }

    @Test("<<- takes the tabs of every line, and only tabs")
    func tabs() throws {
        let heredoc = try run("RUN <<-EOF\n\t\ta\n \tb\n\tc\td\n\tEOF").heredocs[0]
        #expect(String(decoding: heredoc.content, as: UTF8.self) == "a\n \tb\nc\td\n")
        #expect(String(decoding: heredoc.body, as: UTF8.self) == "\t\ta\n \tb\n\tc\td\n")
        #expect(failure("FROM scratch\nRUN <<EOF\nx\n\tEOF")?.code == .heredoc)
    }

    @Test(
        "what RUN hands to the shell",
        arguments: [
            ("RUN <<EOF\na\nb\nEOF", ["a\nb\n"]), ("RUN <<-EOF\n\ta\n\tEOF", ["a\n"]),
            ("RUN cat <<EOF > x\na\nEOF", ["cat <<EOF > x\na\nEOF"]),
            ("RUN cat <<-EOF\n\ta\n\tEOF", ["cat <<-EOF\n\ta\nEOF"]),
            ("RUN <<A cat <<B\n1\nA\n2\nB", ["<<A cat <<B\n1\nA\n2\nB"]),
            ("RUN python3 <<'EOF'\nprint($x)\nEOF", ["python3 <<'EOF'\nprint($x)\nEOF"]),
            ("RUN --network=none <<EOF\na\nEOF", ["a\n"]),
        ])
    func invocation(_ text: String, _ arguments: [String]) throws {
        #expect(try run(text).invocation(shell: ["/bin/sh", "-c"]) == .arguments(["/bin/sh", "-c"] + arguments))
    }

    @Test(
        "a body with #! becomes a file",
        arguments: [
            ("<<EOF", "#!/bin/awk -f\n\tBEGIN\n", "#!/bin/awk -f\n\tBEGIN\n"),
            ("<<-EOF", "#!/bin/awk -f\n\tBEGIN\n", "#!/bin/awk -f\nBEGIN\n"),
            ("<<-EOF", "\t#!/bin/awk -f\n\tBEGIN\n", "#!/bin/awk -f\nBEGIN\n"),
            ("<<-'EOF'", "\t\t#!/bin/awk -f\n", "#!/bin/awk -f\n"), ("<<'EOF'", "#!a", "#!a"),
            ("<<\"EOF\"", "#!/bin/sh\n", "#!/bin/sh\n"), ("3<<EOF", "#!/bin/sh\n", "#!/bin/sh\n"),
            ("<< EOF", "#!/bin/sh\n", "#!/bin/sh\n"),
        ])
    func script(_ word: String, _ body: String, _ content: String) throws {
        let text = "RUN \(word)\n\(body)\(body.hasSuffix("\n") ? "" : "\n")EOF"
        #expect(
            try run(text).invocation(shell: ["sh", "-c"])
                == .script(
                    path: "/dev/pipes/EOF", content: Array((content.hasSuffix("\n") ? content : content + "\n").utf8),
                    arguments: ["sh", "-c", "/dev/pipes/EOF"]))
    }

    @Test(
        "what only looks like #! goes to the shell",
        arguments: ["<<EOF\n\t#!/bin/sh\nEOF", "<<-EOF\n #!/bin/sh\nEOF", "<<EOF\n\n#!/bin/sh\nEOF", "<<EOF\n# !\nEOF"])
    func noScript(_ text: String) throws {
        guard case .arguments = try run("RUN " + text).invocation(shell: ["sh", "-c"]) else {
            Issue.record("\(text) became a file")
            return
        }
    }

    @Test("files of COPY")
    func copy() throws {
        guard case .copy(let copy) = try kind("COPY a <<f <<'g' /d/\n$x\nf\n$y\ng") else {
            throw WrongCount(text: "", count: 0)
        }
        #expect(copy.sources.paths == ["a"])
        #expect(
            copy.sources.inline == [
                .init(name: "f", content: Array("$x\n".utf8), expands: true),
                .init(name: "g", content: Array("$y\n".utf8), expands: false),
            ])
        guard case .add(let add) = try kind("ADD <<f <<f /d/\n1\nf\n2\nf") else { throw WrongCount(text: "", count: 0) }
        #expect(add.sources.inline.map(\.content) == [Array("2\n".utf8), Array("2\n".utf8)])
    }

    @Test("no heredocs in JSON form, in other instructions, in comments")
    func elsewhere() throws {
        #expect(try instructions("COPY [\"<<EOF\", \"/x\"]\nRUN y").count == 2)
        #expect(try instructions("RUN [\"cat\", \"<<EOF\"]\nRUN y").count == 2)
        #expect(try instructions("CMD cat <<EOF\nRUN y").count == 2)
        #expect(try instructions("ENV a=<<EOF\nRUN y").count == 2)
        #expect(try instructions("RUN a \\\n# <<EOF\n b\nRUN y").count == 2)
    }

    @Test("in expanded COPY, unset is empty and quotes stay")
    func expansion() throws {
        let copy = try instructions("COPY <<f /$d\n'$x' ${no}.\nf")[0]
        let (expanded, undefined) = try copy.expanded { ["x": "1", "d": "dir"][$0] }
        guard case .copy(let value) = expanded.kind else { throw WrongCount(text: "", count: 0) }
        #expect(value.sources.inline[0].content == Array("'1' .\n".utf8))
        #expect(value.sources.destination == "/dir")
        #expect(undefined == ["no"])
    }
}
