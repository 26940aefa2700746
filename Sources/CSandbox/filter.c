#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emulation.h"
#include "listener.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "the root emulation knows x86_64 and aarch64"
#endif

// Calls that are always handed over. The old ones exist on x86_64 only.
static const int handed_over[] = {
    SYS_fchown, SYS_fchownat, SYS_mknodat, SYS_mkdirat, SYS_symlinkat, SYS_openat2, SYS_fchmod, SYS_fchmodat,
    SYS_fchmodat2, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_execve, SYS_execveat, SYS_chroot,
    SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid,
    SYS_setgroups, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getgroups,
#ifdef __x86_64__
    SYS_chown, SYS_lchown, SYS_mknod, SYS_mkdir, SYS_symlink, SYS_creat, SYS_chmod, SYS_stat, SYS_lstat,
#endif
};

#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (n))  // little endian: the low half first

static struct sock_filter program[160];
static unsigned short at;
#define ADD(...) program[at++] = (struct sock_filter)__VA_ARGS__

static int install(unsigned long flags) { return slipway_install_listener(program, at, flags); }

// Hands over `number` where its argument `index`, a file's mode, is that of a device.
static void add_device_call(int number, int index) {
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 6));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(index)));
    ADD(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, S_IFMT));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFCHR, 1, 0));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFBLK, 0, 1));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

// Only device nodes. The calls of other architectures are let through: the kernel refuses them their nodes.
static int install_for_nodes(void) {
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    add_device_call(SYS_mknodat, 2);
#ifdef __x86_64__
    add_device_call(SYS_mknod, 1);
#endif
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chroot, 0, 1));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    // It is no guard, and need not slow the step's processor down.
    return install(SECCOMP_FILTER_FLAG_SPEC_ALLOW);
}

int slipway_install_filter(int emulation) {
    if (emulation == SLIPWAY_EMULATE_NODES) return install_for_nodes();
    // Another architecture's calls have other numbers, and would slip through: there are none.
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
#ifdef __x86_64__
    ADD(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
#endif
    for (unsigned int i = 0; i < sizeof handed_over / sizeof *handed_over; i++) {
        ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)handed_over[i], 0, 1));
        ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    }
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 4));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(0)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_KEEPCAPS, 0, 1));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    // Opens only where they may make a file.
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(2)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
#ifdef __x86_64__
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 0, 4));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(1)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
#endif
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    return install(0);
}
