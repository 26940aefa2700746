import CSandbox
import Foundation
import TestSupport
import Testing

@testable import Sandbox

/// The filter of a step's system calls: the table, the program that is made of it (run here for any processor), and the calls
/// themselves in a step.
@Suite("System calls of steps", .tags(.unit)) struct GuardTests {
    private enum Answer: Hashable, CustomStringConvertible {
        case allowed, asked
        case refused(Int32)

        var description: String {
            switch self {
            case .allowed: "allowed"
            case .asked: "asked"
            case .refused(let number): String(cString: strerror(number))
            }
        }
    }

    private static let abis = [SLIPWAY_ABI_X86_64, SLIPWAY_ABI_I386, SLIPWAY_ABI_ARM64, SLIPWAY_ABI_ARM]

    /// As seccomp tells it: linux/audit.h.
    private static func architecture(_ abi: slipway_abi) -> UInt32 {
        [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x4000_0028][Int(abi.rawValue)]
    }

    /// A classic BPF program, as far as seccomp has it.
    private struct Program {
        /// struct sock_filter.
        struct Step {
            let code: UInt16
            let yes, no: UInt8
            let value: UInt32

            init(_ bytes: UnsafeRawBufferPointer) {
                code = bytes.loadUnaligned(as: UInt16.self)
                (yes, no) = (bytes[2], bytes[3])
                value = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            }
        }

        let steps: [Step]

        init(_ settings: slipway_guard_settings, for abi: slipway_abi) {
            var settings = settings
            let room = Int(SLIPWAY_GUARD_ROOM)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room * 8, alignment: 8)
            defer { buffer.deallocate() }
            // 32 bits come from programs of the processor's own kind.
            let native = abi == SLIPWAY_ABI_I386 ? SLIPWAY_ABI_X86_64 : abi == SLIPWAY_ABI_ARM ? SLIPWAY_ABI_ARM64 : abi
            let count = Int(slipway_assemble_guard(&settings, native, buffer.baseAddress, Int32(room)))
            #expect(count > 0 && count <= room)
            steps = (0..<min(count, room)).map { index in
                Step(UnsafeRawBufferPointer(rebasing: buffer[index * 8..<index * 8 + 8]))
            }
        }

        func run(_ architecture: UInt32, _ number: UInt32, _ arguments: [UInt64]) -> Answer? {
            // struct seccomp_data: number, architecture, instruction pointer, six arguments.
            var words = [number, architecture, 0, 0]
            for index in 0..<6 {
                let value = index < arguments.count ? arguments[index] : 0
                words += [UInt32(truncatingIfNeeded: value), UInt32(value >> 32)]
            }
            var accumulator: UInt32 = 0
            var at = 0
            while at < steps.count {
                let step = steps[at]
                at += 1
                func jump(_ isTrue: Bool) { at += Int(isTrue ? step.yes : step.no) }
                switch step.code {
                case 0x20: accumulator = words[Int(step.value) / 4]
                case 0x05: at += Int(step.value)
                case 0x15: jump(accumulator == step.value)
                case 0x25: jump(accumulator > step.value)
                case 0x35: jump(accumulator >= step.value)
                case 0x45: jump(accumulator & step.value != 0)
                case 0x06:
                    switch step.value & 0xffff_0000 {
                    case 0x7fff_0000: return .allowed
                    case 0x7fc0_0000: return .asked
                    case 0x0005_0000: return .refused(Int32(step.value & 0xffff))
                    default: return nil
                    }
                default: return nil
                }
            }
            return nil
        }
    }

    /// All rules by name, with the numbers in an ABI.
    private static func rules(_ abi: slipway_abi) -> [String: Int] {
        var found: [String: Int] = [:]
        var index: Int32 = 0
        while true {
            var name: UnsafePointer<CChar>?
            let number = slipway_guard_rule(index, abi, &name)
            guard number > -2, let name else { return found }
            if number >= 0 { found[String(cString: name)] = Int(number) }
            index += 1
        }
    }

    private static func settings(sharing: Bool = false, traces: Bool = true, signals: Bool = true, asks: Bool = true)
        -> slipway_guard_settings
    {
        slipway_guard_settings(
            shares_processes: sharing ? 1 : 0, keeps_traces: traces ? 1 : 0, keeps_signals: signals ? 1 : 0,
            has_listener: asks ? 1 : 0, kept: (4_711, 4_712, 4_713))
    }

    // MARK: The table

    /// As the kernel's headers have them, where those are installed.
    @Test func `numbers are the kernel's`() throws {
        let headers: [(slipway_abi, [String])] = [
            (SLIPWAY_ABI_X86_64, ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h"]),
            (SLIPWAY_ABI_I386, ["/usr/include/x86_64-linux-gnu/asm/unistd_32.h"]),
            (SLIPWAY_ABI_ARM64, ["/usr/include/asm-generic/unistd.h"]),
        ]
        for (abi, paths) in headers {
            guard let path = paths.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
                print("skipped: no \(paths[0])")
                continue
            }
            var numbers: [String: Int] = [:]
            for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
                let words = line.split(whereSeparator: \.isWhitespace)
                guard words.count == 3, words[0] == "#define", let number = Int(words[2]) else { continue }
                for prefix in ["__NR_", "__NR3264_"] where words[1].hasPrefix(prefix) {
                    numbers[String(words[1].dropFirst(prefix.count))] = number
                }
            }
            let rules = Self.rules(abi)
            #expect(rules.count > 70)
            for (name, number) in rules {
                // What these headers are too old for.
                guard let known = numbers[name] else {
                    #expect(number >= 424 || name == "kexec_file_load", "\(name) of \(abi)")
                    continue
                }
                #expect(number == known, "\(name) of \(abi)")
            }
            let missing = numbers.filter { $0.value < 424 && rules[$0.key] == nil }.keys
            #expect(Set(missing).isDisjoint(with: Self.rules(SLIPWAY_ABI_X86_64).keys), "\(abi)")
        }
    }

    @Test func `everything else up to the newest is allowed, and what comes after is unknown`() throws {
        for abi in Self.abis {
            let program = Program(Self.settings(), for: abi)
            let architecture = Self.architecture(abi)
            let rules = Set(Self.rules(abi).values)
            for number in 0...466 where !rules.contains(number) {
                #expect(program.run(architecture, UInt32(number), []) == .allowed, "\(number) of \(abi)")
            }
            for number: UInt32 in [467, 1_000, 0x3fff_ffff, 0x4000_0000, 0x4000_0027, 0xffff_ffff] {
                #expect(program.run(architecture, number, []) == .refused(ENOSYS), "\(number) of \(abi)")
            }
            // arm's own.
            let own: Answer = abi == SLIPWAY_ABI_ARM ? .allowed : .refused(ENOSYS)
            #expect(program.run(architecture, 0xf0002, []) == own && program.run(architecture, 0xf0005, []) == own)
            #expect(program.run(architecture, 0xf0000, []) == .refused(ENOSYS))
            #expect(program.run(architecture, 0xf0007, []) == .refused(ENOSYS))
            // Another processor's.
            #expect(program.run(0xc000_00f3, 64, []) == .refused(ENOSYS))
        }
    }

    private struct Row {
        let name: String
        let arguments: [UInt64]
        let answer: Answer

        init(_ name: String, _ answer: Answer, _ arguments: UInt64...) {
            (self.name, self.answer, self.arguments) = (name, answer, arguments)
        }
    }

    private func expect(_ rows: [Row], _ settings: slipway_guard_settings, _ comment: String = "") throws {
        for abi in Self.abis {
            let program = Program(settings, for: abi)
            let architecture = Self.architecture(abi)
            let rules = Self.rules(abi)
            for row in rows {
                guard let number = rules[row.name] else { continue }
                let answer = program.run(architecture, UInt32(number), row.arguments)
                #expect(answer == row.answer, "\(row.name)(\(row.arguments)) of \(abi) \(comment)")
            }
        }
    }

    @Test func `what no step needs is refused`() throws {
        let never = [
            "add_key", "keyctl", "request_key", "setns", "mount", "umount", "umount2", "pivot_root", "open_tree",
            "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "bpf", "perf_event_open",
            "userfaultfd", "fanotify_init", "lookup_dcookie", "open_by_handle_at", "quotactl", "quotactl_fd", "acct",
            "clock_settime", "clock_settime64", "settimeofday", "stime", "init_module", "finit_module",
            "delete_module", "ioperm", "iopl", "kexec_load", "kexec_file_load", "reboot", "sethostname",
            "setdomainname", "swapon", "swapoff", "syslog", "vhangup", "vm86", "vm86old", "_sysctl", "sysfs",
            "uselib", "ustat", "nfsservctl", "get_mempolicy", "set_mempolicy", "set_mempolicy_home_node", "mbind",
            "migrate_pages", "move_pages", "kcmp", "pidfd_getfd", "process_madvise", "lsm_set_self_attr",
        ]
        let unknown = ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "socketcall"]
        let conditional = [
            Row("clone", .allowed, 17), Row("clone", .allowed, 0x3d0f00), Row("clone", .allowed, 0x1200011),
            Row("unshare", .allowed, 0x400), Row("unshare", .allowed, 0x200), Row("unshare", .allowed, 0x40000),
            Row("unshare", .refused(EPERM), 0x80), Row("personality", .allowed, 0), Row("personality", .allowed, 8),
            Row("personality", .allowed, 0x20000), Row("personality", .allowed, 0x20008),
            Row("personality", .allowed, 0xffff_ffff), Row("personality", .refused(EPERM), 0x4_0000),
            Row("personality", .refused(EPERM), 0x40_0000), Row("ioctl", .allowed, 1, 0x5401),
            Row("ioctl", .refused(EPERM), 1, 0x5412), Row("ioctl", .refused(EPERM), 1, 0x1_0000_5412),
            Row("ioctl", .refused(EPERM), 1, 0x541c), Row("ioctl", .allowed, 1, 0x8901),
            Row("socket", .allowed, 16, 3, 0), Row("socket", .refused(EPROTONOSUPPORT), 16, 3, 9),
            Row("socket", .allowed, 2, 1, 9), Row("socket", .allowed, 17, 3, 9),
        ]
        let namespaces: [UInt64] = [
            0x20000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
        ]
        let flags = namespaces.flatMap { flag in
            [
                Row("clone", .refused(EPERM), flag | 17), Row("unshare", .refused(EPERM), flag),
                Row("clone", .refused(EPERM), flag | 1 << 40),
            ]
        }
        let refusedFamilies: Set<UInt64> = [12, 19, 20, 23, 25, 34, 37, 38, 40, 46, 47, 255]
        let families = ((0...47) + [255]).filter { $0 != 16 }.map { family in
            Row("socket", refusedFamilies.contains(family) ? .refused(EAFNOSUPPORT) : .allowed, family, 1, 0)
        }
        for isSharing in [false, true] {
            let rows =
                never.map { Row($0, .refused(EPERM)) } + unknown.map { Row($0, .refused(ENOSYS)) } + conditional
                + flags + families
            try expect(rows, Self.settings(sharing: isSharing), "sharing: \(isSharing)")
        }
    }

    /// In its own pid namespace a step has nobody else to leave alone.
    @Test func `other processes are nobody's business`() throws {
        let calls = [
            "prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr", "kill", "tkill",
            "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_send_signal", "process_vm_readv",
            "process_vm_writev", "ptrace",
        ]
        try expect(calls.map { Row($0, .allowed, 4_711, 16, 4_711) }, Self.settings(traces: false, signals: false))

        let limits = ["prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr"]
        for asks in [true, false] {
            let asked: Answer = asks ? .asked : .refused(EPERM)
            let rows =
                limits.flatMap { [Row($0, .allowed, 0), Row($0, asked, 1), Row($0, asked, 4_711)] } + [
                    Row("setpriority", .allowed, 0, 0), Row("setpriority", asked, 0, 5),
                    Row("setpriority", .allowed, 1, 0), Row("setpriority", .refused(EPERM), 1, 5),
                    Row("setpriority", .refused(EPERM), 2, 0), Row("ioprio_set", .allowed, 1, 0),
                    Row("ioprio_set", asked, 1, 5), Row("ioprio_set", .allowed, 2, 0),
                    Row("ioprio_set", .refused(EPERM), 2, 5), Row("ioprio_set", .refused(EPERM), 3, 0),
                ]
            try expect(rows, Self.settings(sharing: true, asks: asks), "asks: \(asks)")
            let kept = [
                Row("kill", .allowed, 4_711), Row("ptrace", .allowed, 16), Row("process_vm_readv", .allowed, 4_711),
                Row("pidfd_open", .allowed, 4_711), Row("fcntl", .allowed, 3, 8, 4_711),
            ]
            try expect(kept, Self.settings(sharing: true, asks: asks), "kept by Landlock")
        }
    }

    @Test func `signals and traces where Landlock keeps none in`() throws {
        let always = [
            Row("kill", .allowed, 0, 15), Row("ptrace", .refused(EPERM), 16), Row("ptrace", .refused(EPERM), 0x4206),
            Row("ptrace", .allowed, 0), Row("ptrace", .allowed, 7), Row("process_vm_readv", .refused(EPERM), 5),
            Row("process_vm_writev", .refused(EPERM), 5), Row("pidfd_open", .refused(ENOSYS), 5),
            Row("pidfd_send_signal", .refused(ENOSYS), 5), Row("fcntl", .allowed, 3, 4, 5),
            Row("fcntl", .refused(EPERM), 3, 15, 5), Row("fcntl", .allowed, 3, 8, 0),
            Row("ioctl", .refused(EPERM), 3, 0x8901), Row("ioctl", .refused(EPERM), 3, 0x8902),
        ]
        let asked = [
            Row("kill", .asked, 5), Row("kill", .asked, 0xffff_ffff), Row("tkill", .asked, 5),
            Row("tgkill", .asked, 5, 5), Row("rt_sigqueueinfo", .asked, 5), Row("rt_tgsigqueueinfo", .asked, 5, 5),
            Row("fcntl", .asked, 3, 8, 5), Row("fcntl64", .asked, 3, 8, 5),
        ]
        let minus = { (number: Int32) in UInt64(UInt32(bitPattern: -number)) }
        let known = (4_711...4_713).flatMap { (number: Int32) in
            [
                Row("kill", .refused(EPERM), UInt64(number)), Row("kill", .refused(EPERM), minus(number)),
                Row("tkill", .refused(EPERM), UInt64(number)), Row("tgkill", .refused(EPERM), UInt64(number)),
                Row("fcntl", .refused(EPERM), 3, 8, UInt64(number)),
                Row("rt_sigqueueinfo", .refused(EPERM), UInt64(number)),
            ]
        }
        try expect(always + asked, Self.settings(sharing: true, traces: false, signals: false))
        try expect(
            always + known + [Row("kill", .allowed, 5), Row("kill", .refused(EPERM), minus(1))],
            Self.settings(sharing: true, traces: false, signals: false, asks: false))
    }

    // MARK: In a step

    @Test(arguments: ReachTests.modes, [UInt32(0), 1000])
    func `a step is told so`(mode: IsolationMode, user: UInt32) async throws {
        let fixture = try StepFixture()
        guard try AttackProgram.install(at: fixture.lower + "/bin/attack") else { return }
        try Shell.run(["chmod", "-R", "a+rX", fixture.scratch.path])
        let output = try await fixture.run(mode, ["/bin/attack", "profile"]) { $0.user = (user, user, [user]) }.output
        var seen: [String: String] = [:]
        for line in output.split(separator: "\n") {
            guard let space = line.lastIndex(of: " ") else { continue }
            seen[String(line[..<space])] = String(line[line.index(after: space)...])
        }
        for name in ["clone3", "io_uring_setup", "newest", "x32", "old socketcall"] {
            #expect(seen.removeValue(forKey: name) ?? "ENOSYS" == "ENOSYS", "\(name)")
        }
        for name in ["vsock", "alg", "family 46"] {
            #expect(seen.removeValue(forKey: name) == "EAFNOSUPPORT", "\(name)")
        }
        #expect(seen.removeValue(forKey: "audit") == "EPROTONOSUPPORT")
        for name in ["route", "personality 32", "unshare files", "thread", "old getpid"] {
            #expect(seen.removeValue(forKey: name) ?? "yes" == "yes", "\(name)")
        }
        // Allowed, with arguments that are nothing.
        for name in ["name_to_handle_at", "last"] { #expect(seen.removeValue(forKey: name) != "EPERM", "\(name)") }
        #expect(seen.count > 30)
        for (name, result) in seen { #expect(result == "EPERM", "\(name)") }
    }
}
