import Foundation
import TestSupport
import Testing

@testable import Sandbox

/// Steps whose processes run away: each leaves its session and its group, starts its successor and ends, over and over. Without
/// a process namespace nobody but the sandbox's first process stops them.
@Suite(.tags(.integration), .thorough) struct EscapeTests {
    /// `runner COUNT SECONDS [wait]` keeps up to COUNT processes on the run, each of which lives for as long as a fork takes. Those
    /// that nobody stopped in time leave a file. They are nice: on a busy machine whoever has to reap them would come late, and all
    /// of the machine's process numbers would be taken by dead ones, so that a test of another process could not fork.
    private static let program = #"""
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <time.h>
        #include <unistd.h>
        int main(int count, char **arguments) {
            int limit = atoi(arguments[1]);
            time_t end = time(0) + atoi(arguments[2]);
            volatile int *live = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            nice(19);
            if (fork()) {
                if (count > 3) for (;;) pause();
                return 0;
            }
            close(0), close(1), close(2);
            *live = 1;
            while (time(0) < end) {
                setsid();
                if (*live < limit) {
                    __sync_fetch_and_add(live, 1);
                    if (fork() == 0) continue;
                }
                if (fork() != 0) _exit(0);
            }
            creat("/expired", 0600);
        }
        """#

    private static let modes = SandboxTests.modes + (SandboxTests.modes.contains(.chroot) ? [.inPlace] : [])
    private let fixture: StepFixture
    private let name = "run\(Int.random(in: 1_000_000...9_999_999))"

    init() throws { fixture = try StepFixture() }

    private func compile() throws -> Bool {
        let source = fixture.scratch.file("runner.c")
        try Data(Self.program.utf8).write(to: URL(fileURLWithPath: source))
        let done = try Shell.run(
            ["cc", "-w", "-static", "-o", "\(fixture.lower)/bin/\(name)", source], allowFailure: true)
        if done.status != 0 { print("skipped: no C compiler that links statically") }
        return done.status == 0
    }

    private func expectNothingLeft(_ what: String) throws {
        #expect(try Shell.run(["pgrep", "-x", name], allowFailure: true).stdout.isEmpty, "\(what)")
        let expired = try Shell.run(["find", fixture.scratch.path, "-name", "expired"]).stdout
        #expect(expired.isEmpty, "\(what): nobody stopped them before they stopped themselves")
    }

    @Test(arguments: modes, [(count: 1, user: UInt32(0)), (64, 0), (64, 1000)])
    func `runaways are stopped with the step`(
        mode: IsolationMode, runaways: (count: Int, user: UInt32)
    ) async throws {
        guard try compile() else { return }
        let outcome = try await fixture.run(mode, ["/bin/\(name)", "\(runaways.count)", "20"]) {
            $0.user = (runaways.user, runaways.user, [])
        }
        #expect(outcome.result.exit == .exited(0))
        try expectNothingLeft("at its end")
    }

    @Test(arguments: modes, [1, 64])
    func `runaways are stopped when the time is up`(mode: IsolationMode, count: Int) async throws {
        guard try compile() else { return }
        let late = try await fixture.run(mode, ["/bin/\(name)", "\(count)", "20", "wait"]) {
            $0.timeout = .milliseconds(300)
        }
        #expect(late.result.exit == .timedOut)
        try expectNothingLeft("at its time limit")
    }

    /// As in every container: a step may end all processes that it sees, and goes on.
    @Test func `a step that signals everybody goes on`() async throws {
        let outcome = try await fixture.run(.namespaces, "sleep 100 & sleep 100 & kill -9 -1; kill -9 1 $PPID; echo on")
        #expect(outcome.output == "on\n")
        #expect(outcome.result.exit == .exited(0))
    }

    @Test(arguments: modes) func `runaways are counted`(mode: IsolationMode) async throws {
        guard try compile() else { return }
        let many = try await fixture.run(mode, ["/bin/\(name)", "400", "20", "wait"]) {
            $0.processLimit = 100
            $0.timeout = .seconds(15)
        }
        #expect(many.result.exit == .tooManyProcesses)
        try expectNothingLeft("when there are too many")
    }
}
