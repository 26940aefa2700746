import Builder
import Foundation
import OCI
import Sandbox
import Synchronization
import TestSupport
import Testing

/// Stages as a graph: what is not needed costs nothing, what is independent runs at the same time.
@Suite(.tags(.integration), .thorough) struct StageGraphTests {
    /// Says that it is there, and waits for the other; gives up after many tries, so that a failure ends.
    private func meet(_ own: String, _ other: String) -> String {
        """
        RUN --mount=type=cache,id=meeting,target=/meet touch /meet/\(own) && n=0 && \
        until [ -e /meet/\(other) ]; do n=$((n+1)); [ $n -lt 300 ] || exit 9; sleep 0.05; done && echo \(own) > /\(own)
        """
    }

    @Test func independentStagesRunAtTheSameTime() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.namespaces) else { return print("skipped: no namespaces on this machine") }
        let result = try await bench.build(
            """
            FROM busybox AS a
            \(meet("a", "b"))
            FROM busybox AS b
            \(meet("b", "c"))
            FROM busybox
            \(meet("c", "a"))
            COPY --from=a /a /from-a
            COPY --from=b /b /from-b
            """
        ) { $0.jobs = 3 }
        #expect(try ["c", "from-a", "from-b"].map { try result.text($0) } == ["c\n", "a\n", "b\n"])
        #expect(result.image.isolation == .namespaces)
    }

    @Test func oneJobRunsOneStepAtATime() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.namespaces) else { return print("skipped: no namespaces on this machine") }
        // Whoever finds the other's mark has run beside it.
        func alone(_ name: String) -> String {
            """
            RUN --mount=type=cache,id=alone,target=/x for i in 1 2 3 4 5; do [ -z "$(ls /x)" ] || exit 8; \
            touch /x/\(name); sleep 0.02; rm /x/\(name); done; touch /\(name)
            """
        }
        let stages = (0..<4).map { "FROM busybox AS s\($0)\n\(alone("s\($0)"))" }
        let copies = (0..<4).map { "COPY --from=s\($0) /s\($0) /" }
        let result = try await bench.build((stages + ["FROM scratch"] + copies).joined(separator: "\n")) { $0.jobs = 1 }
        #expect(try result.tree().count == 4)
    }

    @Test func aFailureStopsTheOthers() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.namespaces) else { return print("skipped: no namespaces on this machine") }
        let error = await #expect(throws: BuildError.self) {
            try await bench.build(
                """
                FROM busybox AS forever
                RUN --mount=type=cache,id=fail,target=/x touch /x/running; while :; do sleep 1; done
                FROM busybox AS fails
                RUN --mount=type=cache,id=fail,target=/x until [ -e /x/running ]; do sleep 0.05; done; exit 7
                FROM busybox AS waits
                COPY --from=forever /etc/passwd /
                FROM scratch
                COPY --from=waits /etc/passwd /a
                COPY --from=fails /etc/passwd /b
                """
            ) { $0.jobs = 3 }
        }
        #expect(error?.code == .step)
        #expect(error?.place == "Dockerfile:4:1")
        #expect(error?.summary.contains("exit code 7") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/builds")).isEmpty)
        let left = try Shell.run(["sh", "-c", "ps -eo args | grep '[t]ouch /x/running; while' || true"])
        #expect(left.stdout.isEmpty)
    }

    @Test func whatIsNotNeededCostsNothing() async throws {
        let bench = try await Workbench()
        let result = try await bench.build(
            """
            FROM oci:/no/such/layout:1 AS absent
            RUN exit 1
            FROM absent AS more
            COPY --from=127.0.0.1:1/no/image:1 /x /x
            ADD http://127.0.0.1:1/x /x
            FROM busybox AS target
            LABEL a=b
            FROM more AS last
            RUN --mount=from=absent,target=/x exit 1
            """
        ) { $0.target = "TARGET" }
        #expect(result.image.config.config.labels == ["a": "b"])
        #expect(result.image.isolation == nil)
    }

    @Test func manyStagesInARow() async throws {
        let bench = try await Workbench()
        try bench.write("f", "x")
        let stages = (1...300).map { "FROM s\($0 - 1) AS s\($0)\nLABEL l\($0)=\($0)" }
        let result = try await bench.build("FROM scratch AS s0\nCOPY f /f\n" + stages.joined(separator: "\n"))
        #expect(result.image.config.config.labels.count == 300)
        #expect(try result.tree() == ["f": "f 0644 0:0"])
    }

    @Test func eventsNameTheirStage() async throws {
        let bench = try await Workbench()
        let seen = Mutex<[String: String]>([:])
        var request = try bench.request(
            "FROM busybox AS a\nRUN echo from-a\nFROM busybox AS b\nCOPY --from=a /etc/passwd /\nRUN echo from-b\n")
        request.isolation = bench.modes.first?.isolation
        _ = try await bench.builder().build(request) { event in
            guard case .inStage(let stage, .stepOutput(_, let bytes)) = event else { return }
            seen.withLock { $0[stage, default: ""] += String(decoding: bytes, as: UTF8.self) }
        }
        #expect(seen.withLock { $0 } == ["a": "from-a\n", "b": "from-b\n"])
    }

    @Test func stagesThatNeedNothingNewFetchNothing() async throws {
        let bench = try await Workbench()
        try bench.write("f", "x")
        let text = "FROM busybox AS a\nCOPY f /f\nFROM busybox\nCOPY --from=a /f /g\n"
        let first = try await bench.build(text)
        let second = try await bench.build(text, tag: "again")
        #expect(first.image.manifestDigest == second.image.manifestDigest)
        #expect(!second.log.all.contains { if case .layerWritten = $0 { true } else { false } })
    }
}
