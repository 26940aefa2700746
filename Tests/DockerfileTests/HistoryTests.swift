import TestSupport
import Testing

@testable import Dockerfile

/// Section 10.
@Suite("History", .tags(.unit)) struct HistoryTests {
    @Test(
        "wording",
        arguments: [
            ("ENV a=b c=\"d e\"", "ENV a=b c=d e"), ("LABEL a=b", "LABEL a=b"), ("WORKDIR x", "WORKDIR /w"),
            ("USER u:g", "USER u:g"),
            ("EXPOSE 443 80/udp", "EXPOSE [443/tcp 80/udp]"), ("VOLUME /a /b", "VOLUME [/a /b]"),
            ("CMD [\"a\", \"b c\"]", "CMD [\"a\" \"b c\"]"),
            ("CMD a \"b\"\t\u{1}é\u{200b}", "CMD [\"/bin/sh\" \"-c\" \"a \\\"b\\\"\\t\\x01é\\u200b\"]"),
            ("CMD []", "CMD []"), ("ENTRYPOINT [\"a\"]", "ENTRYPOINT [\"a\"]"),
            ("SHELL [\"/bin/bash\", \"-c\"]", "SHELL [/bin/bash -c]"),
            ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGTERM"), ("MAINTAINER me", "MAINTAINER me"),
            (
                "HEALTHCHECK --interval=5s CMD a b",
                "HEALTHCHECK {Test:[CMD-SHELL a b] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"
            ),
            ("RUN a  b", "RUN |2 A=1 B=2 /bin/sh -c a  b # buildkit"), ("RUN [\"a\"]", "RUN |2 A=1 B=2 a # buildkit"),
            ("RUN <<E\nx\nE", "RUN |2 A=1 B=2 /bin/sh -c x\n # buildkit"),
            ("COPY a b c/", "COPY a b c/ # buildkit"),
            (
                "COPY --link --chmod=644 --chown=1:2 --parents --from=x a c/",
                "COPY --parents --chown=1:2 --chmod=644 a c/ # buildkit"
            ),
            ("COPY a <<F c/\nF", "COPY a <<F c/ # buildkit"), ("ADD --checksum=sha256:x a c", "ADD a c # buildkit"),
        ])
    func wording(_ text: String, _ history: String) throws {
        let words = HistoryText(
            workingDirectory: "/w", buildArguments: [("A", "1"), ("B", "0"), ("B", "2")])
        #expect(words.text(of: try instructions(text)[0].expanded { _ in nil }.instruction.kind) == history)
    }

    @Test("ARG and ONBUILD")
    func others() throws {
        #expect(HistoryText.arg([("A", "1"), ("B", nil), ("C", "")]) == "ARG A=1 B C=")
        #expect(HistoryText().text(of: try kind("ONBUILD RUN x")) == nil)
        #expect(HistoryText().text(of: try kind("RUN x")) == "RUN /bin/sh -c x # buildkit")
        #expect(!HistoryText(workingDirectory: "/").hasLayer(.workdir(path: "/")))
        #expect(HistoryText(workingDirectory: "/a").hasLayer(.workdir(path: "/a")))
        #expect(!HistoryText().hasLayer(.user("x")))
    }

    @Test(
        "durations",
        arguments: [
            ("0", 0, "0s"), ("1s", 1_000_000_000, "1s"), ("1m30s", 90_000_000_000, "1m30s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("500ms", 500_000_000, "500ms"), ("1h", 3_600_000_000_000, "1h0m0s"), ("90m", 5_400_000_000_000, "1h30m0s"),
            ("1us", 1_000, "1µs"), ("1ns", 1, "1ns"), ("1.5ms", 1_500_000, "1.5ms"), (".5s", 500_000_000, "500ms"),
            ("-1s", -1_000_000_000, "-1s"), ("+1s", 1_000_000_000, "1s"), ("1h1h", 7_200_000_000_000, "2h0m0s"),
            ("1m0.25s", 60_250_000_000, "1m0.25s"), ("", nil, ""), ("1", nil, ""), ("s", nil, ""), ("1x", nil, ""),
            (".s", nil, ""),
            ("1s ", nil, ""), ("9223372036854775808ns", nil, ""), ("2562048h", nil, ""), ("--1s", nil, ""),
        ] as [(String, Int64?, String)])
    func durations(_ text: String, _ value: Int64?, _ printed: String) {
        #expect(GoValue.duration(text) == value)
        if let value { #expect(GoValue.text(ofDuration: value) == printed) }
    }
}
