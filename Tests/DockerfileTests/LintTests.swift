import Diagnostics
import TestSupport
import Testing

@testable import Dockerfile

/// Section 12.
@Suite("Build checks", .tags(.unit)) struct LintTests {
    private func findings(
        _ text: String, arguments: [(String, String)] = [], ignore: String? = nil, environment: [String: String]? = nil
    ) throws -> [String] {
        let matcher = try ignore.map { try IgnoreMatcher(file: Array($0.utf8)) }
        return try graph(text, arguments: arguments).lint(ignore: matcher) { _ in environment }
            .map { "\($0.rule.rawValue):\($0.location.line)" }
    }

    @Test(
        "findings",
        arguments: [
            ("FROM scratch", []), ("FROM scratch AS Foo", ["StageNameCasing:1"]),
            ("FROM scratch as foo", ["FromAsCasing:1"]),
            ("from scratch AS foo", ["FromAsCasing:1"]), ("from scratch as foo", []),
            ("FROM scratch\nRUN a \\\n\n b", ["NoEmptyContinuation:4"]),
            ("FROM scratch\nrun a", ["ConsistentInstructionCasing:2"]),
            (
                "FROM scratch\nRUN a\ncopy b c\nRun d",
                ["ConsistentInstructionCasing:3", "ConsistentInstructionCasing:4"]
            ),
            ("from scratch\nrun a\nCOPY b c", ["ConsistentInstructionCasing:3"]),
            ("FROM scratch AS a\nFROM scratch AS A", ["DuplicateStageName:2", "StageNameCasing:2"].sorted()),
            ("FROM scratch AS scratch", ["ReservedStageName:1"]), ("FROM scratch AS context", ["ReservedStageName:1"]),
            ("FROM scratch\nCMD a", ["JSONArgsRecommended:2"]), ("FROM scratch\nCMD [\"a\"]", []),
            ("FROM scratch\nENTRYPOINT a", ["JSONArgsRecommended:2"]), ("FROM scratch\nSHELL [\"a\"]\nCMD a", []),
            ("FROM scratch AS a\nSHELL [\"a\"]\nFROM a\nCMD a", []),
            ("FROM scratch\nMAINTAINER x", ["MaintainerDeprecated:2"]),
            ("FROM a$X", ["UndefinedArgInFrom:1"]), ("ARG X\nFROM a$X", []), ("FROM --platform=$BUILDPLATFORM a", []),
            ("FROM scratch\nWORKDIR a\nWORKDIR b", ["WorkdirRelativePath:2"]),
            ("FROM scratch\nWORKDIR /a\nWORKDIR b", []),
            ("FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b", []), ("FROM scratch\nCOPY $x /", ["UndefinedVar:2"]),
            ("FROM scratch\nENV x=1\nCOPY $x $PATH /", []), ("FROM scratch\nARG x\nCOPY $x /", []),
            ("FROM alpine:3\nCOPY $x /", ["UndefinedVar:2"]), ("FROM golang\nCOPY $x /", []),
            ("FROM scratch\nARG a=$b", ["UndefinedVar:2"]),
            ("FROM scratch AS a\nENV x=1\nFROM a\nCOPY $x $y /", ["UndefinedVar:4"]),
            ("FROM scratch\nCMD [\"a\"]\nCMD [\"b\"]", ["MultipleInstructionsDisallowed:2"]),
            ("FROM scratch\nHEALTHCHECK NONE\nHEALTHCHECK NONE", ["MultipleInstructionsDisallowed:2"]),
            ("FROM scratch AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]", []),
            ("FROM scratch\nENV a b", ["LegacyKeyValueFormat:2"]),
            ("FROM scratch\nLABEL a b", ["LegacyKeyValueFormat:2"]),
            ("FROM --platform=$TARGETPLATFORM a", ["RedundantTargetPlatform:1"]),
            ("FROM scratch\nENV DB_PASSWORD=x", ["SecretsUsedInArgOrEnv:2"]),
            ("FROM scratch\nARG api_key", ["SecretsUsedInArgOrEnv:2"]),
            ("FROM scratch\nARG PUBLIC_KEY MONKEY KEYS TOKEN_FILE", []),
            ("FROM scratch\nARG token_x", ["SecretsUsedInArgOrEnv:2"]),
            ("ARG V\nFROM a:${V}", ["InvalidDefaultArgInFrom:2"]), ("ARG V=1\nFROM a:${V}", []),
            ("FROM --platform=linux/arm64 a", ["FromPlatformFlagConstDisallowed:1"]),
            ("FROM --platform=linux/arm64 a AS arm64", []), ("FROM --platform=linux/$TARGETARCH a", []),
            ("FROM scratch\nEXPOSE 80/TCP", ["ExposeProtoCasing:2"]),
            ("FROM scratch\nEXPOSE 1:80", ["ExposeInvalidFormat:2"]),
            ("# x\nARG a\nFROM scratch", []),
            ("# check=experimental=all\n# x y\nARG a\nFROM scratch", ["InvalidDefinitionDescription:3"]),
            ("# check=experimental=InvalidDefinitionDescription\n# a y\nARG a\nFROM scratch", []),
            ("# check=skip=all\nFROM scratch AS A\nCMD a", []),
            ("# check=skip=StageNameCasing\nFROM scratch AS A\nCMD a", ["JSONArgsRecommended:3"]),
            ("FROM scratch\n# check=skip=JSONArgsRecommended\nCMD a\nENTRYPOINT b", ["JSONArgsRecommended:4"]),
        ])
    func findings(_ text: String, _ expected: [String]) throws {
        #expect(try findings(text).sorted() == expected.sorted())
    }

    @Test(
        "line ends and characters",
        arguments: [
            ("FROM scratch\r\nRUN a\r\n", []), ("FROM scratch\r\nRUN <<E\r\na\r\nE\r\n", ["HeredocLineEnds:2"]),
            ("FROM scratch\nRUN <<E\na\r\nE\n", ["HeredocLineEnds:2"]), ("FROM scratch\nRUN <<E\na\rb\nE\n", []),
            ("FROM scratch\r\nCOPY <<E /x\r\na\r\nE\r\n", ["HeredocLineEnds:2"]),
            ("FROM scratch\r\n# check=skip=HeredocLineEnds\r\nRUN <<E\r\na\r\nE\r\n", []),
            ("FROM scratch\nRUN echo \u{00A4} \\\n \u{00A4}\n# \u{00A4}\nRUN \\\n# \u{00A4}\n a", ["InvalidUTF8:2"]),
            ("FROM scratch AS a\nLABEL x=\u{00A4}", ["InvalidUTF8:2"]), ("# \u{00A4}\nFROM scratch", []),
            ("FROM scratch\nCOPY <<E /x\n\u{00A4}\nE\n", []),
            ("FROM scratch\nRUN <<E\n\u{00A4}\nE\n", ["InvalidUTF8:3"]),
            ("# check=skip=InvalidUTF8\nFROM scratch\nRUN \u{00A4}", []),
        ])
    func bytes(_ text: String, _ expected: [String]) throws {
        // A currency sign stands for its byte of Latin-1.
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        let found = DockerfileCheck(bytes, file: "Dockerfile").warnings.map {
            "\($0.rule.rawValue):\($0.location.line)"
        }
        #expect(found == expected)
        // The same in UTF-8 is nobody's business.
        let fine = DockerfileCheck(Array(text.replacing("\r\n", with: "\n").utf8), file: "Dockerfile").warnings
        #expect(fine.allSatisfy { $0.rule != .invalidUTF8 && $0.rule != .heredocLineEnds })
    }

    @Test("a known environment defines variables")
    func environment() throws {
        #expect(try findings("FROM x\nCOPY $GOPATH $y /", environment: ["GOPATH": "/go"]) == ["UndefinedVar:2"])
    }

    @Test("a build argument makes a default valid")
    func argument() throws {
        #expect(try findings("ARG V\nFROM a:${V}", arguments: [("V", "1")]) == ["InvalidDefaultArgInFrom:2"])
    }

    @Test("sources that the ignore file takes away")
    func ignored() throws {
        let text = "FROM scratch\nCOPY a b /\nADD . /x\nCOPY --from=y a /\nADD https://a/b /"
        #expect(try findings(text, ignore: "a\n") == ["CopyIgnoredFile:2"])
        #expect(try findings(text, ignore: "a\n!a/b") == [])
        #expect(try findings(text, ignore: "*\n") == ["CopyIgnoredFile:2", "CopyIgnoredFile:2", "CopyIgnoredFile:3"])
    }

    @Test(
        "values that no build takes, unless a variable decides",
        arguments: [
            ("EXPOSE foo", "Dockerfile:2:8"), ("EXPOSE 9-8/tcp", "Dockerfile:2:8"), ("EXPOSE 70000", "Dockerfile:2:8"),
            ("COPY --chmod=9 a b", "Dockerfile:2:14"), ("ADD --chmod=u=z a b", "Dockerfile:2:13"),
            ("RUN --mount=type=cache,target=/ x", "Dockerfile:2:31"),
            ("RUN --mount=type=tmpfs,target=/a/.. x", "Dockerfile:2:31"),
            ("EXPOSE $P/foo", nil), ("COPY --chmod=$M a b", nil), ("RUN --mount=type=secret,id=s x", nil),
            ("RUN --mount=target=a x", nil), ("EXPOSE 80 1.2.3.4:8:9/udp", nil),
        ] as [(String, String?)])
    func values(_ line: String, _ place: String?) {
        let check = DockerfileCheck(Array("FROM scratch\n\(line)\n".utf8), file: "Dockerfile")
        #expect(check.error?.place == place, "\(String(describing: check.error))")
    }

    @Test(
        "image names",
        arguments: [
            ("a", true), ("a:1", true), ("a/b:1.0-x_Y", true), ("localhost:5000/a", true), ("ghcr.io/a/b", true),
            ("HOST/a", true),
            ("a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true), ("", false),
            ("a:", false),
            ("A", false), ("a:$", false), ("a b", false), ("/a", false), ("a/", false), ("a//b", false), ("-a", false),
            (":1", false),
            ("a@sha256:1", false),
        ])
    func imageNames(_ text: String, _ isValid: Bool) { #expect(Linter.isImageName(text) == isValid) }
}
