#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "listener.h"

// The same in all ABIs from 424 on. 462 to 466: mseal(2) and the calls for extended attributes; then open_tree_attr(2).
enum { NEWEST_JUDGED = 466 };

enum {
    NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
    NEW_TIME = 0x80,
    // x32's calls have this bit, and are x86-64's for seccomp. Nobody's programs use them.
    X32_BIT = 0x40000000,
    // arm's own calls: cacheflush, set_tls and their like.
    ARM_FIRST = 0xf0001,
    ARM_LAST = 0xf0006,
};

enum { STEAL_INPUT = 0x5412 /* TIOCSTI */, PASTE = 0x541c /* TIOCLINUX */, OWN_DESCRIPTOR = 0x8901 /* FIOSETOWN */,
       OWN_SOCKET = 0x8902 /* SIOCSPGRP */, SET_OWNER = 8 /* F_SETOWN */, SET_OWNER_TYPED = 15 /* F_SETOWN_EX */,
       AUDIT_PROTOCOL = 9 /* NETLINK_AUDIT */ };

#define ARGUMENT(n) ((unsigned int)(offsetof(struct seccomp_data, args) + 8 * (n)))  // little endian: the low half first
#define ERROR(n) (SECCOMP_RET_ERRNO | (n))

struct assembly {
    struct sock_filter *program;
    int room;
    int count;
    const struct slipway_guard_settings *settings;
};

static void add(struct assembly *to, unsigned int code, unsigned int yes, unsigned int no, unsigned int k) {
    if (to->count < to->room)
        to->program[to->count] = (struct sock_filter){(unsigned short)code, (unsigned char)yes, (unsigned char)no, k};
    to->count++;
}

static void answer(struct assembly *to, unsigned int action) { add(to, BPF_RET | BPF_K, 0, 0, action); }
static void load(struct assembly *to, unsigned int offset) { add(to, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset); }

// Answers where what was loaded is `value`; else goes on.
static void answer_equal(struct assembly *to, unsigned int value, unsigned int action) {
    add(to, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
    answer(to, action);
}

static void answer_from(struct assembly *to, unsigned int value, unsigned int action) {
    add(to, BPF_JMP | BPF_JGE | BPF_K, 0, 1, value);
    answer(to, action);
}

static void answer_any_bit(struct assembly *to, unsigned int bits, unsigned int action) {
    add(to, BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits);
    answer(to, action);
}

static unsigned int hand_over(const struct slipway_guard_settings *settings) {
    return settings->has_listener ? SECCOMP_RET_USER_NOTIF : ERROR(EPERM);
}

static void add_family(struct assembly *to) {
    // Those that Docker refuses too: the kernel's cryptography, the hypervisor, and what is rarely maintained.
    static const unsigned char refused[] = {
        12 /* DECnet */, 19 /* Econet */, 20 /* ATM SVC */, 23 /* IrDA */, 25 /* WANPIPE */, 34 /* WANPIPE, BT */,
        37 /* CAIF */, AF_ALG, AF_VSOCK};
    load(to, ARGUMENT(0));
    for (unsigned int i = 0; i < sizeof refused; i++) answer_equal(to, refused[i], ERROR(EAFNOSUPPORT));
    answer_from(to, 46, ERROR(EAFNOSUPPORT));
    // Who may not write to the audit log is told that there is none: PAM and useradd would fail otherwise.
    add(to, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, AF_NETLINK);
    load(to, ARGUMENT(2));
    answer_equal(to, AUDIT_PROTOCOL, ERROR(EPROTONOSUPPORT));
}

static void add_personality(struct assembly *to) {
    load(to, ARGUMENT(0));
    // Linux, 32 bit, both with the name of Linux 2.6; and the question.
    static const unsigned int allowed[] = {0, 8, 0x20000, 0x20008, 0xffffffff};
    for (unsigned int i = 0; i < sizeof allowed / sizeof *allowed; i++) answer_equal(to, allowed[i], SECCOMP_RET_ALLOW);
    answer(to, ERROR(EPERM));
}

static void add_request(struct assembly *to, int keeps_signals) {
    load(to, ARGUMENT(1));
    // Typing into a terminal that others read from.
    answer_equal(to, STEAL_INPUT, ERROR(EPERM));
    answer_equal(to, PASTE, ERROR(EPERM));
    if (!keeps_signals) return;
    answer_equal(to, OWN_DESCRIPTOR, ERROR(EPERM));
    answer_equal(to, OWN_SOCKET, ERROR(EPERM));
}

// `process` and `group` are what the first argument says; users, whose processes the agent's are, are the rest.
static void add_priority(struct assembly *to, unsigned int process, unsigned int group) {
    load(to, ARGUMENT(0));
    add(to, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, process);
    load(to, ARGUMENT(1));
    answer_equal(to, 0, SECCOMP_RET_ALLOW);
    answer(to, hand_over(to->settings));
    add(to, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, group);
    load(to, ARGUMENT(1));
    answer_equal(to, 0, SECCOMP_RET_ALLOW);
    answer(to, ERROR(EPERM));
}

// Who cannot ask anybody knows some numbers only: those of the agent and of what is around the step.
static void add_target(struct assembly *to, int argument, int may_be_own_group) {
    load(to, ARGUMENT(argument));
    if (may_be_own_group) answer_equal(to, 0, SECCOMP_RET_ALLOW);
    if (to->settings->has_listener) {
        answer(to, SECCOMP_RET_USER_NOTIF);
        return;
    }
    answer_equal(to, (unsigned int)-1, ERROR(EPERM));
    for (int i = 0; i < 3; i++) {
        if (to->settings->kept[i] <= 0) continue;
        answer_equal(to, (unsigned int)to->settings->kept[i], ERROR(EPERM));
        answer_equal(to, (unsigned int)-to->settings->kept[i], ERROR(EPERM));
    }
    answer(to, SECCOMP_RET_ALLOW);
}

static void add_owner(struct assembly *to) {
    load(to, ARGUMENT(1));
    answer_equal(to, SET_OWNER_TYPED, ERROR(EPERM));
    add(to, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SET_OWNER);
    answer(to, SECCOMP_RET_ALLOW);
    add_target(to, 2, 1);
}

// What becomes of a call that a rule is about, up to the answer.
static void add_check(struct assembly *to, enum check check) {
    const struct slipway_guard_settings *settings = to->settings;
    switch (check) {
    case NEVER: answer(to, ERROR(EPERM)); return;
    case UNKNOWN: answer(to, ERROR(ENOSYS)); return;
    case CLONE_FLAGS:
        load(to, ARGUMENT(0));
        answer_any_bit(to, NEW_NAMESPACES, ERROR(EPERM));
        break;
    case UNSHARE_FLAGS:
        load(to, ARGUMENT(0));
        answer_any_bit(to, NEW_NAMESPACES | NEW_TIME, ERROR(EPERM));
        break;
    case PERSONALITY: add_personality(to); return;
    case SOCKET_FAMILY: add_family(to); break;
    case IOCTL_REQUEST: add_request(to, settings->shares_processes && !settings->keeps_signals); break;
    case OWN_PROCESS:
        load(to, ARGUMENT(0));
        answer_equal(to, 0, SECCOMP_RET_ALLOW);
        answer(to, hand_over(settings));
        return;
    case OWN_PRIORITY: add_priority(to, 0, 1); return;
    case OWN_IO_PRIORITY: add_priority(to, 1, 2); return;
    case ATTACH:
        load(to, ARGUMENT(0));
        answer_equal(to, PTRACE_ATTACH, ERROR(EPERM));
        answer_equal(to, PTRACE_SEIZE, ERROR(EPERM));
        break;
    case TRACE: answer(to, ERROR(EPERM)); return;
    case SIGNAL: add_target(to, 0, 1); return;
    case SIGNAL_THREAD: add_target(to, 0, 0); return;
    case PROCESS_DESCRIPTOR: answer(to, ERROR(ENOSYS)); return;
    case DESCRIPTOR_OWNER: add_owner(to); return;
    }
    answer(to, SECCOMP_RET_ALLOW);
}

static int is_wanted(const struct slipway_guard_settings *settings, enum check check) {
    if (check < OWN_PROCESS) return 1;
    if (!settings->shares_processes) return 0;
    if (check == ATTACH || check == TRACE) return !settings->keeps_traces;
    if (check >= SIGNAL) return !settings->keeps_signals;
    return 1;
}

static void add_abi(struct assembly *to, enum slipway_abi abi) {
    load(to, offsetof(struct seccomp_data, nr));
    if (abi == SLIPWAY_ABI_X86_64) answer_from(to, X32_BIT, ERROR(ENOSYS));
    if (abi == SLIPWAY_ABI_ARM) {
        add(to, BPF_JMP | BPF_JGE | BPF_K, 0, 2, ARM_FIRST);
        add(to, BPF_JMP | BPF_JGT | BPF_K, 1, 0, ARM_LAST);
        answer(to, SECCOMP_RET_ALLOW);
    }
    answer_from(to, NEWEST_JUDGED + 1, ERROR(ENOSYS));
    for (int i = 0; i < slipway_rule_count; i++) {
        const struct rule *rule = &slipway_rules[i];
        if (rule->numbers[abi] < 0 || !is_wanted(to->settings, rule->check)) continue;
        int jump = to->count;
        add(to, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (unsigned int)rule->numbers[abi]);
        add_check(to, rule->check);
        // Each is shorter than the longest jump.
        if (jump < to->room) to->program[jump].jf = (unsigned char)(to->count - jump - 1);
    }
    answer(to, SECCOMP_RET_ALLOW);
}

int slipway_assemble_guard(
    const struct slipway_guard_settings *settings, enum slipway_abi native, void *program, int room
) {
    struct assembly to = {program, room, 0, settings};
    static const uint32_t architectures[SLIPWAY_ABIS] = {
        AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM};
    // The processor's own ABI, and the one for 32 bits behind it.
    for (int abi = (int)native; abi < (int)native + 2; abi++) {
        load(&to, offsetof(struct seccomp_data, arch));
        add(&to, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, architectures[abi]);
        int jump = to.count;
        add(&to, BPF_JMP | BPF_JA, 0, 0, 0);
        add_abi(&to, (enum slipway_abi)abi);
        if (jump < room) to.program[jump].k = (unsigned int)(to.count - jump - 1);
    }
    answer(&to, ERROR(ENOSYS));
    return to.count;
}

int slipway_guard_rule(int index, enum slipway_abi abi, const char **name) {
    if (index < 0 || index >= slipway_rule_count) return -2;
    *name = slipway_rules[index].name;
    return slipway_rules[index].numbers[abi];
}

// MARK: Installing it

#if defined(__x86_64__)
#define NATIVE SLIPWAY_ABI_X86_64
#elif defined(__aarch64__)
#define NATIVE SLIPWAY_ABI_ARM64
#else
#error "the guard knows x86_64 and aarch64"
#endif

static struct sock_filter program[SLIPWAY_GUARD_ROOM];

static int install(const struct slipway_guard_settings *settings) {
    int count = slipway_assemble_guard(settings, NATIVE, program, SLIPWAY_GUARD_ROOM);
    if (count > SLIPWAY_GUARD_ROOM) {
        errno = E2BIG;
        return -1;
    }
    unsigned long flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    if (settings->has_listener) return slipway_install_listener(program, (unsigned short)count, flags);
    struct sock_fprog filter = {(unsigned short)count, program};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

int slipway_guard(const struct slipway_guard_settings *wanted) {
    struct slipway_guard_settings settings = *wanted;
    for (;;) {
        int result = install(&settings);
        if (result >= 0) return settings.has_listener ? result : -1;
        if (errno == EACCES && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0) {
            // A container's root may not filter what it does not bind for good.
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -2;
        } else if (settings.has_listener) {
            // Before Linux 5.5 nobody can be asked, and in some pods somebody else is already: then the filter alone decides.
            settings.has_listener = 0;
        } else {
            return -2;
        }
    }
}
