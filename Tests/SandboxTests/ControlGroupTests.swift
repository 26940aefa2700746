import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Sandbox

/// Control groups of steps: where they would be, and, as far as this machine has controllers of version 2, that they hold.
@Suite(.tags(.integration), .serialized) struct ControlGroupTests {
    private static let mount = "30 29 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"

    @Test(
        arguments: [
            ("0::/\n", mount, "/sys/fs/cgroup"),
            ("0::/system.slice/slipway.service\n", mount, "/sys/fs/cgroup/system.slice/slipway.service"),
            // Beside hierarchies of version 1.
            (
                "4:memory:/a\n0::/b\n", "31 29 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
                "/sys/fs/cgroup/unified/b"
            ),
            // A mount of the pod's part of the hierarchy.
            (
                "0::/kubepods/pod1/c1\n", "40 29 0:26 /kubepods/pod1 /sys/fs/cgroup ro - cgroup2 cgroup rw",
                "/sys/fs/cgroup/c1"
            ),
            (
                "0::/kubepods/pod1\n", "40 29 0:26 /kubepods/pod1 /sys/fs/cgroup ro - cgroup2 cgroup rw",
                "/sys/fs/cgroup"
            ),
            ("0::/kubepods/pod11\n", "40 29 0:26 /kubepods/pod1 /sys/fs/cgroup ro - cgroup2 cgroup rw", nil),
            // Out of the group's own namespace.
            ("0::/../other\n", mount, nil), ("4:memory:/a\n", mount, nil), ("", mount, nil),
            ("0::/\n", "32 29 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", nil),
            ("0::/\n", "broken", nil),
        ] as [(String, String, String?)])
    func `the directory of a group`(membership: String, mounts: String, expected: String?) {
        #expect(ControlGroupPlace(membership: membership, mounts: mounts)?.path == expected)
    }

    @Test(arguments: [
        ("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n", 3), ("oom 1\noom_kill 0\n", 0), ("", 0),
        ("oom_kill x\n", 0),
    ])
    func `what the kernel ended is counted`(events: String, expected: Int) {
        #expect(StepControlGroup.killed(events: events) == expected)
    }

    @Test func `a group that is not delegated is refused with the reason`() throws {
        let scratch = try TemporaryDirectory("cgroup")
        func refusal(_ controllers: String?, writable: Bool = true) throws -> String? {
            let folder = scratch.file(UUID().uuidString)
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            if let controllers {
                try Data(controllers.utf8).write(to: URL(fileURLWithPath: folder + "/cgroup.controllers"))
            }
            if writable { try Data().write(to: URL(fileURLWithPath: folder + "/cgroup.subtree_control")) }
            do throws(DelegatedControlGroup.Refusal) {
                _ = try DelegatedControlGroup(folder)
                return nil
            } catch {
                return error.reason
            }
        }
        #expect(try refusal(nil)?.contains("has no controller for memory") == true)
        #expect(try refusal("hugetlb misc\n")?.contains("only hugetlb misc") == true)
        #expect(try refusal("memory pids\n", writable: false)?.contains("not delegated") == true)
    }

    // MARK: On this machine

    /// A group below the root of the machine's hierarchy that is handed a controller; `nil`, with the reason printed, where that
    /// cannot be had.
    private final class Delegated {
        let group: DelegatedControlGroup
        let hasMemory: Bool
        private let path: String
        /// What the machine's root did not hand on before.
        private let taken: (file: String, controller: String)?

        init?() throws {
            guard geteuid() == 0, let mounts = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8),
                let root = ControlGroupPlace(membership: "0::/", mounts: mounts)?.path
            else {
                print("skipped: the machine has no control groups of version 2, or not for this user")
                return nil
            }
            let known = KernelFile.words(root + "/cgroup.controllers")
            let handedOn = root + "/cgroup.subtree_control"
            let before = KernelFile.words(handedOn)
            guard let controller = known.contains("memory") ? "memory" : known.first,
                KernelFile.write("+\(controller)", to: handedOn)
            else {
                print("skipped: \(root) hands on none of the controllers '\(known.joined(separator: " "))'")
                return nil
            }
            hasMemory = controller == "memory"
            taken = before.contains(controller) ? nil : (handedOn, controller)
            path = root + "/slipway-test-\(getpid())"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            group = try DelegatedControlGroup(path, wanted: [controller])
        }

        deinit {
            rmdir(path)
            if let taken { _ = KernelFile.write("-\(taken.controller)", to: taken.file) }
        }

        var steps: [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: path))?.filter { $0.hasPrefix("slipway-step") } ?? []
        }
    }

    @Test(arguments: SandboxTests.modes)
    func `a step and all that it starts are in a group of their own, which goes with them`(
        mode: IsolationMode
    ) async throws {
        let fixture = try StepFixture()
        guard let delegated = try Delegated() else { return }
        let group = delegated.group.path
        let members = Members()
        let outcome = try await fixture.run(
            // More than a pipe holds: while its first part is looked at, the step is not over.
            mode, ["/bin/sh", "-c", "sleep 1000 & yes | head -c 1000000; exit 0"],
            { $0.limits = (delegated.group, StepLimits()) }, onOutput: { members.look(in: group) })
        #expect(outcome.result.exit == .exited(0))
        // The shell, what it started, and those who look after them.
        #expect(members.most >= 2)
        #expect(delegated.steps.isEmpty)
    }

    /// The most processes that were seen in a step's group.
    private final class Members: Sendable {
        private let count = Mutex(0)
        var most: Int { count.withLock { $0 } }

        func look(in group: String) {
            let steps =
                (try? FileManager.default.contentsOfDirectory(atPath: group))?
                .filter { $0.hasPrefix("slipway-step") } ?? []
            let processes = steps.flatMap { KernelFile.words("\(group)/\($0)/cgroup.procs") }
            count.withLock { $0 = max($0, processes.count) }
        }
    }

    @Test(arguments: SandboxTests.modes)
    func `a step over its memory is ended, and it is known why`(mode: IsolationMode) async throws {
        let fixture = try StepFixture()
        guard let delegated = try Delegated() else { return }
        guard delegated.hasMemory else {
            print("skipped: the memory controller of this machine is one of version 1")
            return
        }
        let limits = (delegated.group, StepLimits(memory: 32 << 20))
        // One line of many bytes is held whole.
        let hungry = try await fixture.run(mode, "head -c 200000000 /dev/zero | tr '\\0' x | grep -c y") {
            $0.limits = limits
        }
        #expect(hungry.result.exit == .outOfMemory)
        let modest = try await fixture.run(mode, "echo x | grep -c x") { $0.limits = limits }
        #expect(modest.result.exit == .exited(0))
        #expect(delegated.steps.isEmpty)
    }
}
