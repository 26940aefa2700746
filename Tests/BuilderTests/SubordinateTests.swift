import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// An ordinary user with subordinate ids (`SubordinateIDs`): root in its own user namespace, whose users are real.
@Suite("Subordinate ids", .tags(.integration), .thorough) struct SubordinateTests {
    /// The suites of steps, snapshots and hostile steps once more, as such a user. They are this very program: the kernel lets
    /// no process with several threads into a user namespace.
    @Test func theSuitesOfStepsPass() throws {
        guard let user = try SubordinateUser() else { return }
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        guard try Shell.run(user.prefix + ["test", "-x", program], allowFailure: true).status == 0 else {
            return print("skipped: another user cannot execute \(program)")
        }
        let scratch = try TemporaryDirectory("subordinate")
        try Shell.run(["chown", "\(user.id):\(user.id)", scratch.path])
        let filter = "SnapshotTests|IsolationTests|HostileStepTests|GeneratedTests|SubordinateStepTests"
        let output = try Shell.run(
            user.namespacePrefix + [
                program, "--testing-library", "swift-testing", "--no-parallel", "--filter", filter,
                "--skip", "manyFiles",
            ],
            environment: [
                "TMPDIR": scratch.path, "HOME": scratch.path, "SLIPWAY_MODES": "namespaces", "SLIPWAY_SEEDS": "301-316",
                "SLIPWAY_INSIDE": "1",
            ], allowFailure: true)
        #expect(output.status == 0, "\((output.stdout + output.stderr).suffix(6_000))")
        #expect((output.stdout + output.stderr).contains("in 5 suites passed"))
    }
}

/// What is different there: run by `SubordinateTests` only.
@Suite("Steps with subordinate ids", .tags(.integration)) struct SubordinateStepTests {
    static let isInside = ProcessInfo.processInfo.environment["SLIPWAY_INSIDE"] != nil

    @Test func usersAreReal() async throws {
        guard Self.isInside else { return print("skipped: only inside of the namespace") }
        let bench = try await Workbench()
        let result = try await bench.build(
            """
            FROM busybox
            RUN chown 33:44 /srv && echo private > /private && chmod 600 /private && chown 1000:50 /private \\
             && mkdir /suid && cp /bin/busybox /suid/id && chown 12:13 /suid/id && chmod 6755 /suid/id && mkdir -m 700 /closed && echo x > /closed/f \\
             && chown -R 65535:65534 /closed
            USER 1001
            RUN ! cat /private 2>/dev/null && ! ls /closed 2>/dev/null && ! chown 1 /private 2>/dev/null
            USER 1000:50
            RUN cat /private > /tmp/copy && id -u > /tmp/who && cat /proc/self/uid_map > /tmp/maps
            USER 0
            RUN /suid/id > /tmp/suid && cat /closed/f > /read && rm -r /closed
            """, mode: .namespaces)
        let tree = try result.tree()
        let expected = [
            "srv": "d 0755 33:44", "private": "f 0600 1000:50", "suid/id": "f 06755 12:13",
            "tmp/copy": "f 0644 1000:50",
        ]
        for (path, file) in expected { #expect(tree[path] == file, "\(path)") }
        #expect(tree["closed"] == nil && tree["read"] == "f 0644 0:0")
        #expect(try result.text("tmp/who") == "1000\n" && result.text("tmp/maps").split(separator: "\n").count == 2)
        #expect(try result.text("tmp/suid").contains("euid=12 egid=13"))
        // What others own is removed with the rest.
        let state = try FileManager.default.contentsOfDirectory(atPath: bench.state(.namespaces))
        let builds = try #require(state.first { $0.hasPrefix("builds@") })
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.state(.namespaces) + "/" + builds).isEmpty)
        #expect(state.contains { $0.hasPrefix("layers@0+1-") == false && $0.hasPrefix("layers@") })
        #expect(!state.contains("layers"))
    }

    /// Layers of a base with owners, closed directories, capabilities and device nodes; a copy of it in another stage.
    @Test func basesKeepTheirOwners() async throws {
        guard Self.isInside else { return print("skipped: only inside of the namespace") }
        let bench = try await Workbench()
        let base = try bench.image(
            "owned",
            [
                [
                    TarItem.directory("d", mode: 0o700).owned(33, 44),
                    TarItem.file("d/f", "x", mode: 0o400).owned(65535, 1),
                    TarItem.directory("closed", mode: 0).owned(7, 8),
                    TarItem.file("closed/in", "y", mode: 0).owned(9, 9),
                    KanikoFailureTests.capable("ping"), TarItem.symlink("l", "d/f").owned(5, 6),
                ]
            ], config: [:])
        let result = try await bench.build(
            """
            FROM owned AS one
            COPY --from=busybox /bin /bin
            RUN echo more >> /d/f && rm /closed/in && mknod -m 640 /n b 8 17 && chown 3:4 /n
            FROM scratch
            COPY --from=one / /
            """, mode: .namespaces
        ) { $0.namedContexts["owned"] = .image(try ImageLocation(base)) }
        let tree = try result.tree()
        let expected = [
            "d": "d 0700 33:44", "d/f": "f 0400 65535:1", "closed": "d 00 7:8", "l": "l 0777 5:6 d/f",
            "n": "b 0640 3:4",
        ]
        for (path, file) in expected { #expect(tree[path] == file, "\(path)") }
        #expect(try result.read().tree["ping"]?.attributes["security.capability"]?.count == 20)
    }

    @Test func idsThatAreNotThereAreRefused() async throws {
        guard Self.isInside else { return print("skipped: only inside of the namespace") }
        let bench = try await Workbench()
        try bench.write("f")
        let base = try bench.image("far", [[TarItem.file("f", "x").owned(100_000, 0)]], config: [:])
        for (text, place) in [
            ("FROM far\nCOPY --from=busybox /bin /bin\nRUN true\n", "f"),
            ("FROM busybox\nCOPY --chown=100000:1 f /\n", "100000"),
        ] {
            let error = await #expect(throws: BuildError.self) {
                try await bench.build(text, mode: .namespaces) {
                    $0.namedContexts["far"] = .image(try ImageLocation(base))
                }
            }
            #expect(error?.hint?.contains("/etc/subuid") == true, "\(String(describing: error))")
            #expect("\(String(describing: error))".contains(place))
        }
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nUSER 100000\nRUN true\n", mode: .namespaces)
        }
        #expect(error?.hint?.contains("/etc/subuid") == true, "\(String(describing: error))")
        let step = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nRUN touch /x && chown 100000 /x\n", mode: .namespaces)
        }
        #expect(step?.hint?.contains("/etc/subuid") == true, "\(String(describing: step))")
    }
}
