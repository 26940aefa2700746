import Builder
import Foundation
import OCI
import Sandbox
import Synchronization
import TestSupport
import Testing

/// Steps that look for the agent's memory, environment and files by every call that there is, in every isolation mode.
@Suite("Hostile steps", .tags(.integration), .thorough) struct HostileStepTests {
    /// Reads 32 bytes at an address of other processes: by process_vm_readv, through /proc/PID/mem, by ptrace; and tries
    /// pidfd_getfd, /proc/PID/environ, and its parents' roots. Prints what it got.
    private static let spy = #"""
        #define _GNU_SOURCE
        #include <dirent.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/ptrace.h>
        #include <sys/stat.h>
        #include <sys/syscall.h>
        #include <sys/uio.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static void show(const char *how, long pid, const char *bytes, long count) {
            if (count > 0) { printf("%s %ld: ", how, pid); fwrite(bytes, 1, count, stdout); putchar('\n'); }
        }
        static void spy(long pid, unsigned long at) {
            char bytes[33] = "", path[64];
            struct iovec mine = {bytes, 32}, its = {(void *)at, 32};
            show("process_vm_readv", pid, bytes, process_vm_readv(pid, &mine, 1, &its, 1, 0));
            snprintf(path, sizeof path, "/proc/%ld/mem", pid);
            int file = open(path, O_RDONLY);
            if (file >= 0) show("mem", pid, bytes, pread(file, bytes, 32, at));
            snprintf(path, sizeof path, "/proc/%ld/environ", pid);
            file = open(path, O_RDONLY);
            static char environment[1 << 17];
            if (file >= 0) show("environ", pid, environment, read(file, environment, sizeof environment));
            snprintf(path, sizeof path, "/proc/%ld/root", pid);
            struct stat root, own;
            if (stat(path, &root) == 0 && stat("/", &own) == 0 && (root.st_dev != own.st_dev || root.st_ino != own.st_ino))
                printf("root of %ld\n", pid);
            int handle = syscall(SYS_pidfd_open, pid, 0);
            for (int number = 0; handle >= 0 && number < 64; number++)
                if (syscall(438 /* pidfd_getfd */, handle, number, 0) >= 0) printf("pidfd_getfd %ld\n", pid), number = 64;
            if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 && ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0) {
                waitpid(pid, NULL, __WALL);
                long word = ptrace(PTRACE_PEEKDATA, pid, (void *)at, 0);
                printf("ptrace %ld: %.8s\n", pid, (char *)&word);
                ptrace(PTRACE_DETACH, pid, 0, 0);
            }
        }
        int main(int count, char **arguments) {
            unsigned long at = strtoul(arguments[1], 0, 10);
            for (int i = 2; i < count; i++) spy(atol(arguments[i]), at);
            for (long pid = 1; pid < 400; pid++) if (pid != getpid() && kill(pid, 0) == 0) spy(pid, at);
            spy(getppid(), at);
            DIR *all = opendir("/proc");
            struct dirent *entry;
            while (all && (entry = readdir(all)))
                if (atol(entry->d_name) > 0 && atol(entry->d_name) != getpid()) spy(atol(entry->d_name), at);
            puts("done");
        }
        """#

    /// The program in a context, linked with nothing; `nil` and a printed reason without a compiler.
    private static func compile(into context: String) throws -> Bool {
        let source = context + "/spy.c"
        try Data(spy.utf8).write(to: URL(fileURLWithPath: source))
        let done = try Shell.run(["cc", "-w", "-static", "-o", context + "/spy", source], allowFailure: true)
        if done.status != 0 { print("skipped: no C compiler that links statically") }
        return done.status == 0
    }

    @Test(arguments: BuildMode.allCases, ["0", "1000"])
    func itReadsNothingOfTheAgent(mode: BuildMode, user: String) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode), try Self.compile(into: bench.directory.file("context")) else { return }
        // In memory before anything is forked: the sandbox's first process has a copy.
        let secret = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 16)
        defer { secret.deallocate() }
        let text = "visible-" + "of-memory-of-the-agent-itself-"
        secret.copyBytes(from: Array(text.utf8))
        setenv("SLIPWAY_TEST_SECRET", "visible-environment", 1)
        let address = UInt(bitPattern: secret.baseAddress)
        // Tracing its own children, and what the shell that waits for it has, is a step's right.
        let result = try await bench.build(
            """
            FROM busybox
            COPY spy /spy
            USER \(user)
            RUN exec /spy \(address) \(getpid()) \(getppid())
            """, mode: mode)
        let output = result.log.output
        #expect(output.hasSuffix("done\n"), "\(output)")
        #expect(!output.contains("visible-"), "\(output)")
        #expect(!output.contains("root of"), "\(output)")
        #expect(output == "done\n", "\(output)")
    }

    /// Its own state directory, other builds' secrets, and the user's credentials. In place, the machine's root is the
    /// step's, and what is kept of it is seen: there only what other builds hold is asked for.
    @Test(arguments: BuildMode.allCases) func itFindsNoFilesOfTheAgent(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let home = bench.directory.file("home/.docker")
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        try Data("visible-credentials".utf8).write(to: URL(fileURLWithPath: home + "/config.json"))
        let above = String(repeating: "../", count: 60)
        let result = try await bench.build(
            """
            FROM busybox
            RUN for p in \(home) \(above)\(home) /proc/1/root\(home) /proc/1/cwd/\(above)\(home) /proc/self/root/\(above)\(home) \\
                  /proc/self/cwd/\(above)\(home); do cat $p/config.json; done > /seen 2>/dev/null; \\
                ls -d \(bench.directory.path) /proc/1/root\(bench.directory.path) >> /seen 2>/dev/null; \\
                find / -xdev -name config.json -o -xdev -name '*.lock' >> /seen 2>/dev/null; \\
                cat /proc/self/mountinfo > /mounts 2>/dev/null; true
            """, mode: mode
        ) { $0.secrets = ["never-mounted": Array("visible-secret".utf8)] }
        #expect(try result.text("seen") == "")
        // Nor do the mounts tell where on the machine the layers are.
        let mounts = try result.text("mounts")
        #expect(!mounts.contains("/run/secrets") && !mounts.contains("visible"), "\(mounts)")
    }

    /// It kills all that it can see: itself, at most.
    @Test(arguments: BuildMode.allCases) func itKillsNothingButItself(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode), mode.hasNamespaces else { return }
        let other = Task {
            try await bench.build(
                "FROM busybox\nRUN sleep 3; echo survived > /a\n", mode: mode, state: "other", tag: "other")
        }
        for script in [
            "kill -9 -1", "kill -STOP 1; kill -9 1; kill -9 $PPID; kill -9 -1", "(sleep 0.1; kill -9 -1) & wait",
        ] {
            _ = try? await bench.build("FROM busybox\nRUN \(script)\n", mode: mode) { $0.stepTimeout = .seconds(20) }
        }
        #expect(try await other.value.text("a") == "survived\n")
    }
}
