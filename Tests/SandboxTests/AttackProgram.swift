import Foundation
import TestSupport

/// A program that tries what a step must not be able to do, and says what it could: `attack WHAT [ARGUMENT]…`, linked with
/// nothing, so that it runs in every root.
enum AttackProgram {
    /// Puts the program at a path. False, with a printed reason, where there is no C compiler that links statically.
    static func install(at path: String) throws -> Bool {
        guard let program = built else {
            print("skipped: no C compiler that links statically")
            return false
        }
        try Shell.run(["cp", program, path])
        return true
    }

    private static let directory = try? TemporaryDirectory("attack")

    /// Compiled once for all tests.
    private static let built: String? = {
        guard let directory else { return nil }
        let source = directory.file("attack.c")
        guard (try? Data(text.utf8).write(to: URL(fileURLWithPath: source))) != nil else { return nil }
        let program = directory.file("attack")
        let done = try? Shell.run(
            ["cc", "-w", "-O1", "-static", "-pthread", "-o", program, source], allowFailure: true)
        if let done, done.status != 0 { print(done.stderr) }
        return done?.status == 0 ? program : nil
    }()

    private static let text = #"""
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <linux/keyctl.h>
        #include <netinet/in.h>
        #include <pthread.h>
        #include <sched.h>
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/ioctl.h>
        #include <sys/mman.h>
        #include <sys/msg.h>
        #include <sys/ptrace.h>
        #include <sys/resource.h>
        #include <sys/shm.h>
        #include <sys/socket.h>
        #include <sys/syscall.h>
        #include <sys/uio.h>
        #include <sys/un.h>
        #include <sys/wait.h>
        #include <unistd.h>

        static void could(const char *what, long result) { if (result >= 0) printf("%s\n", what); }
        static void tell(const char *what, long result) {
            printf("%s %s\n", what, result >= 0 ? "yes" : strerrorname_np(errno));
        }

        // What the caller's keyrings hold, and what could be left in them.
        static void keys(void) {
            static const int rings[] = {-1, -2, -3, -4, -5};
            char text[256];
            for (int i = 0; i < 5; i++) {
                long key = syscall(SYS_keyctl, KEYCTL_SEARCH, rings[i], "user", "slipway-attack", 0);
                long size = key < 0 ? -1 : syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text);
                if (size > 0) printf("read %.*s\n", (int)size, text);
                if (syscall(SYS_add_key, "user", "slipway-left", "left", 4, rings[i]) >= 0) printf("left in %d\n", rings[i]);
            }
            long key = syscall(SYS_request_key, "user", "slipway-attack", 0, -2);
            if (key >= 0 && syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text) > 0) printf("requested\n");
        }

        // Runs a program with a key in a session keyring of its own, and in its user's.
        static void session(char **command) {
            syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
            if (syscall(SYS_add_key, "user", "slipway-attack", "visible", 7, -3) < 0) exit(77);
            syscall(SYS_add_key, "user", "slipway-attack", "visible", 7, -4);
            execvp(command[0], command);
            exit(78);
        }

        static void sniff(void) {
            could("packets", socket(AF_PACKET, SOCK_RAW, 0));
            could("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
            could("raw6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
        }

        // Changes nothing where it succeeds: sets what is set already.
        static void limits(pid_t pid) {
            struct rlimit limit;
            if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == 0) could("prlimit", prlimit(pid, RLIMIT_NOFILE, &limit, NULL));
            cpu_set_t all;
            memset(&all, 255, sizeof all);
            could("affinity", syscall(SYS_sched_setaffinity, pid, sizeof all, &all));
            struct sched_param none = {0};
            could("scheduler", syscall(SYS_sched_setscheduler, pid, SCHED_OTHER, &none));
            could("param", syscall(SYS_sched_setparam, pid, &none));
            struct { unsigned size, policy; unsigned long long flags; int nice; unsigned priority; unsigned long long a, b, c; }
                attributes = {48};
            could("attributes", syscall(SYS_sched_setattr, pid, &attributes, 0));
            could("priority", syscall(SYS_setpriority, PRIO_PROCESS, pid, 0));
            could("priority of a group", syscall(SYS_setpriority, PRIO_PGRP, pid, 0));
            could("priority of a user", syscall(SYS_setpriority, PRIO_USER, 0, 0));
            could("io priority", syscall(SYS_ioprio_set, 1, pid, 0));
            could("io priority of a user", syscall(SYS_ioprio_set, 3, 0, 0));
            struct rlimit own;
            getrlimit(RLIMIT_NOFILE, &own);
            if (prlimit(0, RLIMIT_NOFILE, &own, NULL) != 0 || prlimit(getpid(), RLIMIT_NOFILE, &own, NULL) != 0
                || syscall(SYS_sched_setaffinity, syscall(SYS_gettid), sizeof all, &all) != 0
                || setpriority(PRIO_PROCESS, getpid(), 1) != 0 || setpriority(PRIO_PGRP, 0, 1) != 0)
                printf("not its own: %s\n", strerrorname_np(errno));
        }

        // Every way to signal a process. Where it works, the victim is gone.
        static void signals(pid_t pid) {
            could("kill 0", kill(pid, 0));
            siginfo_t info = {0};
            info.si_code = SI_QUEUE;
            could("queue", syscall(SYS_rt_sigqueueinfo, pid, SIGTERM, &info));
            could("queue to a thread", syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGTERM, &info));
            could("tkill", syscall(SYS_tkill, pid, SIGTERM));
            could("tgkill", syscall(SYS_tgkill, pid, pid, SIGTERM));
            int descriptor = syscall(SYS_pidfd_open, pid, 0);
            if (descriptor >= 0) could("descriptor", syscall(SYS_pidfd_send_signal, descriptor, SIGTERM, NULL, 0));
            int ends[2];
            socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
            fcntl(ends[0], F_SETFL, O_ASYNC);
            if (fcntl(ends[0], F_SETOWN, pid) == 0) write(ends[1], "x", 1);
            struct f_owner_ex owner = {F_OWNER_PID, pid};
            if (fcntl(ends[0], F_SETOWN_EX, &owner) == 0) write(ends[1], "x", 1);
            if (ioctl(ends[0], FIOSETOWN, &pid) == 0) write(ends[1], "x", 1);
            could("kill", kill(pid, SIGKILL));
            could("kill a group", kill(-pid, SIGKILL));
            // Nobody but the victim ends by this one, should it come through.
            kill(-1, SIGURG);
        }

        static void leave(int number) { _exit(9); }
        static volatile sig_atomic_t got;
        static void note(int number) { got++; }
        static void *sleeper(void *nothing) { for (;;) pause(); }

        // What a step does with its own: children, groups, threads, itself.
        static void own_signals(void) {
            signal(SIGUSR1, note);
            signal(SIGIO, note);
            int expected = 0;
            #define WANT(call) do { expected++; if ((call) != 0 || got != expected) printf("%s: %s\n", #call, strerrorname_np(errno)); } while (0)
            WANT(raise(SIGUSR1));
            WANT(kill(getpid(), SIGUSR1));
            WANT(kill(0, SIGUSR1));
            union sigval value = {7};
            WANT(sigqueue(getpid(), SIGUSR1, value));
            WANT(pthread_kill(pthread_self(), SIGUSR1));
            int ends[2];
            socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
            fcntl(ends[0], F_SETFL, O_ASYNC);
            WANT(fcntl(ends[0], F_SETOWN, getpid()) || write(ends[1], "x", 1) != 1);
            pthread_t thread;
            pthread_create(&thread, NULL, sleeper, NULL);
            if (pthread_kill(thread, SIGUSR1) != 0) puts("no thread");
            for (int way = 0; way < 4; way++) {
                pid_t child = fork();
                if (child == 0) { signal(SIGTERM, SIG_DFL); for (;;) pause(); }
                if (way == 3) setpgid(child, child);
                int failed = way == 0 ? kill(child, SIGTERM) : way == 1 ? syscall(SYS_tgkill, child, child, SIGTERM)
                    : way == 2 ? kill(child, SIGKILL) : kill(-child, SIGTERM);
                if (failed) printf("way %d: %s\n", way, strerrorname_np(errno)), kill(child, SIGKILL);
                int status;
                waitpid(child, &status, 0);
                if (WTERMSIG(status) != (way == 2 ? SIGKILL : SIGTERM)) printf("way %d: %d\n", way, status);
            }
            // An orphan, and one by one of another user.
            int numbers[2];
            pipe(numbers);
            pid_t between = fork();
            if (between == 0) {
                pid_t orphan = fork();
                if (orphan == 0) { setsid(); for (;;) pause(); }
                write(numbers[1], &orphan, sizeof orphan);
                _exit(0);
            }
            waitpid(between, NULL, 0);
            pid_t orphan;
            read(numbers[0], &orphan, sizeof orphan);
            pid_t nobody = geteuid() == 0 ? fork() : 0;
            if (nobody == 0 && geteuid() == 0) { setresuid(65534, 65534, 65534); _exit(kill(orphan, SIGTERM) == 0 ? 1 : 0); }
            int status = 0;
            if (nobody) waitpid(nobody, &status, 0);
            if (status) puts("nobody signals root");
            if (kill(orphan, SIGKILL) != 0) printf("orphan: %s\n", strerrorname_np(errno));
            if (kill(999999, SIGTERM) == 0 || errno != ESRCH) printf("nobody there: %s\n", strerrorname_np(errno));
            puts("own");
        }

        // At the same address in all processes of this program.
        static char secret[16];

        static void trace(pid_t pid) {
            char bytes[16] = "";
            struct iovec mine = {bytes, 16}, its = {secret, 16};
            if (process_vm_readv(pid, &mine, 1, &its, 1, 0) > 0) printf("read %s\n", bytes);
            could("written", process_vm_writev(pid, &mine, 1, &its, 1, 0));
            int descriptor = syscall(SYS_pidfd_open, pid, 0);
            if (descriptor >= 0) could("descriptor", syscall(438 /* pidfd_getfd */, descriptor, 1, 0));
            if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
                puts("seized");
                ptrace(PTRACE_INTERRUPT, pid, 0, 0), waitpid(pid, NULL, __WALL), ptrace(PTRACE_DETACH, pid, 0, 0);
            } else if (ptrace(PTRACE_ATTACH, pid, 0, 0) == 0) {
                puts("attached");
                waitpid(pid, NULL, __WALL), ptrace(PTRACE_DETACH, pid, 0, 0);
            }
            // Its own child, as every debugger does.
            pid_t child = fork();
            if (child == 0) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); _exit(3); }
            int status;
            waitpid(child, &status, 0);
            if (ptrace(PTRACE_CONT, child, 0, 0) != 0) puts("no child");
            waitpid(child, &status, 0);
            if (WEXITSTATUS(status) != 3) puts("no child's end");
        }

        static int clone_with(unsigned long flags) {
            pid_t child = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
            if (child == 0) _exit(0);
            if (child > 0) waitpid(child, NULL, 0);
            return child;
        }

        // What no step needs. Each call has arguments that would pass, or that the kernel's own errors tell from a refusal.
        static void profile(void) {
            static char zero[256];
            tell("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -2));
            tell("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 1));
            tell("request_key", syscall(SYS_request_key, "user", "x", NULL, -2));
            tell("clone user", clone_with(CLONE_NEWUSER));
            tell("clone net", clone_with(CLONE_NEWUSER | CLONE_NEWNET));
            tell("clone3", syscall(435, zero, 64));
            tell("unshare user", unshare(CLONE_NEWUSER));
            tell("unshare mount", unshare(CLONE_NEWNS));
            tell("unshare time", unshare(0x80));
            tell("setns", setns(0, 0));
            tell("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
            tell("umount2", syscall(SYS_umount2, "/proc", 2));
            tell("pivot_root", syscall(SYS_pivot_root, "/", "/"));
            tell("fsopen", syscall(430, "tmpfs", 0));
            tell("open_tree", syscall(428, -100, "/", 0));
            tell("mount_setattr", syscall(442, -100, "/", 0, zero, 32));
            tell("bpf", syscall(SYS_bpf, 0, zero, 64));
            tell("perf_event_open", syscall(SYS_perf_event_open, zero, 0, -1, -1, 0));
            tell("userfaultfd", syscall(SYS_userfaultfd, 1));
            tell("io_uring_setup", syscall(425, 1, zero));
            tell("fanotify_init", syscall(SYS_fanotify_init, 0, 0));
            tell("open_by_handle_at", syscall(SYS_open_by_handle_at, -100, zero, 0));
            tell("name_to_handle_at", syscall(SYS_name_to_handle_at, -100, "/", zero, zero, 0));
            tell("quotactl", syscall(SYS_quotactl, 0, NULL, 0, NULL));
            tell("kcmp", syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0));
            tell("pidfd_getfd", syscall(438, 0, 0, 0));
            tell("init_module", syscall(SYS_init_module, zero, 1, ""));
            tell("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
            tell("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
            tell("swapon", syscall(SYS_swapon, "/x", 0));
            tell("syslog", syscall(SYS_syslog, 3, zero, 10));
            tell("sethostname", syscall(SYS_sethostname, "x", 1));
            tell("clock_settime", syscall(SYS_clock_settime, 0, zero));
            tell("acct", syscall(SYS_acct, NULL));
            tell("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
            tell("alg", socket(38, SOCK_SEQPACKET, 0));
            tell("family 46", socket(46, SOCK_STREAM, 0));
            tell("audit", socket(AF_NETLINK, SOCK_RAW, 9));
            tell("route", socket(AF_NETLINK, SOCK_RAW, 0));
            tell("personality", syscall(SYS_personality, 0x0040000));
            tell("personality 32", syscall(SYS_personality, 8));
            tell("type", ioctl(1, TIOCSTI, "x"));
            tell("type with upper bits", syscall(SYS_ioctl, 1, 0x100000000ul | TIOCSTI, "x"));
            tell("newest", syscall(467, 0));
            tell("last", syscall(466, -100, zero, 0, zero));
            tell("unshare files", unshare(CLONE_FILES));
            tell("thread", clone_with(0));
        #ifdef __x86_64__
            tell("x32", syscall(0x40000000 | 39));
            // The calls of 32 bits, from a program of 64.
            long result;
            #define OLD(number, b) ({ asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(b), "c"(0L), "d"(0L) : "memory", "r8", "r9", "r10", "r11"); errno = result < 0 ? -result : 0; result; })
            tell("old getpid", OLD(20, 0L));
            tell("old keyctl", OLD(288, 0L));
            tell("old unshare", OLD(310, (long)CLONE_NEWUSER));
            tell("old socketcall", OLD(102, 1L));
            tell("old umount", OLD(22, 0L));
        #endif
        }

        static void abstract(const char *name) {
            struct sockaddr_un address = {AF_UNIX};
            memcpy(address.sun_path + 1, name, strlen(name));
            socklen_t size = 3 + strlen(name);
            int handle = socket(AF_UNIX, SOCK_STREAM, 0);
            if (connect(handle, (struct sockaddr *)&address, size) == 0) puts("connected");
            int datagrams = socket(AF_UNIX, SOCK_DGRAM, 0);
            address.sun_path[strlen(name) + 1] = 'd';
            if (sendto(datagrams, "x", 1, 0, (struct sockaddr *)&address, size + 1) == 1) puts("sent");
            // Its own are its own.
            address.sun_path[strlen(name) + 1] = 'o';
            int server = socket(AF_UNIX, SOCK_STREAM, 0);
            if (bind(server, (struct sockaddr *)&address, size + 1) != 0 || listen(server, 1) != 0
                || connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, size + 1) != 0)
                printf("not its own: %s\n", strerrorname_np(errno));
        }

        static void queue(int key) {
            could("memory", shmget(key, 1, 0));
            could("messages", msgget(key, 0));
            if (msgget(key + 1, IPC_CREAT | 0600) < 0) puts("not its own");
        }

        static void capabilities(void) {
            unsigned header[2] = {0x20080522, 0}, data[6];
            if (syscall(SYS_capget, header, data) == 0) printf("%08x\n", data[0]);
        }

        int main(int count, char **arguments) {
            setvbuf(stdout, NULL, _IOLBF, 0);
            const char *what = arguments[1];
            long number = count > 2 ? atol(arguments[2]) : 0;
            if (!strcmp(what, "keys")) keys();
            if (!strcmp(what, "session")) session(arguments + 2);
            if (!strcmp(what, "sniff")) sniff();
            if (!strcmp(what, "limits")) limits(number);
            if (!strcmp(what, "signals")) signals(number);
            if (!strcmp(what, "kill-0")) could("kill", kill(number, 0)), could("tkill", syscall(SYS_tkill, number, 0));
            if (!strcmp(what, "own-signals")) own_signals();
            if (!strcmp(what, "trace")) trace(number);
            if (!strcmp(what, "profile")) profile();
            if (!strcmp(what, "abstract")) abstract(arguments[2]);
            if (!strcmp(what, "queue")) queue(number);
            if (!strcmp(what, "capabilities")) capabilities();
            // Somebody else's process: tells its number and waits.
            // Whoever started it may have blocked or ignored signals.
            sigset_t none;
            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, NULL);
            signal(SIGTERM, SIG_DFL), signal(SIGIO, SIG_DFL);
            if (!strcmp(what, "wait")) { signal(SIGURG, leave); strcpy(secret, "visible"); printf("%d\n", getpid()); for (;;) pause(); }
            puts("done");
        }
        """#
}
