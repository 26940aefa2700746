import Foundation
import TestSupport
import Testing

@testable import Sandbox

/// What a step reaches of the agent, of other steps and of the machine, in each isolation mode: the attacks are in
/// `AttackProgram`. Where it depends on the kernel, older ones are tried by not using what they lack.
@Suite("What a step reaches", .tags(.integration), .thorough) struct ReachTests {
    static let modes = SandboxTests.modes + (SandboxTests.modes.contains(.chroot) ? [.inPlace] : [])
    /// Those that share the agent's processes.
    static let sharing = modes.filter { $0 != .namespaces }
    private let fixture: StepFixture
    private let isReady: Bool

    init() throws {
        fixture = try StepFixture()
        isReady = try AttackProgram.install(at: fixture.lower + "/bin/attack")
    }

    /// What a kernel has of what keeps a step's signals and traces in.
    enum Kernel: String, CaseIterable, Sendable {
        /// This one.
        case present
        /// Landlock keeps traces in, and a filter asks about signals.
        case before6_12 = "before 6.12"
        /// A filter refuses traces, and asks about signals.
        case withoutLandlock = "without Landlock"
        /// A filter knows some numbers, and nobody to ask.
        case before5_5 = "before 5.5"

        var limit: SandboxStep.KernelLimit {
            switch self {
            case .present: .init()
            case .before6_12: .init(landlock: 5)
            case .withoutLandlock: .init(landlock: 0)
            case .before5_5: .init(landlock: 0, hasNotifications: false)
            }
        }
    }

    /// A process of somebody else, until it is ended.
    private func victim(_ user: UInt32, prefix: [String] = []) throws -> Process {
        let process = Process()
        let command =
            prefix
            + (user == 0 ? [] : ["setpriv", "--reuid", "\(user)", "--regid", "\(user)", "--clear-groups"]) + [
                fixture.lower + "/bin/attack", "wait",
            ]
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func end(_ victim: Process) {
        kill(victim.processIdentifier, SIGKILL)
        victim.waitUntilExit()
    }

    private func attack(
        _ mode: IsolationMode, _ what: String..., user: UInt32 = 0, change: (inout SandboxStep) -> Void = { _ in }
    ) async throws -> String {
        try Shell.run(["chmod", "-R", "a+rX", fixture.scratch.path])
        return try await fixture.run(mode, ["/bin/attack"] + what) {
            $0.user = (user, user, [user])
            $0.timeout = .seconds(60)
            change(&$0)
        }.output
    }

    // MARK: Signals and traces

    @Test(arguments: sharing, Kernel.allCases)
    func `it signals nobody but its own`(mode: IsolationMode, kernel: Kernel) async throws {
        guard isReady else { return }
        for user: UInt32 in [0, 1000] {
            let other = try victim(user)
            defer { end(other) }
            let pid = other.processIdentifier
            // Whom a filter cannot ask, it does not know.
            let target = kernel == .before5_5 ? getpid() : pid
            if kernel == .before5_5 {
                for number in [target, -1, -target] {
                    let tried = try await attack(mode, "kill-0", "\(number)") { $0.kernel = kernel.limit }
                    #expect(tried == "done\n", "\(number)")
                }
                continue
            }
            let output = try await attack(mode, "signals", "\(target)", user: user) { $0.kernel = kernel.limit }
            #expect(output == "done\n", "\(user)")
            #expect(other.isRunning && kill(pid, 0) == 0, "\(user)")
        }
    }

    @Test(arguments: modes, Kernel.allCases)
    func `it signals its own as always`(mode: IsolationMode, kernel: Kernel) async throws {
        guard isReady else { return }
        for user: UInt32 in [0, 1000] {
            let output = try await attack(mode, "own-signals", user: user) { $0.kernel = kernel.limit }
            #expect(output == "own\ndone\n", "\(user)")
        }
    }

    @Test(arguments: sharing, Kernel.allCases)
    func `it traces nobody but its own`(mode: IsolationMode, kernel: Kernel) async throws {
        guard isReady else { return }
        for user: UInt32 in [0, 1000] {
            // With no more rights than a step has itself, as the step of another build.
            let rights = ["setpriv", "--inh-caps", "-all", "--bounding-set", "-all,+chown,+kill,+setuid,+setgid"]
            let other = try victim(user, prefix: rights)
            defer { end(other) }
            let output = try await attack(mode, "trace", "\(other.processIdentifier)", user: user) {
                $0.kernel = kernel.limit
            }
            #expect(output == "done\n", "\(user)")
        }
    }

    @Test(arguments: sharing, Kernel.allCases)
    func `it sets no limits and priorities but its own`(mode: IsolationMode, kernel: Kernel) async throws {
        guard isReady else { return }
        for user: UInt32 in [0, 1000] {
            let other = try victim(user)
            defer { end(other) }
            let output = try await attack(mode, "limits", "\(other.processIdentifier)", user: user) {
                $0.kernel = kernel.limit
            }
            let own = kernel == .before5_5 ? "not its own: EPERM\n" : ""
            #expect(output == own + "done\n", "\(user)")
        }
    }

    // MARK: Channels

    @Test(arguments: modes, [SandboxStep.Network.host, .none])
    func `it reads no packets of the agent`(mode: IsolationMode, network: SandboxStep.Network) async throws {
        guard isReady else { return }
        let output = try await attack(mode, "sniff") { $0.network = network }
        // What it has of its own it may listen to.
        #expect(output == (network == .none ? "packets\nraw\nraw6\ndone\n" : "done\n"))
    }

    @Test(arguments: modes) func `capabilities are those of its own namespaces`(mode: IsolationMode) async throws {
        guard isReady else { return }
        let output = try await attack(mode, "capabilities")
        // CAP_NET_RAW, CAP_SYS_CHROOT and CAP_AUDIT_WRITE are missing without namespaces.
        #expect(output == (mode == .namespaces ? "a80425fb\ndone\n" : "880005fb\ndone\n"))
    }

    @Test(arguments: modes) func `abstract sockets are its own`(mode: IsolationMode) async throws {
        guard isReady else { return }
        let name = "slipway-\(UUID().uuidString)"
        let server = try AbstractSockets(name)
        defer { withExtendedLifetime(server) {} }
        #expect(try await attack(mode, "abstract", name) == "done\n")
        let before = try await attack(mode, "abstract", name) { $0.kernel = Kernel.before6_12.limit }
        // docs/security.md says so.
        #expect(before == "connected\nsent\ndone\n")
        let alone = try await attack(mode, "abstract", name) {
            $0.kernel = Kernel.before6_12.limit
            $0.network = .none
        }
        #expect(alone == "done\n")
    }

    @Test(arguments: modes) func `System V's queues and memory are its own`(mode: IsolationMode) async throws {
        guard isReady else { return }
        let key = key_t.random(in: 1_000_000...1_000_000_000)
        let memory = shmget(key, 4_096, 0o1666)
        let messages = msgget(key, 0o1666)
        defer {
            shmctl(memory, 0, nil)
            msgctl(messages, 0, nil)
        }
        try #require(memory >= 0 && messages >= 0)
        #expect(try await attack(mode, "queue", "\(key)") == "done\n")
        #expect(msgget(key + 1, 0) == -1)
    }

    /// Root in name only, as an ordinary user's steps are.
    @Test func `an ordinary user's step reaches no more`() async throws {
        guard isReady else { return }
        let name = "slipway-\(UUID().uuidString)"
        let server = try AbstractSockets(name)
        defer { withExtendedLifetime(server) {} }
        for attempt in [["keys"], ["sniff"], ["abstract", name], ["trace", "\(getpid())"], ["queue", "4711"]] {
            let outcome = try await fixture.run(.namespaces, ["/bin/attack"] + attempt) { $0.hasOneIdentity = true }
            #expect(outcome.output == "done\n", "\(attempt)")
        }
        let profile = try await fixture.run(.namespaces, ["/bin/attack", "profile"]) { $0.hasOneIdentity = true }.output
        for call in ["keyctl", "bpf", "userfaultfd", "unshare user", "clone user", "mount"] {
            #expect(profile.contains("\n\(call) EPERM\n"), "\(call)")
        }
        let score = try await fixture.run(.namespaces, "cat /proc/self/oom_score_adj") { $0.hasOneIdentity = true }
        #expect(score.output == "900\n")
    }

    /// Whoever starts the agent may have keys in the session keyring that the agent inherits; the user's own are there too. The
    /// suite below is run with both.
    @Test func `the agent's keys are out of reach`() throws {
        guard isReady, geteuid() == 0 else { return }
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let output = try Shell.run(
            [
                fixture.lower + "/bin/attack", "session", program, "--testing-library", "swift-testing",
                "--no-parallel", "--filter", "KeyringTests",
            ], environment: ["SLIPWAY_KEYS": "1"], allowFailure: true)
        if output.status == 77 { return print("skipped: no keys can be kept here") }
        #expect(output.status == 0, "\((output.stdout + output.stderr).suffix(4_000))")
        #expect((output.stdout + output.stderr).contains("in 1 suite passed"))
    }

    // MARK: What is promised

    /// The last column of the table of docs/security.md.
    @Test func `the boundaries' tests are there`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let text = try String(contentsOfFile: root + "/docs/security.md", encoding: .utf8)
        let start = try #require(text.range(of: "## Steps"))
        let rows = text[start.upperBound...].split(separator: "\n").drop { !$0.hasPrefix("| asset") }.dropFirst(2)
            .prefix { $0.hasPrefix("|") }
        #expect(rows.count > 10)
        let files = FileManager.default.enumerator(atPath: root + "/Tests")?.compactMap { $0 as? String } ?? []
        var sources = ""
        for file in files where file.hasSuffix(".swift") {
            sources += try String(contentsOfFile: "\(root)/Tests/\(file)", encoding: .utf8)
        }
        for row in rows {
            let names = row.components(separatedBy: "|").dropLast().last?.components(separatedBy: "`") ?? []
            let tests = names.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
            #expect(!tests.isEmpty, "\(row)")
            for test in tests { #expect(sources.contains("struct \(test) {"), "\(test)") }
        }
    }

    // MARK: The kernel's memory

    @Test(arguments: modes) func `it is the first to die when memory runs out`(mode: IsolationMode) async throws {
        let before = try String(contentsOfFile: "/proc/self/oom_score_adj", encoding: .utf8)
        let mark = "6\(Int.random(in: 1_000_000...9_999_999))"
        let task = Task { try await fixture.run(mode, "sleep \(mark)") }
        var pids: [String] = []
        try await waitUntil("the step runs") {
            let found = try Shell.run(["pgrep", "-f", "^sleep \(mark)"], allowFailure: true).stdout
            pids = found.split(separator: "\n").map(String.init)
            return !pids.isEmpty
        }
        let pid = try #require(pids.first)
        #expect(try String(contentsOfFile: "/proc/\(pid)/oom_score_adj", encoding: .utf8) == "900\n")
        task.cancel()
        _ = await task.result
        #expect(try String(contentsOfFile: "/proc/self/oom_score_adj", encoding: .utf8) == before)
    }
}

/// Steps beside keys of the agent's: run by `ReachTests` only.
@Suite("Keyrings", .tags(.integration)) struct KeyringTests {
    @Test(arguments: ReachTests.modes) func `a step finds no keys and leaves none`(mode: IsolationMode) async throws {
        guard ProcessInfo.processInfo.environment["SLIPWAY_KEYS"] != nil else {
            return print("skipped: only where keys were laid out")
        }
        let fixture = try StepFixture()
        guard try AttackProgram.install(at: fixture.lower + "/bin/attack") else { return }
        #expect(try await fixture.run(mode, ["/bin/attack", "keys"]).output == "done\n")
        // The check itself: they are there.
        let own = try Shell.run([fixture.lower + "/bin/attack", "keys"]).stdout
        #expect(own.contains("read visible"))
    }
}

/// A stream and a datagram socket with abstract names, of which the second has a `d` at its end.
private final class AbstractSockets {
    private let descriptors: [Int32]

    init(_ name: String) throws {
        var made: [Int32] = []
        for (type, name) in [(SOCK_STREAM, name), (SOCK_DGRAM, name + "d")] {
            let descriptor = socket(AF_UNIX, Int32(type.rawValue), 0)
            made.append(descriptor)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0[1...].copyBytes(from: Array(name.utf8)) }
            let size = socklen_t(3 + name.utf8.count)
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
            }
            try #require(bound == 0)
            if type == SOCK_STREAM { try #require(listen(descriptor, 16) == 0) }
        }
        descriptors = made
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}
