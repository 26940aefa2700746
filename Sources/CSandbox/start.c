#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulation.h"
#include "guard.h"
#include "internal.h"

// The C library's own versions tell all threads of the process to change, and its fork takes locks that a thread which
// does not exist here may hold. The bare calls do neither.
static long set_groups(int count, const uint32_t *groups) { return syscall(SYS_setgroups, (long)count, groups); }
static long set_user(uint32_t id) { return syscall(SYS_setresuid, id, id, id); }
static long set_group(uint32_t id) { return syscall(SYS_setresgid, id, id, id); }
static pid_t fork_bare(unsigned long flags) { return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL); }

static void bring_up_loopback(void) {
    int handle = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (handle < 0) return;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, "lo", 3);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    ioctl(handle, SIOCSIFFLAGS, &request);
    close(handle);
}

static void keep_capabilities(const struct slipway_sandbox *sandbox) {
    for (int capability = 0; capability < 64; capability++) {
        if (sandbox->capabilities >> capability & 1) continue;
        // EINVAL: the kernel knows no more of them.
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL)
            slipway_fail(sandbox, SLIPWAY_STAGE_CAPABILITIES, errno, capability);
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static void set_capabilities(const struct slipway_sandbox *sandbox) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct now[2];
    if (syscall(SYS_capget, &header, now) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_CAPABILITIES, errno, -1);
    for (int half = 0; half < 2; half++) {
        uint32_t mask = (uint32_t)(sandbox->capabilities >> (32 * half));
        // Never more than there is: a pod may have less than the default.
        now[half].permitted &= mask;
        now[half].effective = now[half].permitted;
        now[half].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, now) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_CAPABILITIES, errno, -1);
}

// MARK: Other processes

// What Landlock keeps in, in this order of strength.
enum { KEEPS_NOTHING = 0, KEEPS_TRACES = 1, KEEPS_SIGNALS = 2 };

static int restrict_itself(int ruleset) {
    enum { RESTRICT = 446 };
    if (syscall(RESTRICT, ruleset, 0) == 0) return 0;
    // A container's root may do so only when its programs gain nothing by setuid, and so may its other users.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return (int)syscall(RESTRICT, ruleset, 0);
}

// Keeps a step from abstract sockets, which are as wide as a network namespace; and without a pid namespace from signalling
// and tracing the agent, other steps and everybody else. Abstract sockets and signals: Linux 6.12. Traces: every version, but
// Linux 5.13 to 5.18 would refuse a rename from one directory to another as well. What is not kept in here, the guard sees to.
static int keep_in(const struct slipway_sandbox *sandbox) {
    enum { CREATE = 444, ADD_RULE = 445, VERSION = 1, BELOW = 1 /* LANDLOCK_RULE_PATH_BENEATH */ };
    enum { ABSTRACT_SOCKETS = 1, SIGNALS = 2, RENAMES = 1 << 13 /* LANDLOCK_ACCESS_FS_REFER */ };
    struct {
        uint64_t files, network, scoped;
    } rules = {0, 0, 0};
    long version = syscall(CREATE, NULL, 0, VERSION);
    if (version > sandbox->landlock_limit) version = sandbox->landlock_limit;
    if (version >= 6)
        rules.scoped = ABSTRACT_SOCKETS | (sandbox->namespaces ? 0 : SIGNALS);
    else if (version >= 2 && !sandbox->namespaces)
        rules.files = RENAMES;
    else
        return KEEPS_NOTHING;
    int ruleset = (int)syscall(CREATE, &rules, version >= 6 ? sizeof rules : sizeof rules.files, 0);
    if (ruleset < 0) return KEEPS_NOTHING;
    int failed = 0;
    if (rules.files) {
        // A set has to be about something. This is allowed everywhere.
        struct {
            uint64_t allowed;
            int32_t below;
        } __attribute__((packed)) rule = {RENAMES, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
        failed = syscall(ADD_RULE, ruleset, BELOW, &rule, 0) != 0;
        close(rule.below);
    }
    failed = failed || restrict_itself(ruleset) != 0;
    close(ruleset);
    if (failed) return KEEPS_NOTHING;
    return rules.scoped ? KEEPS_SIGNALS : KEEPS_TRACES;
}

// The agent, the sandbox's first process and the step's keeper.
static pid_t around[3];

// MARK: Root in name

// Where the step sends the listener of its filter, in the sandbox's processes.
static int listener_socket = -1;

static void pass_on(const struct slipway_sandbox *sandbox, int listener, int stage);

static void send_listener(const struct slipway_sandbox *sandbox) {
    // The one who answers has to read our arguments; an agent that once changed its user has closed its memory to that. Only
    // the sandbox's first process could use it meanwhile.
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    int listener = slipway_install_filter(sandbox->emulate);
    if (listener < 0) {
        if (sandbox->emulate == SLIPWAY_EMULATE_ROOT) slipway_fail(sandbox, SLIPWAY_STAGE_EMULATION, errno, -1);
        // The one who answers sees that nobody will ask.
        close(listener_socket);
        return;
    }
    pass_on(sandbox, listener, SLIPWAY_STAGE_EMULATION);
}

// Filters the step's calls from here on.
static void guard(const struct slipway_sandbox *sandbox, int kept_in) {
    struct slipway_guard_settings settings = {
        .shares_processes = !sandbox->namespaces,
        .keeps_traces = kept_in >= KEEPS_TRACES,
        .keeps_signals = kept_in >= KEEPS_SIGNALS,
        .has_listener = !sandbox->namespaces && sandbox->may_ask,
        .kept = {around[0], around[1], around[2]},
    };
    int listener = slipway_guard(&settings);
    if (listener == -2) slipway_fail(sandbox, SLIPWAY_STAGE_GUARD, errno, -1);
    if (sandbox->namespaces) return;
    // Who would answer sees that nobody will ask.
    if (listener < 0)
        close(listener_socket);
    else
        pass_on(sandbox, listener, SLIPWAY_STAGE_GUARD);
}

// Sends a filter's listener to the one who answers.
static void pass_on(const struct slipway_sandbox *sandbox, int listener, int stage) {
    char byte = 0;
    struct iovec data = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &listener, sizeof listener);
    if (sendmsg(listener_socket, &message, MSG_NOSIGNAL) != 1) slipway_fail(sandbox, stage, errno, -1);
    close(listener);
    close(listener_socket);
}

static int receive_listener(int from) {
    char byte;
    struct iovec data = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t count;
    while ((count = recvmsg(from, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {}
    struct cmsghdr *header = count == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) return -1;
    int listener;
    memcpy(&listener, CMSG_DATA(header), sizeof listener);
    return listener;
}

// Leaves the calling process outside of the pid namespace, where it answers the step's calls, and goes on in a new one as that
// namespace's first process. Outside, because a pod's own /proc may be all that there is, and it has the pod's numbers.
static void answer_from_outside(const struct slipway_sandbox *sandbox) {
    int ends[2];
    int processes = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (processes < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_EMULATION, errno, -1);
    pid_t init = fork_bare(SIGCHLD | CLONE_NEWPID);
    if (init < 0) slipway_fail(sandbox, SLIPWAY_STAGE_CLONE, errno, -1);
    if (init == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        close(ends[0]);
        close(processes);
        listener_socket = ends[1];
        return;
    }
    close(ends[1]);
    close(sandbox->output);
    close(sandbox->error);
    close(sandbox->report);
    close(sandbox->go);
    int listener = receive_listener(ends[0]);
    close(ends[0]);
    slipway_answer_calls(listener, init, processes, sandbox->emulate);
}

// The session keyring comes along with credentials, from whoever started the agent: what is in it could be read, and what one
// build puts there another could. Where the call is refused, as in most pods, the step cannot make it either.
static void leave_keyring(void) { syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0); }

// When memory runs out, a step is to die and not the agent: most of the way to "always first" (1000), which a pod's own
// processes may have. The score may be raised by everybody, and is inherited.
static void offer_memory(void) {
    static const long offered = 900;
    int file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    char text[16];
    ssize_t size = read(file, text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    char *at = text + (text[0] == '-');
    long score = 0;
    for (; *at >= '0' && *at <= '9'; at++) score = score * 10 + (*at - '0');
    if (size > 0 && (text[0] == '-' || score < offered)) {
        *slipway_write_number(text, (unsigned long)offered) = 0;
        if (write(file, text, strlen(text)) < 0) {}
    }
    close(file);
}

// Becomes the step's program.
__attribute__((noreturn)) static void become(const struct slipway_sandbox *sandbox) {
    setsid();
    umask(022);
    leave_keyring();
    keep_capabilities(sandbox);
    if (sandbox->emulate) send_listener(sandbox);
    // As late as may be: the rest of the way to the program takes nothing that is refused, but less than root's capabilities.
    guard(sandbox, keep_in(sandbox));
    if (set_groups(sandbox->group_count, sandbox->groups) != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_GROUPS, errno, -1);
    if (set_group(sandbox->gid) != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_GROUPS, errno, -1);
    // Leaving user 0 for another one clears the capabilities by itself.
    if (set_user(sandbox->uid) != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_USER, errno, -1);
    set_capabilities(sandbox);
    if (chdir(sandbox->directory) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_DIRECTORY, errno, -1);

    int null = open("/dev/null", O_RDONLY);
    if (null < 0) {
        // A chroot may have no /dev; a pipe whose other end is closed is as empty.
        int ends[2];
        if (pipe(ends) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_STREAMS, errno, -1);
        close(ends[1]);
        null = ends[0];
    }
    if (dup2(null, 0) < 0 || dup2(sandbox->output, 1) < 0 || dup2(sandbox->error, 2) < 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_STREAMS, errno, -1);
    // Everything else closes with the exec, the report pipe too.
    syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);

    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < 65; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    // As execvp(3): a program that is there and may not be executed is told of rather than one that is not there.
    int best = ENOENT;
    for (int i = 0; sandbox->programs[i]; i++) {
        execve(sandbox->programs[i], (char *const *)sandbox->arguments, (char *const *)sandbox->environment);
        if (errno != ENOENT && errno != ENOTDIR) best = errno;
    }
    slipway_fail(sandbox, SLIPWAY_STAGE_EXEC, best, -1);
}

// Reads the children of a process, `room` at most. What threads fork is met when its parent has ended.
static int list_children(pid_t of, pid_t *children, int room) {
    char path[80] = "/proc/";
    char *at = slipway_write_number(path + 6, (unsigned long)of);
    memcpy(at, "/task/", 6);
    at = slipway_write_number(at + 6, (unsigned long)of);
    memcpy(at, "/children", 10);
    int list = open(path, O_RDONLY | O_CLOEXEC);
    if (list < 0) return 0;
    char text[4096];
    ssize_t count;
    long number = 0;
    int found = 0;
    while (found < room && (count = read(list, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < count && found < room; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                number = number * 10 + (text[i] - '0');
                continue;
            }
            if (number > 1) children[found++] = (pid_t)number;
            number = 0;
        }
    }
    close(list);
    return found;
}

enum { PROCESS_ROOM = 1 << 15 };
static pid_t pending[PROCESS_ROOM];

// How many processes there are below us; stops above `limit`.
static int count_below(int limit) {
    int waiting = 0, found = 0;
    pending[waiting++] = (pid_t)syscall(SYS_getpid);
    while (waiting > 0 && found <= limit) {
        pid_t next = pending[--waiting];
        int more = list_children(next, pending + waiting, PROCESS_ROOM - waiting);
        waiting += more;
        found += more;
    }
    return found;
}

// Kills the step and all that it left. Without a pid namespace nobody else does.
static void kill_children(pid_t step) {
    // The step leads a process group, which all are in that did not ask for another one. It ends at once, and what it is
    // forking at this moment too; one by one, a bomb would fork faster than it is taken down.
    if (step > 0) kill(-step, SIGKILL);
    for (int rounds = 0;; rounds++) {
        // Each that ends leaves its children to us, and so we have all of them in the end.
        int count = list_children((pid_t)syscall(SYS_getpid), pending, PROCESS_ROOM);
        for (int i = 0; i < count; i++) kill(pending[i], SIGKILL);
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD) return;
        // What runs away, from one process to the next, is met between two of them, sooner the less it is left alone. But some
        // take long to end, on a slow disk for one.
        static const struct timespec moment = {0, 1000000};
        if (rounds >= 1000) nanosleep(&moment, NULL);
    }
}

// The processes of our own pid namespace.
static int count_here(void) {
    int directory = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return 0;
    static union {
        struct { uint64_t inode, offset; unsigned short size; unsigned char type; char name[1]; } entry;
        char room[32768];
    } buffer;
    int found = 0;
    long size;
    while ((size = syscall(SYS_getdents64, directory, buffer.room, sizeof buffer)) > 0) {
        for (long at = 0; at < size;) {
            char *entry = buffer.room + at;
            unsigned short length;
            memcpy(&length, entry + 16, sizeof length);
            if (entry[19] >= '0' && entry[19] <= '9') found++;
            at += length;
        }
    }
    close(directory);
    return found;
}

// Not with every process that ends: twenty times a second. A bomb doubles every few milliseconds.
static int is_time_to_count(void) {
    static struct timespec last;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long milliseconds = (now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000;
    if (milliseconds < 50) return 0;
    last = now;
    return 1;
}

static int has_too_many_processes(const struct slipway_sandbox *sandbox) {
    if (sandbox->process_limit <= 0) return 0;
    // Besides the step's, there are we ourselves in a namespace, and else the step's keeper.
    int found = sandbox->namespaces ? count_here() - 1 : count_below(sandbox->process_limit + 1) - 1;
    return found > sandbox->process_limit;
}

__attribute__((noreturn)) static void report_end(const struct slipway_sandbox *sandbox, int is_too_many, int result) {
    if (is_too_many)
        slipway_report(sandbox, SLIPWAY_STAGE_PROCESSES, EAGAIN, -1);
    else
        slipway_report(sandbox, SLIPWAY_STAGE_NONE, result, -1);
    // With the first process of a pid namespace all others die.
    _exit(0);
}

// As the first process of a pid namespace: waits for the step, reaping whatever else ends, and reports how it ended.
__attribute__((noreturn)) static void watch_namespace(const struct slipway_sandbox *sandbox, pid_t step) {
    // All signals are blocked since before the clone; this one is taken.
    sigset_t expected;
    sigemptyset(&expected);
    sigaddset(&expected, SIGCHLD);
    for (;;) {
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
            if (ended == step) report_end(sandbox, 0, status);
        if (ended < 0 && errno == ECHILD) report_end(sandbox, 0, SIGKILL);
        // Now and then it is looked how many processes there are. Nobody else bounds them for root.
        static const struct timespec pause = {0, 50000000};
        sigtimedwait(&expected, NULL, &pause);
        if (is_time_to_count() && has_too_many_processes(sandbox)) report_end(sandbox, 1, 0);
    }
}

// Without a pid namespace: waits for the step, whose number and end come over a pipe, and ends all that it left. Meanwhile it
// answers what the step asks about processes.
__attribute__((noreturn)) static void watch(
    const struct slipway_sandbox *sandbox, int from, int listener_from, pid_t keeper
) {
    // Blocked since before the clone.
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, SIGTERM);
    struct pollfd polled[] = {
        {from, POLLIN, 0}, {signalfd(-1, &told, SFD_CLOEXEC), POLLIN, 0}, {listener_from, POLLIN, 0}, {-1, POLLIN, 0}};
    pid_t step = 0;
    int is_too_many = 0;
    // Without a word: killed.
    int result = SIGKILL;
    for (;;) {
        poll(polled, sizeof polled / sizeof *polled, 50);
        // Told to end, by the agent or by its death.
        if (polled[1].revents) break;
        if (polled[0].revents) {
            int word;
            if (read(from, &word, sizeof word) != sizeof word) break;
            if (step != 0) {
                result = word;
                break;
            }
            step = word;
        }
        if (polled[2].revents) {
            polled[3].fd = receive_listener(listener_from);
            close(listener_from);
            polled[2].fd = -1;
        }
        if (polled[3].revents & POLLIN)
            slipway_supervise(polled[3].fd, keeper);
        else if (polled[3].revents)
            polled[3].fd = -1;
        if (is_time_to_count() && has_too_many_processes(sandbox)) {
            is_too_many = 1;
            break;
        }
    }
    kill_children(step);
    slipway_erase_contents();
    report_end(sandbox, is_too_many, result);
}

// Lets go of what came along from the agent. This process lives as long as the step, and never executes another program
// that would close its descriptors: a pipe of another step that is just being started would stay open as long as this step
// runs, as would the agent's locks and connections. And what /proc shows of it to the step are the agent's arguments.
static void leave_agent(const struct slipway_sandbox *sandbox) {
    int kept[] = {sandbox->output, sandbox->error, sandbox->report, sandbox->go};
    int first = 3;
    for (;;) {
        int next = -1;
        for (unsigned int i = 0; i < sizeof kept / sizeof *kept; i++)
            if (kept[i] >= first && (next < 0 || kept[i] < next)) next = kept[i];
        if (next < 0) break;
        if (next > first) syscall(SYS_close_range, (unsigned int)first, (unsigned int)next - 1, 0u);
        first = next + 1;
    }
    syscall(SYS_close_range, (unsigned int)first, ~0u, 0u);
    if (sandbox->agent_arguments) memset(sandbox->agent_arguments, 0, sandbox->agent_arguments_size);
    prctl(PR_SET_NAME, "step", 0, 0, 0);
}

static void set_child_signal(void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(SIGCHLD, &action, NULL);
}

// Starts the step. Returns its number.
static pid_t start_step(const struct slipway_sandbox *sandbox, int priority) {
    pid_t step = fork_bare(SIGCHLD);
    if (step < 0) slipway_fail(sandbox, SLIPWAY_STAGE_FORK, errno, -1);
    if (step == 0) {
        setpriority(PRIO_PROCESS, 0, priority);
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        // Before the root is another one: a chroot has no /proc.
        offer_memory();
        // Root of the machine may make a network namespace without a user namespace; root of a pod may not.
        if (!sandbox->namespaces && sandbox->own_network) {
            if (syscall(SYS_unshare, CLONE_NEWNET) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_NETWORK, errno, -1);
            bring_up_loopback();
        }
        // And System V's shared memory, semaphores and queues, which outlive whoever made them. A pod's are all its builds'.
        if (!sandbox->namespaces) syscall(SYS_unshare, CLONE_NEWIPC);
        // In place, the root is where we are, and the right to change it may be missing.
        int is_elsewhere = strcmp(sandbox->root, "/") != 0;
        if (!sandbox->namespaces && ((is_elsewhere && chroot(sandbox->root) != 0) || chdir("/") != 0))
            slipway_fail(sandbox, SLIPWAY_STAGE_CHROOT, errno, -1);
        become(sandbox);
    }
    close(sandbox->output);
    close(sandbox->error);
    if (listener_socket >= 0) close(listener_socket);
    return step;
}

// The step's parent where there is no pid namespace. It tells the step's number, and then how it ended.
__attribute__((noreturn)) static void keep_step(const struct slipway_sandbox *sandbox, int priority, int to) {
    set_child_signal(SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    around[2] = (pid_t)syscall(SYS_getpid);
    int word = start_step(sandbox, priority);
    if (write(to, &word, sizeof word) != sizeof word) _exit(125);
    siginfo_t end;
    // It is not reaped: its number stays its group's until that has been killed.
    while (waitid(P_PID, (id_t)word, &end, WEXITED | WNOWAIT) != 0)
        if (errno != EINTR) _exit(125);
    word = end.si_code == CLD_EXITED ? (end.si_status & 0xff) << 8 : end.si_status;
    if (write(to, &word, sizeof word) != sizeof word) _exit(125);
    for (;;) pause();
}

__attribute__((noreturn)) static void first_process(const struct slipway_sandbox *sandbox, pid_t parent) {
    // In a namespace everything dies with us; in a chroot we have to be alive to kill the rest.
    int death = sandbox->namespaces ? SIGKILL : SIGTERM;
    prctl(PR_SET_PDEATHSIG, death, 0, 0, 0);
    leave_agent(sandbox);
    char go;
    ssize_t count;
    while ((count = read(sandbox->go, &go, 1)) < 0 && errno == EINTR) {}
    // The parent could not map the ids, or put us into the step's control group, and has said so, or is gone.
    if (count != 1) _exit(125);
    if (sandbox->namespaces) {
        if (set_group(0) != 0 || set_user(0) != 0)
            slipway_fail(sandbox, SLIPWAY_STAGE_MAP_IDS, errno, -1);
        // Changing ids clears it.
        prctl(PR_SET_PDEATHSIG, death, 0, 0, 0);
        if (sandbox->emulate) answer_from_outside(sandbox);
        slipway_make_root(sandbox);
        if (sandbox->hostname && sethostname(sandbox->hostname, strlen(sandbox->hostname)) != 0)
            slipway_fail(sandbox, SLIPWAY_STAGE_HOSTNAME, errno, -1);
        if (sandbox->own_network) bring_up_loopback();
    } else {
        if (getppid() != parent) _exit(125);
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        setsid();
    }
    if (sandbox->probe_only) {
        if (sandbox->emulate) send_listener(sandbox);
        guard(sandbox, keep_in(sandbox));
        slipway_report(sandbox, SLIPWAY_STAGE_NONE, 0, -1);
        _exit(0);
    }
    // Among thousands of processes of a bomb, the one that is to stop them must get its turn. A container's root may not ask
    // for that, and then it takes a little longer.
    int priority = getpriority(PRIO_PROCESS, 0);
    setpriority(PRIO_PROCESS, 0, priority - 10);
    // There, the step may signal all but us, and goes on. So nobody else may be in between.
    if (sandbox->namespaces) watch_namespace(sandbox, start_step(sandbox, priority));
    slipway_place_contents(sandbox);
    int ends[2], sockets[2];
    if (pipe2(ends, O_CLOEXEC) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_FORK, errno, -1);
    listener_socket = sockets[1];
    around[0] = parent;
    around[1] = (pid_t)syscall(SYS_getpid);
    // Orphans come to us. They are gone when they end, without a word and without our doing: a bomb makes more of them than
    // one process can reap, and they would fill the machine's table of processes.
    set_child_signal(SIG_IGN);
    pid_t keeper = fork_bare(SIGCHLD);
    if (keeper < 0) slipway_fail(sandbox, SLIPWAY_STAGE_FORK, errno, -1);
    if (keeper == 0) keep_step(sandbox, priority, ends[1]);
    close(ends[1]);
    close(sockets[1]);
    close(sandbox->output);
    close(sandbox->error);
    watch(sandbox, ends[0], sockets[0], keeper);
}

pid_t slipway_sandbox_start(const struct slipway_sandbox *sandbox) {
    unsigned long flags = SIGCHLD;
    if (sandbox->namespaces) {
        flags |= CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
        if (!sandbox->emulate) flags |= CLONE_NEWPID;
        if (sandbox->own_network) flags |= CLONE_NEWNET;
    }
    pid_t parent = getpid();
    // Signals wait until the child has its own handlers' defaults.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork_bare(flags);
    if (child == 0) first_process(sandbox, parent);
    int number = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return child;
}
