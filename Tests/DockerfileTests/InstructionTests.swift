import Diagnostics
import TestSupport
import Testing

@testable import Dockerfile

/// Sections 3 and 7: arguments of every instruction.
@Suite("Instructions", .tags(.unit)) struct InstructionTests {
    @Test(
        "shell and exec form",
        arguments: [
            ("CMD a b", CommandLine.shell("a b")), ("CMD [\"a\", \"b\"]", .exec(["a", "b"])),
            ("CMD  [ \"a\" ] ", .exec(["a"])), ("CMD []", .exec([])), ("CMD ['a']", .shell("['a']")),
            ("CMD [\"a\",]", .shell("[\"a\",]")), ("CMD [\"a\"] b", .shell("[\"a\"] b")),
            ("CMD [\"a\"", .shell("[\"a\"")), ("CMD [a]", .shell("[a]")), ("CMD", .shell("")),
            ("CMD [\"\\u0041\\n\\\"\\/\"]", .exec(["A\n\"/"])), ("CMD [\"\\ud83d\\ude00\"]", .exec(["😀"])),
            ("CMD [\"\\ud83d\"]", .exec(["\u{fffd}"])), ("CMD [\"\\x\"]", .shell("[\"\\x\"]")),
            ("CMD [\"a\" \"b\"]", .shell("[\"a\" \"b\"]")), ("CMD \"a\"", .shell("\"a\"")),
            ("CMD [\"$a\"]", .exec(["$a"])), ("CMD [\\\n\"a\" \\\n]", .exec(["a"])),
        ])
    func commands(_ text: String, _ command: CommandLine) throws {
        #expect(try kind(text) == .cmd(command))
        #expect(try kind("ENTRYPOINT" + text.dropFirst(3)) == .entrypoint(command))
        guard case .run(let run) = try kind("RUN" + text.dropFirst(3)) else { throw WrongCount(text: text, count: 0) }
        #expect(run.command == command)
    }

    @Test(
        "JSON with something else than strings",
        arguments: ["[1]", "[\"a\", 1]", "[null]", "[true]", "[[\"a\"]]", "[{\"a\": 1}]", "[1.5e3, -0]"],
        ["CMD", "ENTRYPOINT", "RUN", "COPY", "ADD", "VOLUME", "SHELL", "HEALTHCHECK CMD"])
    func notStrings(_ array: String, _ keyword: String) {
        #expect(failure("FROM scratch\n\(keyword) \(array)")?.code == .json)
    }

    @Test("deep JSON is no way to overflow the stack")
    func deepJSON() throws {
        let deep = String(repeating: "[", count: 60_000)
        #expect(try kind("CMD " + deep) == .cmd(.shell(deep)))
    }

    @Test(
        "ENV",
        arguments: [
            ("ENV a=b", [KeyValue("a", "b")], false), ("ENV a=b c=d", [KeyValue("a", "b"), KeyValue("c", "d")], false),
            ("ENV a=\"b c\" d='e f'", [KeyValue("a", "\"b c\""), KeyValue("d", "'e f'")], false),
            ("ENV a=b\\ c", [KeyValue("a", "b\\ c")], false), ("ENV a=", [KeyValue("a", "")], false),
            ("ENV a==b", [KeyValue("a", "=b")], false), ("ENV a b  c", [KeyValue("a", "b  c")], true),
            ("ENV a   b", [KeyValue("a", "b")], true), ("ENV a 'b'", [KeyValue("a", "'b'")], true),
            ("ENV ONE TWO= THREE=world", [KeyValue("ONE", "TWO= THREE=world")], true),
            ("ENV a=b \\\n  c=d", [KeyValue("a", "b"), KeyValue("c", "d")], false),
            ("ENV \"a b\"=c", [KeyValue("\"a b\"", "c")], false),
            ("ENV a='\\' b=c", [KeyValue("a", "'\\'"), KeyValue("b", "c")], false),
            ("ENV a=\"\\\" b\" c=d", [KeyValue("a", "\"\\\" b\""), KeyValue("c", "d")], false),
            ("ENV a=$b", [KeyValue("a", "$b")], false),
        ])
    func env(_ text: String, _ pairs: [KeyValue], _ isLegacy: Bool) throws {
        #expect(try kind(text) == .env(EnvInstruction(pairs: pairs, isLegacy: isLegacy)))
        #expect(
            try kind("LABEL" + text.dropFirst(3)) == .label(LabelInstruction(pairs: pairs, isLegacy: isLegacy)))
    }

    @Test(
        "ARG",
        arguments: [
            ("ARG a", [("a", nil)]), ("ARG a=", [("a", "")]),
            ("ARG a=b c d=\"e f\"", [("a", "b"), ("c", nil), ("d", "\"e f\"")]),
            ("ARG a=b=c", [("a", "b=c")]), ("ARG --x a", [("a", nil)]),
        ] as [(String, [(String, String?)])])
    func arg(_ text: String, _ expected: [(String, String?)]) throws {
        guard case .arg(let arg) = try kind(text) else { throw WrongCount(text: text, count: 0) }
        #expect(arg.arguments.map(\.name) == expected.map(\.0))
        #expect(arg.arguments.map(\.value) == expected.map(\.1))
    }

    @Test(
        "the rest of the line as one argument",
        arguments: [
            ("WORKDIR /a b", Instruction.Kind.workdir(path: "/a b")), ("USER a:b c", .user("a:b c")),
            ("MAINTAINER J. Doe <j@x>", .maintainer("J. Doe <j@x>")), ("STOPSIGNAL  SIGTERM ", .stopsignal("SIGTERM")),
            ("STOPSIGNAL --x", .stopsignal("")), ("WORKDIR [\"/a\"]", .workdir(path: "[\"/a\"]")),
            ("EXPOSE 90 80/udp $P", .expose(ports: ["$P", "80/udp", "90"])),
            ("VOLUME /a /b", .volume(paths: ["/a", "/b"])),
            ("VOLUME [\"/a b\", \" /c \"]", .volume(paths: ["/a b", "/c"])),
            ("VOLUME /a/../b/", .volume(paths: ["/a/../b/"])),
            ("SHELL [\"a\", \"-c\"]", .shell(["a", "-c"])),
        ])
    func single(_ text: String, _ expected: Instruction.Kind) throws {
        if text == "STOPSIGNAL --x" {
            // Its flags are not looked at, but they are cut off.
            #expect(failure("FROM scratch\n" + text)?.code == .argument)
        } else {
            #expect(try kind(text) == expected)
        }
    }

    @Test(
        "refused",
        arguments: [
            ("FOO bar", DockerfileError.Code.unknownInstruction), ("RNU x", .unknownInstruction),
            ("ENV", .argument), ("ENV a", .keyValue), ("ENV a=b c", .keyValue), ("ENV =b", .argument),
            ("LABEL", .argument), ("LABEL a", .keyValue), ("ARG", .argument), ("ARG =b", .argument),
            ("WORKDIR", .argument), ("USER", .argument), ("EXPOSE", .argument), ("VOLUME", .argument),
            ("VOLUME []", .argument), ("VOLUME [\"\"]", .argument), ("STOPSIGNAL", .argument),
            ("MAINTAINER", .argument),
            ("SHELL", .json), ("SHELL []", .argument), ("SHELL /bin/sh -c", .json), ("COPY a", .argument),
            ("COPY", .argument), ("ADD a", .argument), ("COPY [\"a\"]", .argument), ("HEALTHCHECK", .argument),
            ("HEALTHCHECK CMD", .argument), ("HEALTHCHECK CMD []", .argument), ("HEALTHCHECK FOO x", .argument),
            ("HEALTHCHECK NONE x", .argument), ("ONBUILD", .argument), ("ONBUILD ONBUILD RUN x", .onbuild),
            ("ONBUILD FROM x", .onbuild), ("ONBUILD maintainer x", .onbuild), ("FROM", .argument),
            ("FROM a b", .argument), ("FROM a b c", .argument), ("FROM a AS b c", .argument),
            ("FROM a AS 1b", .stageName), ("FROM a AS b:c", .stageName), ("FROM a AS $b", .stageName),
            ("ENV --x a=b", .flag), ("LABEL --x a=b", .flag), ("MAINTAINER --x a", .flag), ("USER --x a", .flag),
            ("WORKDIR --x /a", .flag), ("EXPOSE --x 1", .flag), ("VOLUME --x /a", .flag), ("CMD --x a", .flag),
            ("ENTRYPOINT --x a", .flag), ("SHELL --x [\"a\"]", .flag), ("ONBUILD --x RUN a", .flag),
            ("FROM --x a", .flag), ("FROM --platform a", .flag), ("RUN --x a", .flag), ("RUN --network x", .flag),
            ("RUN --network=foo x", .flag), ("RUN --network=none --network=none x", .flag),
            ("RUN --security=foo x", .flag), ("COPY --link= a b", .flag), ("COPY --link=x a b", .flag),
            ("COPY --link --link a b", .flag), ("COPY --chown a b", .flag), ("COPY --checksum=x a b", .flag),
            ("COPY --unpack a b", .flag), ("COPY --keep-git-dir a b", .flag), ("ADD --from=x a b", .flag),
            ("ADD --parents a b", .flag), ("COPY --from=$x a b", .reference), ("COPY --from=a${x} a b", .reference),
            ("COPY a <<EOF\nEOF", .heredoc), ("RUN <<EOF\nx", .heredoc),
        ])
    func refused(_ text: String, _ code: DockerfileError.Code) {
        let error = failure("FROM scratch\n" + text)
        #expect(error?.code == code)
        #expect(error?.location?.line == 2)
        #expect(error?.excerpt != nil)
    }

    @Test("COPY and ADD")
    func copy() throws {
        #expect(
            try kind("COPY a b /c/")
                == .copy(CopyInstruction(sources: CopySources(paths: ["a", "b"], inline: [], destination: "/c/"))))
        #expect(
            try kind("COPY \"a b\" c")
                == .copy(CopyInstruction(sources: CopySources(paths: ["\"a", "b\""], inline: [], destination: "c"))))
        #expect(
            try kind("COPY [\"a b\", \"c d\"]")
                == .copy(CopyInstruction(sources: CopySources(paths: ["a b"], inline: [], destination: "c d"))))
        #expect(
            try kind("COPY --from=B --chown='a b:c' --chmod=u+x --link --parents=TRUE --exclude=*.o --exclude=x a b")
                == .copy(
                    CopyInstruction(
                        sources: CopySources(paths: ["a"], inline: [], destination: "b"), from: "B", chown: "a b:c",
                        chmod: "u+x", link: true, parents: true, excludes: ["*.o", "x"])))
        #expect(
            try kind("ADD --checksum=sha256:x --keep-git-dir --unpack=false --link=False a b")
                == .add(
                    AddInstruction(
                        sources: CopySources(paths: ["a"], inline: [], destination: "b"), checksum: "sha256:x",
                        keepGitDirectory: true, unpack: false)))
        guard case .copy(let copy) = try kind("COPY --from= a b") else { throw WrongCount(text: "", count: 0) }
        #expect(copy.from == nil)
    }

    @Test("flags: quotes, escapes, the lone --")
    func flags() throws {
        #expect(
            try instructions("COPY --chown=\"a b\" --chmod=\\6\"44\" -- --x y")[0].flags == [
                "--chown=a b", "--chmod=644",
            ])
        guard case .copy(let copy) = try kind("COPY -- --x y") else { throw WrongCount(text: "", count: 0) }
        #expect(copy.sources.paths == ["--x"])
        #expect(try kind("CMD -- --x") == .cmd(.shell("--x")))
        #expect(try kind("CMD -x --y") == .cmd(.shell("-x --y")))
        #expect(failure("# escape=`\nFROM scratch\nCOPY --chown=a` b:c x y") == nil)
    }

    @Test(
        "HEALTHCHECK",
        arguments: [
            ("NONE", ["NONE"], [0, 0, 0, 0], 0), ("none", ["NONE"], [0, 0, 0, 0], 0),
            ("--interval=foo NONE", ["NONE"], [0, 0, 0, 0], 0), ("CMD a  b", ["CMD-SHELL", "a  b"], [0, 0, 0, 0], 0),
            ("cmd [\"a\"]", ["CMD", "a"], [0, 0, 0, 0], 0),
            (
                "--interval=1m30s --timeout=500ms --start-period=1.5s --start-interval=1h --retries=3 CMD x",
                ["CMD-SHELL", "x"], [90_000_000_000, 500_000_000, 1_500_000_000, 3_600_000_000_000], 3
            ),
            ("--interval=0 --timeout= --retries= CMD x", ["CMD-SHELL", "x"], [0, 0, 0, 0], 0),
        ] as [(String, [String], [Int64], Int)])
    func healthcheck(_ text: String, _ test: [String], _ times: [Int64], _ retries: Int) throws {
        var check = Healthcheck(test: test)
        (check.interval, check.timeout, check.startPeriod, check.startInterval) = (
            times[0], times[1], times[2], times[3]
        )
        check.retries = retries
        #expect(try kind("HEALTHCHECK " + text) == .healthcheck(check))
    }

    @Test(
        "wrong values of HEALTHCHECK",
        arguments: [
            "--interval=1", "--interval=x", "--interval=-1s", "--interval=999us", "--interval=1s1", "--timeout=1d",
            "--retries=-1", "--retries=x", "--retries=99999999999", "--interval=9999999999999h", "--interval",
            "--intervall=1s",
        ])
    func wrongHealthcheck(_ flag: String) {
        #expect(failure("FROM scratch\nHEALTHCHECK \(flag) CMD x") != nil)
    }

    @Test("ONBUILD keeps the text and forgives what only the child can judge")
    func onbuild() throws {
        func onbuild(_ text: String) throws -> OnbuildInstruction {
            guard case .onbuild(let value) = try kind(text) else { throw WrongCount(text: text, count: 0) }
            return value
        }
        #expect(try onbuild("ONBUILD RUN a  b") == OnbuildInstruction(text: "RUN a  b", keyword: "RUN"))
        #expect(try onbuild("onbuild   run a").text == "run a")
        #expect(try onbuild("ONBUILD RUN <<A <<-B\n1\nA\n\t2\n\tB").text == "RUN <<A <<-B\n1\nA\n\t2\nB")
        #expect(try onbuild("ONBUILD FOO").problem?.code == .unknownInstruction)
        #expect(try onbuild("ONBUILD COPY a").problem?.code == .argument)
        #expect(try onbuild("ONBUILD COPY --from=x a b").problem == nil)
        #expect(failure("FROM scratch\nONBUILD ENV a")?.code == .keyValue)
        #expect(failure("FROM scratch\nONBUILD CMD [1]")?.code == .json)
    }

    @Test("triggers of a base image")
    func triggers() throws {
        let copy = try Instruction.parse(line: "COPY <<A /x\nbody\nA")
        guard case .copy(let value) = copy.kind else { throw WrongCount(text: "", count: 0) }
        #expect(value.sources.inline.map(\.content) == [Array("body\n".utf8)])
        #expect(copy.isTrigger)
        for line in ["", "FROM x", "FOO", "RUN a\nRUN b", "ONBUILD RUN x", "COPY a", "# x"] {
            #expect(throws: DockerfileError.self) { try Instruction.parse(line: line) }
        }
    }

    @Test("stages")
    func stages() throws {
        let file = try parse("FROM --platform=linux/arm64 a:1 as B\nRUN x\nfrom b\nFROM $c AS d-e_f.1\n")
        #expect(file.stages.map(\.name) == ["b", nil, "d-e_f.1"])
        #expect(file.stages.map(\.base) == ["a:1", "b", "$c"])
        #expect(file.stages.map(\.platform) == ["linux/arm64", nil, nil])
        #expect(file.stages.map(\.displayName) == ["b", "stage-1", "d-e_f.1"])
        #expect(file.stages.map(\.instructions.count) == [1, 0, 0])
    }

    @Test(
        "stop signals",
        arguments: [
            ("9", true), ("0", true), ("SIGKILL", true), ("kill", true), ("SigTerm", true), ("RTMIN", true),
            ("SIGRTMIN+15", true), ("RTMIN+3", true), ("RTMAX-14", true), ("-1", false), ("FOO", false), ("", false),
            ("RTMIN+16", false), ("RTMAX-15", false), ("SIG", false), ("9.5", false), ("RTMIN+", false),
        ])
    func signals(_ text: String, _ isValid: Bool) {
        #expect(((try? StopSignal.validate(text)) != nil) == isValid)
    }

    @Test(
        "ports",
        arguments: [
            (["80"], ["80/tcp"]), (["80/udp", "443/TCP"], ["80/udp", "443/tcp"]),
            (["8000-8002/sctp"], ["8000/sctp", "8001/sctp", "8002/sctp"]), (["127.0.0.1:80:90"], ["90/tcp"]),
            (["80:90"], ["90/tcp"]), (["[::1]:80:90/udp"], ["90/udp"]), (["0"], ["0/tcp"]), (["65535"], ["65535/tcp"]),
            (["80/"], ["80/tcp"]), (["80-80"], ["80/tcp"]), (["1000-2000:90"], ["90/tcp"]), ([], []),
            (["65536"], nil), (["a"], nil), (["80/foo"], nil), (["90-80"], nil), (["/tcp"], nil), (["-80"], nil),
            (["80-"], nil), (["1.2.3:80:90"], nil), (["1-2:3-5"], nil), ([""], nil), (["99999999999999999999"], nil),
            (["80/tcp/udp"], nil),
        ] as [([String], [String]?)])
    func ports(_ words: [String], _ ports: [String]?) {
        #expect((try? ExposedPorts(words))?.ports == ports)
    }

    @Test("a range of all ports many times over is refused")
    func manyPorts() {
        #expect(throws: DockerfileError.self) { try ExposedPorts(Array(repeating: "0-65535", count: 1000)) }
    }
}
