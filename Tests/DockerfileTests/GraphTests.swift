import Diagnostics
import TestSupport
import Testing

@testable import Dockerfile

/// Sections 5 and 6.
@Suite("Stage graph", .tags(.unit)) struct GraphTests {
    @Test(
        "bases",
        arguments: [
            ("FROM scratch", StageGraph.Source.scratch), ("FROM alpine", .image("alpine")),
            ("FROM a AS b\nFROM b", .stage(0)), ("FROM a AS B\nFROM b", .stage(0)),
            ("FROM a AS b\nFROM B", .image("B")),
            ("FROM a AS b\nFROM c AS b\nFROM b", .stage(1)), ("ARG X=3\nFROM a:$X", .image("a:3")),
            ("ARG X=3\nARG Y=1.$X\nFROM a:${Y}", .image("a:1.3")), ("ARG X\nFROM a${X:-:9}", .image("a:9")),
            ("ARG S=b\nFROM a AS b\nFROM $S", .stage(0)), ("FROM a:$TARGETARCH", .image("a:amd64")),
            ("ARG X=a Y=$X\nFROM $Y", .image("a")), ("ARG X=1\nARG X=2\nFROM a:$X", .image("a:2")),
            ("FROM b AS b\nFROM b", .stage(0)), ("ARG X='q r'\nFROM a:$X", .image("a:q r")),
        ])
    func bases(_ text: String, _ base: StageGraph.Source) throws {
        #expect(try graph(text).nodes.last?.base == base)
    }

    @Test("build arguments win over global defaults, and are not expanded")
    func given() throws {
        let text = "ARG X=1\nARG Y=$X\nFROM a:$Y"
        #expect(try graph(text, arguments: [("X", "5")]).nodes[0].base == .image("a:5"))
        #expect(try graph(text, arguments: [("X", "5"), ("X", "6")]).nodes[0].base == .image("a:6"))
        #expect(try graph(text, arguments: [("Y", "$X")]).nodes[0].base == .image("a:$X"))
        #expect(try graph("FROM a:$X", arguments: [("X", "5"), ("TARGETARCH", "z")]).nodes[0].base == .image("a:"))
        #expect(try graph("FROM a:$TARGETARCH", arguments: [("TARGETARCH", "z")]).nodes[0].base == .image("a:z"))
    }

    @Test("automatic arguments")
    func automatic() throws {
        let result = try graph("FROM a AS b\nFROM a", target: "B", platform: "linux/arm/v7", build: "linux/amd64")
        let wanted = [
            "TARGETPLATFORM": "linux/arm/v7", "TARGETOS": "linux", "TARGETARCH": "arm", "TARGETVARIANT": "v7",
            "TARGETOSVERSION": "", "BUILDPLATFORM": "linux/amd64", "BUILDOS": "linux", "BUILDARCH": "amd64",
            "BUILDVARIANT": "", "BUILDOSVERSION": "", "TARGETSTAGE": "B",
        ]
        for (name, value) in wanted { #expect(result.globalArgument(name) == value) }
        #expect(try graph("FROM a").globalArgument("TARGETSTAGE") == "default")
        #expect(try graph("FROM a AS z").globalArgument("TARGETSTAGE") == "z")
    }

    @Test(
        "platforms are normalised",
        arguments: [
            ("linux/amd64", "linux/amd64"), ("linux/x86_64", "linux/amd64"), ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"), ("linux/arm", "linux/arm/v7"), ("linux/armhf", "linux/arm/v7"),
            ("Linux/ARM64", "linux/arm64"), ("arm64", "linux/arm64"), ("windows", "windows/amd64"),
            ("linux/arm/6", "linux/arm/v6"),
            ("", nil), ("a/b/c/d", nil), ("linux/", nil), ("li nux/amd64", nil), ("/amd64", nil),
        ] as [(String, String?)])
    func platforms(_ text: String, _ normalized: String?) {
        #expect((try? BuildPlatform(text))?.description == normalized)
    }

    @Test("the platform of a base stage goes on")
    func inheritedPlatform() throws {
        let text = "FROM --platform=$BUILDPLATFORM a AS b\nFROM --platform=linux/arm64 b\nFROM c"
        let result = try graph(text, platform: "linux/s390x", build: "linux/amd64")
        #expect(result.nodes.map { $0.platform?.description } == ["linux/amd64", "linux/amd64", nil])
    }

    @Test("what the target needs, in order")
    func reachability() throws {
        let text = """
            FROM x AS a
            FROM y AS unused
            RUN true
            FROM a AS b
            FROM z AS tools
            FROM w AS mounted
            FROM b
            COPY --from=tools /t /
            RUN --mount=from=mounted,target=/m true
            COPY --from=img:1 / /
            COPY --from=0 / /
            """
        let result = try graph(text)
        #expect(result.order == [0, 2, 3, 4, 5])
        #expect(result.nodes[5].dependencies == [0, 2, 3, 4])
        #expect(result.externalSources == [.image("x"), .image("z"), .image("w"), .image("img:1")])
        #expect(try graph(text, target: "B").order == [0, 2])
        #expect(try graph(text, target: "unused").order == [1])
    }

    @Test(
        "refused",
        arguments: [
            ("FROM a AS x\nCOPY --from=x a b", DockerfileError.Code.cycle), ("FROM a\nCOPY --from=0 a b", .cycle),
            ("FROM a AS x\nCOPY --from=y a b\nFROM a AS y\nCOPY --from=x a b", .cycle),
            ("FROM a AS x\nRUN --mount=from=x,target=/m y", .cycle),
            ("FROM a AS x\nCOPY --from=y a b\nFROM a AS y\nFROM x", .reference),
            ("FROM a\nCOPY --from=1 a b", .reference), ("FROM a\nCOPY --from=-1 a b", .reference),
            ("FROM $X", .reference), ("FROM --platform=$X a", .platform), ("FROM --platform=a/b/c/d a", .platform),
            ("FROM ${X", .expansion), ("ARG X=${Y\nFROM a", .expansion), ("ARG X=${Y:?}\nFROM a", .expansion),
            ("FROM a AS x\nCOPY --from=X a b\nFROM b AS X\nFROM x", .reference),
        ])
    func refused(_ text: String, _ code: DockerfileError.Code) {
        let error = graphFailure(text)
        if text.hasSuffix("FROM b AS X\nFROM x") {
            // The name means the later stage, which nothing needs to wait for: the first one is not built.
            #expect(error == nil)
        } else {
            #expect(error?.code == code)
            #expect(error?.location != nil)
        }
    }

    @Test("a later stage may be named where nothing needs it")
    func unneededLater() throws {
        #expect(try graph("FROM a AS x\nCOPY --from=y a b\nFROM a AS y\nFROM b").order == [2])
    }

    @Test("targets")
    func targets() throws {
        let text = "FROM a AS build\nFROM b AS test\nFROM c"
        #expect(try graph(text).target == 2)
        #expect(try graph(text, target: "BUILD").target == 0)
        #expect(graphFailure(text, target: "0")?.code == .reference)
        #expect(graphFailure(text, target: "biuld")?.hint == "did you mean build?")
    }

    @Test("--from by name, number, context, image")
    func sources() throws {
        let result = try graph("FROM a AS build\nFROM b", contexts: ["ctx", "docker.io/library/busybox:latest"])
        #expect(try result.source(ofCopy: "0") == .stage(0))
        #expect(try result.source(ofCopy: "BUILD") == .stage(0))
        #expect(try result.source(ofCopy: "ctx") == .context("ctx"))
        #expect(try result.source(ofCopy: "busybox") == .context("docker.io/library/busybox:latest"))
        #expect(try result.source(ofCopy: "alpine:3") == .image("alpine:3"))
        #expect(result.source(ofMount: "0") == .image("0"))
        #expect(result.source(ofMount: "build") == .stage(0))
        #expect(throws: DockerfileError.self) { try result.source(ofCopy: "2") }
    }

    @Test("named contexts take the place of stages, images and sources")
    func contexts() throws {
        let text = "FROM alpine AS base\nRUN x\nFROM base\nCOPY --from=base a b"
        let stage = try graph(text, contexts: ["base"])
        #expect(stage.nodes[0].base == .context("base"))
        #expect(stage.nodes[0].instructions.isEmpty)
        #expect(try stage.source(ofCopy: "base") == .context("base"))
        let image = try graph(text, contexts: ["alpine:latest"])
        #expect(image.nodes[0].base == .context("alpine:latest"))
        #expect(image.nodes[0].instructions.count == 1)
    }

    @Test(
        "familiar names",
        arguments: [
            ("alpine", "alpine"), ("alpine:latest", "alpine"), ("docker.io/library/alpine", "alpine"),
            ("library/alpine:3", "alpine:3"), ("docker.io/a/b:latest", "a/b"),
            ("ghcr.io/library/a", "ghcr.io/library/a"),
            ("index.docker.io/library/a", "a"),
        ])
    func familiar(_ name: String, _ short: String) {
        #expect(ContextName.normalize(name) == short)
    }

    @Test("ONBUILD of a base stage runs first in the child, not in the grandchild")
    func onbuild() throws {
        let result = try graph(
            """
            FROM a AS src
            FROM a AS base
            ONBUILD COPY --from=src x y
            ONBUILD RUN one
            FROM base AS child
            RUN two
            FROM child AS grandchild
            RUN three
            """)
        #expect(result.nodes[2].instructions.map(\.original) == ["COPY --from=src x y", "RUN one", "RUN two"])
        #expect(result.nodes[2].instructions.map(\.isTrigger) == [true, true, false])
        #expect(result.nodes[3].instructions.map(\.original) == ["RUN three"])
        #expect(result.order == [0, 1, 2, 3])
        #expect(graphFailure("FROM a AS b\nONBUILD FOO\nFROM b")?.code == .onbuild)
    }

    @Test("ONBUILD of a base image")
    func imageTriggers() throws {
        var result = try graph("FROM a AS src\nFROM base\nRUN x")
        #expect(result.order == [1])
        try result.insertTriggers(["COPY --from=src a b", "RUN y"], into: 1)
        #expect(result.order == [0, 1])
        #expect(result.nodes[1].instructions.map(\.original) == ["COPY --from=src a b", "RUN y", "RUN x"])
        do {
            try result.insertTriggers(["RUN a\nRUN b"], into: 1)
            Issue.record("two instructions are no trigger")
        } catch {
            #expect(error.code == .onbuild)
            #expect(error.location?.line == 2)
        }
    }

    @Test("unused build arguments")
    func unused() throws {
        let arguments = [
            "A", "B", "C", "http_proxy", "NO_PROXY", "BUILDKIT_INLINE_CACHE", "SOURCE_DATE_EPOCH", "TARGETOS",
        ]
        let result = try graph("ARG A\nFROM x\nARG B=1", arguments: arguments.map { ($0, "1") })
        #expect(result.unusedArguments == ["C"])
    }

    @Test("build arguments that only an ONBUILD trigger declares are used")
    func usedByTriggers() throws {
        var result = try graph(
            "FROM x AS own\nONBUILD ARG A\nFROM own\nFROM y", arguments: ["A", "B", "C"].map { ($0, "1") })
        #expect(result.unusedArguments == ["B", "C"])
        try result.insertTriggers(["ARG B=2"], into: 2)
        #expect(result.unusedArguments == ["C"])
    }

    @Test("ARG of a stage: command line, default, global, nothing")
    func assignments() throws {
        let arg = try instructions("ARG A B=b C=$B D E=")[0]
        let result = try arg.assignments(
            buildArguments: { ["A": "$given"][$0] }, globals: { ["D": "global", "B": "no"][$0] },
            environment: { ["B": "before"][$0] })
        #expect(result.map(\.name) == ["A", "B", "C", "D", "E"])
        #expect(result.map(\.value) == ["$given", "b", "b", "global", ""])
        #expect(
            try instructions("ARG X")[0].assignments(
                buildArguments: { _ in nil }, globals: { _ in nil }, environment: { _ in "kept" }
            ).map(\.value) == [nil])
    }

    @Test(
        "expansion of every kind",
        arguments: [
            ("ENV a=$v b=$a \"$v\"=x", "ENV a=V b=A V=x"), ("LABEL $v='$v'", "LABEL V=$v"), ("USER $v", "USER V"),
            ("WORKDIR $v/x", "WORKDIR /w"), ("EXPOSE $p 1", "EXPOSE [80/tcp 90/tcp 1/tcp]"),
            ("VOLUME $v \"x\"", "VOLUME [V x]"),
            ("STOPSIGNAL $s", "STOPSIGNAL SIGHUP"), ("CMD $v", "CMD [\"/bin/sh\" \"-c\" \"$v\"]"),
            ("COPY --chown=$v --chmod=$v $v \"x\" $v", "COPY --chown=V --chmod=V V x V # buildkit"),
            ("ADD $v <<F $v\nF", "ADD V <<F V # buildkit"), ("ENV a b $v", "ENV a=b V"),
            ("MAINTAINER $v", "MAINTAINER $v"),
        ])
    func expansion(_ text: String, _ history: String) throws {
        let (expanded, _) = try instructions(text)[0].expanded {
            ["v": "V", "a": "A", "p": "80 90", "s": "SIGHUP"][$0]
        }
        let words = HistoryText(workingDirectory: "/w").text(of: expanded.kind)
        #expect(words == history)
    }

    @Test("errors of expansion have a place")
    func expansionErrors() throws {
        for text in ["ENV a=${x", "STOPSIGNAL $x", "VOLUME $no", "WORKDIR ${x:?no}", "COPY ${x^} b", "ENV a=\"b"] {
            do {
                _ = try instructions(text)[0].expanded { ["x": ""][$0] }
                Issue.record("\(text) should fail")
            } catch { #expect(error.location?.line == 2) }
        }
    }
}
