import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

@Suite(.tags(.integration)) struct MountTests {
    @Test func mountsLeaveNothingInTheLayer() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.namespaces) else { return print("skipped: no namespaces on this machine") }
        try bench.write("ctx/a", "from the context")
        let result = try await bench.build(
            """
            FROM busybox AS other
            RUN echo from-stage > /marker
            FROM busybox
            RUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN,target=/deep/er/token \
                cat /run/secrets/token > /a && cat /deep/er/token > /b && echo -n $TOKEN > /c
            RUN --mount=type=tmpfs,target=/scratch/dir,size=1m echo x > /scratch/dir/x && df /scratch/dir | tail -1 > /d
            RUN --mount=type=bind,source=ctx,target=/ctx cat /ctx/a > /e && ! echo x > /ctx/new
            RUN --mount=type=bind,from=other,source=/marker,target=/m,rw cat /m > /f && echo changed > /m
            RUN --mount=type=bind,from=other,target=/mnt/other cat /mnt/other/marker > /g
            RUN --mount=type=cache,target=/var/cache/x echo cached >> /var/cache/x/file; cat /var/cache/x/file > /h
            """, mode: .namespaces
        ) { $0.secrets = ["token": Array("s3cret".utf8)] }
        for name in ["a", "b", "c"] { #expect(try result.text(name) == "s3cret") }
        #expect(try result.text("d").contains("tmpfs"))
        #expect(try result.text("e") == "from the context")
        #expect(try result.text("f") == "from-stage\n")
        #expect(try result.text("g") == "from-stage\n")
        #expect(try result.text("h") == "cached\n")
        let made = Set(try (1..<7).flatMap { try result.names(inLayer: $0) })
        #expect(made == ["a", "b", "c", "d", "e", "f", "g", "h"])
        #expect(try !result.exists("run/secrets") && !result.exists("ctx") && !result.exists("var/cache"))

        let again = try await bench.build(
            "FROM busybox\nRUN --mount=type=cache,target=/var/cache/x cat /var/cache/x/file > /h\n", mode: .namespaces,
            tag: "again")
        #expect(try again.text("h") == "cached\n")

        let missing = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nRUN --mount=type=secret,id=no,required true\n", mode: .namespaces)
        }
        #expect(missing?.summary.contains("'no'") == true)
        guard bench.modes.contains(.chroot) else { return }
        let refused = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nRUN --mount=type=tmpfs,target=/x true\n", mode: .chroot)
        }
        #expect(refused?.code == .unsupported)
    }

    @Test func stepsSeeNothingOfTheMachine() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.namespaces) else { return print("skipped: no namespaces on this machine") }
        setenv("SLIPWAY_TEST_SECRET", "visible", 1)
        let result = try await bench.build(
            """
            FROM busybox
            RUN ps > /ps; env > /env; ls / > /ls; cat /proc/self/status > /status; hostname > /hostname; ls -l /dev > /dev-list
            RUN --network=none ip addr > /addr; echo changed > /etc/resolv.conf || true
            """, mode: .namespaces)
        #expect(try !result.text("env").contains("SLIPWAY_TEST_SECRET"))
        #expect(try result.text("ps").split(separator: "\n").count < 6)
        #expect(try result.text("hostname") == "buildkitsandbox\n")
        #expect(try !result.text("addr").contains("eth"))
        #expect(try result.text("status").contains("CapEff:\t00000000a80425fb"))
        #expect(try !result.names(inLayer: 2).contains("etc/resolv.conf"))
        #expect(
            try !result.names(inLayer: 1).contains {
                $0.hasPrefix("proc/") || $0.hasPrefix("dev/") || $0.hasPrefix("sys/")
            })
    }
}
