import Diagnostics
import TestSupport
import Testing

@testable import Dockerfile

/// Section 1: from bytes to logical lines.
@Suite("Reading the file", .tags(.unit)) struct LexerTests {
    /// What RUN gets to see after continuation, comments and trimming.
    @Test(
        "logical lines",
        arguments: [
            ("RUN a", "a"),
            ("RUN a\r\n", "a"),
            ("  \t RUN a  ", "a"),
            ("\u{a0}RUN a", "a"),
            ("RUN\ta", "a"),
            ("RUN\u{b}a", "a"),
            ("run a", "a"),
            ("rUn a", "a"),
            ("RUN a \\\nb", "a b"),
            ("RUN a\\\nb", "ab"),
            ("RUN a\\\n  b", "a  b"),
            ("RUN a\\  \t\nb", "ab"),
            ("RUN a\\\r\nb\r\n", "ab"),
            ("RUN a \\\n# comment\nb", "a b"),
            ("RUN a \\\n   # comment \\\nb", "a b"),
            ("RUN a \\\n\nb", "a b"),
            ("RUN a \\\n\n\n  \n# x\n\nb", "a b"),
            ("RUN a # no comment", "a # no comment"),
            ("RUN a \\", "a"),
            ("RUN a \\\n\\\n\\\nb", "a b"),
            ("RU\\\nN a", "a"),
            ("RUN \\\na", "a"),
            ("RUN a\\\\", "a\\\\"),
            ("RUN a\\\\\\", "a\\\\\\"),
            ("RUN a  b", "a  b"),
            ("RUN echo \"x\\\n y\"", "echo \"x y\""),
            ("RUN -- --foo", "--foo"),
            ("RUN é\u{301} x", "é\u{301} x"),
        ])
    func joining(_ text: String, _ command: String) throws {
        #expect(try kind(text) == .run(shell(command)))
    }

    private func shell(_ line: String) -> RunInstruction {
        RunInstruction(
            command: .shell(line), mountTexts: [], mounts: [], network: .default, security: .sandbox, devices: [],
            heredocs: [])
    }

    @Test("an escaped escape character at the end does not continue")
    func escapedEnd() throws {
        #expect(try instructions("RUN a\\\\\nRUN b").count == 2)
        #expect(try instructions("RUN a\\\\\\\nRUN b").count == 2)
        #expect(try instructions("RUN a\\\nRUN b").count == 1)
    }

    @Test("backtick as the escape character")
    func backtick() throws {
        let file = try parse("# escape=`\nFROM scratch\nRUN a `\n b\nRUN c\\\nRUN d")
        #expect(file.directives.escape == .backtick)
        #expect(file.stages[0].instructions.map(\.original) == ["RUN a  b", "RUN c\\", "RUN d"])
    }

    @Test("a byte order mark is stripped once, and does not shift columns")
    func byteOrderMark() throws {
        #expect(try parse("\u{feff}FROM scratch").stages.count == 1)
        #expect(failure("\u{feff}\u{feff}FROM scratch")?.code == .unknownInstruction)
        #expect(failure("\u{feff}FRMO scratch")?.location?.column == 1)
    }

    @Test("a line of 65535 bytes is the longest, in heredocs too")
    func lineLength() throws {
        let longest = "RUN " + String(repeating: "a", count: 65_531)
        #expect(try instructions(longest).count == 1)
        #expect(try instructions(longest + "\n").count == 1)
        #expect(failure("FROM scratch\n" + longest + "a")?.code == .limit)
        #expect(failure("FROM scratch\n" + longest + "a\n")?.location?.line == 2)
        #expect(failure("FROM scratch\nRUN <<E\n" + longest + "a\nE")?.code == .limit)
        // Many of them may be joined.
        let many = "RUN \\\n" + String(repeating: String(repeating: "a", count: 60_000) + "\\\n", count: 20)
        #expect(try instructions(many)[0].original.utf8.count == 1_200_004)
    }

    @Test(
        "files without a stage",
        arguments: ["", "\n\n", "# only\n# comments", "ARG A=1", "\\\n", "RUN true\nFROM scratch", "ENV a=1"])
    func noStage(_ text: String) {
        #expect(failure(text) != nil)
    }

    @Test("bytes that are no UTF-8 are no reason to stop")
    func invalidText() throws {
        let bytes =
            Array("FROM scratch\nMAINTAINER J".utf8) + [0xf6] + Array("rg\nCOPY <<'F' /\n".utf8) + [0xff, 0x0a, 0x46]
        let file = try Dockerfile.parse(bytes)
        #expect(file.stages[0].instructions[0].kind == .maintainer("J\u{fffd}rg"))
        guard case .copy(let copy) = file.stages[0].instructions[1].kind else { throw WrongCount(text: "", count: 0) }
        #expect(copy.sources.inline[0].content == [0xff, 0x0a])
    }

    @Test("ranges and comments")
    func ranges() throws {
        let file = try parse(
            """
            # top

            FROM scratch AS one
            # build the thing
              RUN a \\
              # inside
                b
            COPY <<X /x
            body
            X
            # lost
            #
            # kept
            RUN c
            """)
        let all = file.stages[0].instructions
        #expect(all.map(\.range.lines) == [5...7, 8...10, 14...14])
        #expect(all[0].range.start.column == 3)
        #expect(all.map(\.comments) == [["build the thing"], [], ["kept"]])
        #expect(file.stages[0].location.line == 3)
        #expect(all[0].keywordText == "RUN")
    }

    @Test("descriptions of stages and arguments")
    func descriptions() throws {
        let file = try parse(
            "# VERSION the version\n# other\nARG VERSION=1 X\n# build makes it\nFROM scratch AS build\n# x\nFROM scratch AS y"
        )
        #expect(file.globalArguments[0].arguments.map(\.description) == ["the version", nil])
        #expect(file.stages.map(\.comment) == ["makes it", nil])
    }
}

@Suite("Parser directives", .tags(.unit)) struct DirectiveTests {
    @Test(
        "what is a directive",
        arguments: [
            ("# escape=`", EscapeCharacter.backtick), ("#escape=`", .backtick), ("  #  escape  =  `  ", .backtick),
            ("# ESCAPE=`", .backtick), ("# syntax=docker/dockerfile:1\n# escape=`", .backtick),
            ("# escape=\\", .backslash), ("\n# escape=`", .backslash), ("# comment\n# escape=`", .backslash),
            ("# unknown=1\n# escape=`", .backslash), ("# escape =`\r", .backtick), ("# escape=", .backslash),
            ("#\n# escape=`", .backslash), ("# check=skip=all\n# escape=`", .backtick),
            ("#!/usr/bin/env x\n# escape=`", .backslash),
        ])
    func escape(_ top: String, _ escape: EscapeCharacter) throws {
        #expect(try parse(top + "\nFROM scratch").directives.escape == escape)
    }

    @Test("a directive after the first instruction is a comment")
    func late() throws {
        #expect(try parse("FROM scratch\n# escape=`\n").directives.escape == .backslash)
    }

    @Test(
        "syntax is noted, whatever the comment's style",
        arguments: [
            ("# syntax=docker/dockerfile:1", "docker/dockerfile:1"), ("#!/bin/x\n# syntax=a", "a"),
            ("# escape=`\n# syntax = b ", "b"),
        ])
    func syntax(_ top: String, _ name: String) throws {
        #expect(try parse(top + "\nFROM scratch").directives.syntax == name)
    }

    @Test(
        "wrong directives",
        arguments: [
            "# escape=x", "# escape=\\\\", "# escape=`\n# escape=`", "# syntax=a\n# syntax=a", "# check=foo",
            "# check=foo=1", "# check=error=maybe",
        ])
    func wrong(_ top: String) {
        #expect(failure(top + "\nFROM scratch")?.code == .directive)
    }

    @Test("check options in any order")
    func check() throws {
        let options = try parse("# check=error=true;skip=A, B\nFROM scratch").directives.check
        #expect(options.isError)
        #expect(options.skip == ["A"])
        let other = try CheckOptions("skip=all;error=false;experimental=X")
        #expect(other.skipAll && !other.isError && other.experimental == ["X"])
    }
}
