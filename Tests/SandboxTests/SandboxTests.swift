import Foundation
import TestSupport
import Testing

@testable import Sandbox

/// A step's root made of busybox, and what steps print in it.
final class StepFixture: Sendable {
    let scratch: TemporaryDirectory
    let lower: String

    init() throws {
        scratch = try TemporaryDirectory("sandbox")
        lower = scratch.file("lower")
        try Shell.run(["mkdir", "-p", lower + "/bin", lower + "/tmp", lower + "/home", lower + "/etc"])
        try Shell.run(["cp", "/bin/busybox", lower + "/bin/busybox"])
        let applets = """
            sh echo env sort pwd kill id grep sleep setsid yes head cat ls wc test mkdir rm touch tr hostname ip df mknod true \
            sed sync mkfifo stat chown chgrp chmod ln mv su cp find
            """
        for name in applets.split(whereSeparator: \.isWhitespace) {
            try FileManager.default.createSymbolicLink(
                atPath: "\(lower)/bin/\(name)", withDestinationPath: "/bin/busybox")
        }
        try Data("image's own\n".utf8).write(to: URL(fileURLWithPath: lower + "/etc/hosts"))
        try Data("no program\n".utf8).write(to: URL(fileURLWithPath: lower + "/etc/plain"))
        try Shell.run(["chmod", "644", lower + "/etc/plain"])
    }

    struct Outcome {
        let result: SandboxResult
        let output: String
        /// What the step changed, relative to the root.
        let changes: [String]
    }

    func run(_ mode: IsolationMode, _ script: String, _ change: (inout SandboxStep) -> Void = { _ in }) async throws
        -> Outcome
    {
        try await run(mode, ["/bin/sh", "-c", script], change)
    }

    func run(
        _ mode: IsolationMode, _ arguments: [String], _ change: (inout SandboxStep) -> Void = { _ in },
        onOutput: @escaping @Sendable () -> Void = {}
    ) async throws -> Outcome {
        let place = scratch.file(UUID().uuidString)
        try Shell.run(["mkdir", "-p", place + "/upper", place + "/work", place + "/root"])
        var step = SandboxStep(mode: mode, arguments: arguments)
        step.environment = [("PATH", "/bin")]
        switch mode {
        case .namespaces: step.root = .overlay(lowers: [lower], upper: place + "/upper", work: place + "/work")
        default:
            try Shell.run(["cp", "-a", lower + "/.", place + "/root"])
            step.root = .directory(place + "/root")
        }
        change(&step)
        let gathered = Gathered()
        let result = try await Sandbox.run(step) { _, bytes in
            gathered.append(bytes)
            onOutput()
        }
        let changes = try Shell.run(["sh", "-c", "cd \(place)/upper && find . -mindepth 1 | sort"]).stdout
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: place + "/work").filter {
                $0 != "work" && $0 != "index"
            }
            .isEmpty)
        return Outcome(
            result: result, output: gathered.text,
            changes: changes.split(separator: "\n").map { String($0.dropFirst(2)) })
    }
}

final class Gathered: @unchecked Sendable {
    // Guarded by the lock.
    private var bytes: [UInt8] = []
    private let lock = NSLock()
    func append(_ more: [UInt8]) { lock.withLock { bytes += more } }
    var text: String { lock.withLock { String(decoding: bytes, as: UTF8.self) } }
}

@Suite(.tags(.integration), .thorough) struct SandboxTests {
    let fixture: StepFixture

    init() throws { fixture = try StepFixture() }

    /// The modes that this machine has; the suite says so when it is not all.
    static let modes: [IsolationMode] = {
        let modes: [IsolationMode] = geteuid() == 0 ? [.namespaces, .chroot] : [.namespaces]
        if modes.count < 2 { print("chroot is not tested: it needs root") }
        return modes
    }()

    @Test func `the probe finds the modes of this machine`() async throws {
        let report = await SandboxProbe.probe(stateDirectory: fixture.scratch.file("state"))
        #expect(report.available == Self.modes, "\(report.reasons)")
        let left = try FileManager.default.contentsOfDirectory(atPath: fixture.scratch.file("state"))
        #expect(left == ["CACHEDIR.TAG"])
    }

    @Test(arguments: modes) func `output, environment, directory and exit code`(mode: IsolationMode) async throws {
        let outcome = try await fixture.run(mode, "pwd; env | sort; echo oops >&2; exit 3") {
            $0.environment = [("PATH", "/bin"), ("A", "b c"), ("EMPTY", "")]
            $0.workingDirectory = "/home"
        }
        #expect(outcome.result.exit == .exited(3))
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("/home") && lines.contains("oops"))
        let variables = lines.filter { $0.contains("=") && !$0.hasPrefix("SHLVL") && !$0.hasPrefix("PWD") }
        #expect(variables == ["A=b c", "EMPTY=", "PATH=/bin"])
    }

    @Test(arguments: modes) func `a signal is told`(mode: IsolationMode) async throws {
        #expect(try await fixture.run(mode, "kill -TERM $$").result.exit == .signaled(SIGTERM))
    }

    @Test(arguments: modes) func `a program that is not there`(mode: IsolationMode) async throws {
        let error = await #expect(throws: SandboxError.self) { try await fixture.run(mode, ["no-such-program"]) }
        #expect(error?.stage == .exec)
        #expect(error?.subject == "no-such-program")
        #expect(error?.hint != nil)
    }

    @Test(arguments: modes) func `a file that may not be executed`(mode: IsolationMode) async throws {
        let error = await #expect(throws: SandboxError.self) { try await fixture.run(mode, ["/etc/plain"]) }
        #expect(error?.stage == .exec)
        #expect(error?.number == EACCES)
    }

    @Test(arguments: modes) func `users and groups`(mode: IsolationMode) async throws {
        guard geteuid() == 0 else { return }
        let outcome = try await fixture.run(mode, "id -u; id -g; id -G") { $0.user = (1000, 1001, [1001, 44]) }
        #expect(outcome.output == "1000\n1001\n1001 44\n")
    }

    @Test(arguments: modes) func `capabilities are a container's`(mode: IsolationMode) async throws {
        let outcome = try await fixture.run(mode, "grep -E 'Cap(Eff|Bnd|Inh)' /proc/self/status || true")
        if mode == .namespaces {
            #expect(outcome.output.contains("CapEff:\t00000000a80425fb"))
            #expect(outcome.output.contains("CapBnd:\t00000000a80425fb"))
            #expect(outcome.output.contains("CapInh:\t0000000000000000"))
        }
    }

    @Test(arguments: modes) func `background processes do not hold the step, and die`(mode: IsolationMode) async throws
    {
        let mark = "4\(Int.random(in: 1_000_000...9_999_999))"
        let outcome = try await fixture.run(
            mode, "sleep \(mark) & (setsid sleep \(mark) >/dev/null 2>&1 &) ; echo done")
        #expect(outcome.output == "done\n")
        #expect(outcome.result.exit == .exited(0))
        let left = try Shell.run(["pgrep", "-f", "sleep \(mark)"], allowFailure: true)
        #expect(left.stdout.isEmpty)
    }

    @Test(arguments: modes) func `the time limit ends everything`(mode: IsolationMode) async throws {
        let mark = "5\(Int.random(in: 1_000_000...9_999_999))"
        let outcome = try await fixture.run(mode, "echo begun; sleep \(mark) & sleep \(mark)") {
            $0.timeout = .milliseconds(500)
        }
        #expect(outcome.result.exit == .timedOut)
        try await waitUntil("the step's processes are gone") {
            try Shell.run(["pgrep", "-f", "sleep \(mark)"], allowFailure: true).stdout.isEmpty
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: modes) func `the time limit ends what prints without end`(
        mode: IsolationMode
    ) async throws {
        let outcome = try await fixture.run(mode, "for n in 1 2 3 4; do while :; do echo more; done & done; wait") {
            $0.timeout = .milliseconds(500)
            $0.outputLimit = 1 << 10
        }
        #expect(outcome.result.exit == .timedOut)
        #expect(outcome.result.isOutputTruncated)
    }

    @Test(arguments: modes) func `cancellation ends the step`(mode: IsolationMode) async throws {
        let mark = "6\(Int.random(in: 1_000_000...9_999_999))"
        let task = Task { try await fixture.run(mode, "sleep \(mark)") }
        try await waitUntil("the step runs") {
            try !Shell.run(["pgrep", "-f", "^sleep \(mark)"], allowFailure: true).stdout.isEmpty
        }
        task.cancel()
        let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
        #expect(error?.number == ECANCELED)
        try await waitUntil("the step is gone") {
            try Shell.run(["pgrep", "-f", "^sleep \(mark)"], allowFailure: true).stdout.isEmpty
        }
    }

    @Test(arguments: modes) func `output beyond the limit is dropped`(mode: IsolationMode) async throws {
        let outcome = try await fixture.run(mode, "yes | head -c 1000000; exit 0") { $0.outputLimit = 1_000 }
        #expect(outcome.output.utf8.count == 1_000)
        #expect(outcome.result.isOutputTruncated)
        #expect(outcome.result.exit == .exited(0))
    }

    @Test(arguments: modes) func `standard input is empty, and no descriptor is left open`(mode: IsolationMode)
        async throws
    {
        let outcome = try await fixture.run(mode, "cat; test -d /proc/self/fd && ls /proc/self/fd | wc -l; true")
        #expect(outcome.result.exit == .exited(0))
        // 0, 1, 2 and the one that lists them.
        if mode == .namespaces { #expect(outcome.output == "4\n") }
    }

    @Test func `a chroot has devices and name resolution while the step runs, and none of it afterwards`() async throws
    {
        guard geteuid() == 0 else { return }
        let root = fixture.scratch.file("chroot")
        try Shell.run(["cp", "-a", fixture.lower, root])
        let listing = "cd \(root) && find . -printf '%p %m %u %T@ %s\\n' | sort"
        let before = try Shell.run(["sh", "-c", listing]).stdout
        let outcome = try await fixture.run(
            .chroot, "echo x > /dev/null && ls /dev | tr '\\n' ' '; cat /etc/hosts; echo y > /etc/hosts"
        ) {
            $0.root = .directory(root)
        }
        #expect(outcome.output.hasPrefix("full null random shm tty urandom zero "))
        #expect(outcome.output.contains("localhost"))
        #expect(try Shell.run(["sh", "-c", listing]).stdout == before)
    }

    // MARK: Namespaces only

    @Test func `what it changes is the upper directory, and nothing else is in it`() async throws {
        let outcome = try await fixture.run(
            .namespaces,
            """
            echo new > /new; mkdir -p /home/a/b; rm /etc/hosts 2>/dev/null; echo x >> /etc/hosts; echo y >> /etc/resolv.conf
            echo d > /dev/shm/x; ls /proc/1/status >/dev/null; rm /bin/yes
            """)
        #expect(outcome.changes == ["bin", "bin/yes", "home", "home/a", "home/a/b", "new"])
    }

    @Test(arguments: modes)
    func `what it writes to its hosts and resolv.conf reaches neither the machine nor the layer`(
        mode: IsolationMode
    ) async throws {
        let hosts = fixture.scratch.file("machine-hosts")
        let names = fixture.scratch.file("machine-resolv")
        for file in [hosts, names] { try Data("machine\n".utf8).write(to: URL(fileURLWithPath: file)) }
        let outcome = try await fixture.run(
            mode,
            "echo own >> /etc/hosts; echo own > /etc/resolv.conf; chmod 777 /etc/hosts; cat /etc/hosts /etc/resolv.conf"
        ) {
            $0.hosts = hosts
            $0.resolvConf = names
        }
        #expect(outcome.output == "machine\nown\nown\n")
        #expect(outcome.changes.isEmpty)
        for file in [hosts, names] {
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "machine\n")
            #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o644)
        }
    }

    @Test func `nothing changed leaves nothing`() async throws {
        #expect(try await fixture.run(.namespaces, "true").changes.isEmpty)
    }

    @Test func `it sees its own processes, host name and devices only`() async throws {
        let outcome = try await fixture.run(
            .namespaces,
            """
            echo $$; hostname; ls /dev | tr '\\n' ' '; echo; echo gone > /dev/null && cat /dev/zero | head -c 3 | wc -c
            ls /proc | grep -c '^[0-9]'; test -e \(fixture.scratch.path) && echo sees; cat /proc/sysrq-trigger 2>&1 | head -1
            echo 1 2>/dev/null > /proc/sys/kernel/sysrq && echo wrote; touch /sys/x 2>/dev/null && echo wrote; wc -c < /proc/kcore
            """
        ) { $0.hostname = "build" }
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("build"))
        #expect(lines.contains("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "))
        #expect(!lines.contains("sees") && !lines.contains("wrote"), "\(outcome.output)")
        #expect(lines.contains("3"))
        #expect(lines.contains("0") || outcome.output.contains("kcore: no such file"), "/proc/kcore is hidden")
    }

    @Test func `a network of its own has a loopback device only`() async throws {
        let outcome = try await fixture.run(.namespaces, "ls /sys/class/net; ip addr show lo | grep -c 127.0.0.1") {
            $0.network = .none
        }
        #expect(outcome.output == "lo\n1\n")
    }

    @Test func `extra mounts`() async throws {
        let source = fixture.scratch.file("source")
        try Shell.run(["mkdir", "-p", source])
        try Data("bound\n".utf8).write(to: URL(fileURLWithPath: source + "/f"))
        let outcome = try await fixture.run(
            .namespaces, "cat /home/f; touch /home/g 2>/dev/null && echo wrote; touch /tmp/t; df /tmp | grep -c tmpfs"
        ) {
            $0.mounts = [
                .init(.bind(source: source), target: "/home", isReadOnly: true),
                .init(.tmpfs(size: 1 << 20, mode: 0o1777), target: "/tmp"),
            ]
        }
        #expect(outcome.output == "bound\n1\n")
        #expect(outcome.changes.isEmpty)
        let error = await #expect(throws: SandboxError.self) {
            try await fixture.run(.namespaces, "true") {
                $0.mounts = [.init(.bind(source: source), target: "/nowhere")]
            }
        }
        #expect(error?.stage == .mount)
        #expect(error?.subject == "/nowhere")
    }

    @Test func `links in the image do not lead a mount out of it`() async throws {
        let place = fixture.scratch.file("evil")
        try Shell.run(["mkdir", "-p", place])
        try Shell.run(["ln", "-s", "/../../../..\(fixture.scratch.path)/target", fixture.lower + "/escape"])
        try Shell.run(["mkdir", "-p", fixture.scratch.file("target")])
        let error = await #expect(throws: SandboxError.self) {
            try await fixture.run(.namespaces, "true") {
                $0.mounts = [.init(.tmpfs(size: nil, mode: 0o755), target: "/escape")]
            }
        }
        #expect(error?.stage == .mount)
    }

    @Test func `a hundred layers`() async throws {
        var lowers: [String] = []
        for index in 0..<100 {
            let path = fixture.scratch.file("layer-with-a-rather-long-name-\(index)")
            try Shell.run(["mkdir", path])
            try Data("\(index)".utf8).write(to: URL(fileURLWithPath: path + "/f\(index)"))
            lowers.append(path)
        }
        let all = lowers
        let outcome = try await fixture.run(.namespaces, "ls /f* | wc -l") { step in
            guard case .overlay(let own, let upper, let work) = step.root else { return }
            step.root = .overlay(lowers: all + own, upper: upper, work: work)
        }
        #expect(outcome.output == "100\n")
    }

    /// The step is root of one id only, as an ordinary user's.
    private func ordinary(_ script: String, _ change: (inout SandboxStep) -> Void = { _ in }) async throws
        -> StepFixture.Outcome
    {
        try await fixture.run(.namespaces, script) {
            $0.hasOneIdentity = true
            change(&$0)
        }
    }

    @Test(arguments: modes) func `it cannot signal the agent`(mode: IsolationMode) async throws {
        let outcome = try await fixture.run(
            mode, "kill -0 \(getpid()) 2>/dev/null && echo reached; sleep 9 & kill $! && echo own")
        #expect(outcome.output == "own\n")
    }

    @Test(arguments: modes) func `no network is none`(mode: IsolationMode) async throws {
        let outcome = try await fixture.run(mode, "ip addr | grep -c mtu; ip addr show lo | grep -c 127.0.0.1") {
            $0.network = .none
        }
        #expect(outcome.output.hasSuffix("1\n") && !outcome.output.contains("0\n"))
    }

    @Test func `an ordinary user's step gives files away, and sees them given`() async throws {
        let outcome = try await ordinary(
            """
            cd /home; echo x > f; mkdir d; ln -s f l; mkfifo p; mknod c c 1 3; mknod b b 8 17
            chown 33:44 f d c; chown -h 1:2 l; chown 5:6 p; chmod 640 c
            mv l m; ln f g; chgrp 55 g
            stat -c '%n %u:%g %F %a %t:%T' f g d m p c b
            rm f; chown 0:0 d; stat -c '%n %u:%g' g d; chown 70000:4294967294 g; stat -c '%u:%g' g
            chown 33 nothing 2>&1; chown -R 9:9 d; ln -s /dev/stdout log; chown 7 /dev/null /dev/stdout /proc/self/fd/1 log; echo $?
            """)
        #expect(
            outcome.output == """
                f 33:55 regular file 644 0:0
                g 33:55 regular file 644 0:0
                d 33:44 directory 755 0:0
                m 1:2 symbolic link 777 0:0
                p 5:6 fifo 644 0:0
                c 33:44 character special file 640 1:3
                b 0:0 block special file 644 8:11
                g 33:55
                d 0:0
                70000:4294967294
                chown: nothing: No such file or directory
                0

                """)
    }

    @Test func `an ordinary user's step becomes who it likes, and its files are that one's`() async throws {
        try Data("root:x:0:0::/:/bin/sh\nweb:x:33:44::/home:/bin/sh\n".utf8).write(
            to: URL(fileURLWithPath: fixture.lower + "/etc/passwd"))
        try Data("root:x:0:\nweb:x:44:\nmore:x:7:web\n".utf8).write(
            to: URL(fileURLWithPath: fixture.lower + "/etc/group"))
        let outcome = try await ordinary(
            """
            id; mkdir -p /srv; chown 33:44 /srv; mkdir /srv/s; chgrp 99 /srv/s; chmod 2775 /srv/s; echo > /srv/s/root
            su web -c 'id; cd /srv; echo > f; mkdir d; ln -s f l; echo > s/web; mkdir s/d; umask 077; echo > private
              chown 0 f 2>&1; chown 33:7 d && chgrp 55 d 2>&1; true'
            cd /srv; stat -c '%n %u:%g %a' f d l private s/root s/web s/d
            """)
        #expect(
            outcome.output == """
                uid=0(root) gid=0(root)
                uid=33(web) gid=44(web) groups=44(web),7(more)
                chown: f: Operation not permitted
                chgrp: d: Operation not permitted
                f 33:44 644
                d 33:7 755
                l 33:44 777
                private 33:44 600
                s/root 0:99 644
                s/web 33:99 644
                s/d 33:99 2755

                """)
        let nobody = try await ordinary("id -u; id -g; id -G; echo > /tmp/f; stat -c %u:%g /tmp/f") {
            $0.user = (uid: 65534, gid: 65533, groups: [65533, 12])
        }
        #expect(nobody.output == "65534\n65533\n65533 12\n65534:65533\n")
    }

    @Test func `an ordinary user's setuid programs run as their owner`() async throws {
        let outcome = try await ordinary("cp /bin/busybox /tmp/id; chown 12:13 /tmp/id; chmod 6755 /tmp/id; /tmp/id") {
            $0.user = (uid: 0, gid: 0, groups: [0])
        }
        #expect(outcome.output == "uid=0 gid=0 euid=12 egid=13 groups=0\n")
        let dropped = try await ordinary("cp /bin/busybox /tmp/x; chmod 6755 /tmp/x; chown 3 /tmp/x; stat -c %a /tmp/x")
        #expect(dropped.output == "755\n")
    }

    /// They are written down; what is there can be read, and is no device.
    @Test func `nodes are not made, so no device of the machine can be reached`() async throws {
        let script = """
            mknod -m 660 /disk b 8 0 && chown 0:6 /disk && mknod /null c 1 3 && cat /disk /null; echo x > /null; wc -c < /null
            mknod /mark c 0 0 2>/dev/null && echo made; cd /tmp; mknod here b 8 0; ls -ln /disk here
            mknod /disk b 8 0 2>/dev/null || echo taken; mknod /no/where b 8 0 2>/dev/null || echo nowhere
            """
        let outcome = try await fixture.run(.namespaces, script)
        #expect(outcome.output.hasPrefix("2\n-rw-rw----    1 0        6 "), "\(outcome.output)")
        #expect(outcome.output.hasSuffix(" here\ntaken\nnowhere\n"), "\(outcome.output)")
        let other = try await fixture.run(.namespaces, "mknod /disk b 8 0 2>/dev/null || echo refused") {
            $0.user = (uid: 1000, gid: 1000, groups: [])
        }
        #expect(other.output == "refused\n")
    }
}
