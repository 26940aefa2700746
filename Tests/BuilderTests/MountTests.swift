import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

@Suite(.tags(.integration), .thorough) struct MountTests {
    @Test(arguments: BuildMode.allCases)
    func mountsLeaveNothingInTheLayer(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("ctx/a", "from the context")
        let result = try await bench.build(
            """
            FROM busybox AS other
            RUN echo from-stage > /marker
            FROM busybox
            RUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN,target=/deep/er/token \
                cat /run/secrets/token > /a && cat /deep/er/token > /b && echo -n $TOKEN > /c
            RUN --mount=type=tmpfs,target=/scratch/dir,size=1m echo x > /scratch/dir/x && df /scratch/dir | tail -1 > /d
            RUN --mount=type=bind,source=ctx,target=/ctx cat /ctx/a > /e; echo x > /ctx/new || true
            RUN --mount=type=bind,from=other,source=/marker,target=/m,rw cat /m > /f && echo changed > /m
            RUN --mount=type=bind,from=other,target=/mnt/other cat /mnt/other/marker > /g
            RUN --mount=type=cache,target=/var/cache/x echo cached >> /var/cache/x/file; cat /var/cache/x/file > /h
            """, mode: mode
        ) { $0.secrets = ["token": Array("s3cret".utf8)] }
        for name in ["a", "b", "c"] { #expect(try result.text(name) == "s3cret") }
        if mode.hasNamespaces { #expect(try result.text("d").contains("tmpfs")) }
        #expect(try result.text("e") == "from the context")
        #expect(try result.text("f") == "from-stage\n")
        #expect(try result.text("g") == "from-stage\n")
        #expect(try result.text("h") == "cached\n")
        let made = Set(try (1..<7).flatMap { try result.names(inLayer: $0) })
        #expect(made == ["a", "b", "c", "d", "e", "f", "g", "h"])
        #expect(try !result.exists("run/secrets") && !result.exists("ctx") && !result.exists("var/cache"))

        let again = try await bench.build(
            "FROM busybox\nRUN --mount=type=cache,target=/var/cache/x cat /var/cache/x/file > /h\n", mode: mode,
            tag: "again")
        #expect(try again.text("h") == "cached\n")

        let missing = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nRUN --mount=type=secret,id=no,required true\n", mode: mode)
        }
        #expect(missing?.summary.contains("'no'") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.state(mode) + "/builds").isEmpty)
    }

    /// What a step puts in the place of the directories around its mounts must not lead the clean-up anywhere.
    @Test(arguments: BuildMode.allCases)
    func aStepCannotLeadTheCleanUpOutOfItsRoot(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        let victim = bench.directory.file("victim")
        try FileManager.default.createDirectory(atPath: victim, withIntermediateDirectories: true)
        for name in ["hosts", "resolv.conf", "cache", "null"] {
            try Data("mine".utf8).write(to: URL(fileURLWithPath: victim + "/" + name))
        }
        let result = try await bench.build(
            """
            FROM busybox
            RUN --mount=type=cache,target=/a/b/cache echo kept > /a/b/cache/f; \
                for d in /etc /dev /a/b; do mv $d $d.old && ln -s \(victim) $d; done; true
            RUN --mount=type=cache,id=/a/b/cache,target=/c cat /c/f > /kept || true
            """, mode: mode)
        for name in ["hosts", "resolv.conf", "cache", "null"] {
            #expect(try String(contentsOfFile: victim + "/" + name, encoding: .utf8) == "mine")
        }
        if !mode.hasNamespaces { #expect(try result.text("kept") == "kept\n") }
    }

    @Test(arguments: BuildMode.allCases)
    func anSSHAgentAnswersInAStep(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        let key = bench.directory.file("key")
        try Shell.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
        // busybox has no ssh-add: a list of identities is asked for by hand.
        let result = try await bench.build(
            """
            FROM busybox
            RUN --mount=type=ssh,mode=0666 echo $SSH_AUTH_SOCK > /name; test -S $SSH_AUTH_SOCK && ls -l $SSH_AUTH_SOCK > /mode; \
                printf '\\000\\000\\000\\001\\013' | nc -w 2 local:$SSH_AUTH_SOCK > /answer; true
            RUN --mount=type=ssh,id=other test -z "$SSH_AUTH_SOCK"
            """, mode: mode
        ) { $0.sshAgents = ["default": .keys([key])] }
        #expect(try result.text("name") == "/run/buildkit/ssh_agent.0\n")
        #expect(try result.text("mode").hasPrefix("srw-rw-rw-"))
        #expect(try !result.names(inLayer: 1).contains { $0.hasPrefix("run") })
        let missing = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nRUN --mount=type=ssh,required true\n", mode: mode)
        }
        #expect(missing?.hint?.contains("--ssh default") == true)
    }

    @Test(arguments: BuildMode.allCases)
    func aCacheBeginsWithWhatItIsGiven(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("seed/f", "seeded")
        let result = try await bench.build(
            """
            FROM scratch AS seed
            COPY seed /seed
            FROM busybox
            RUN --mount=type=cache,id=x,target=/c,from=seed,source=/seed,mode=0700 cat /c/f > /a; echo more > /c/f; stat -c %a /c > /m
            RUN --mount=type=cache,id=x,target=/c,from=seed,source=/seed cat /c/f > /b
            """, mode: mode)
        #expect(try [result.text("a"), result.text("b"), result.text("m")] == ["seeded", "more\n", "700\n"])
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
