#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "emulation.h"

enum { NOBODY_ELSE = 1024 };

// Entry 0 is root, and what a process has that carries no index.
static struct identity identities[NOBODY_ELSE];
static unsigned int count = 1;

int slipway_read_memory(pid_t pid, uint64_t address, void *to, size_t size) {
    struct iovec here = {to, size};
    struct iovec there = {(void *)(uintptr_t)address, size};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -1;
}

int slipway_write_memory(pid_t pid, uint64_t address, const void *from, size_t size) {
    struct iovec here = {(void *)(uintptr_t)from, size};
    struct iovec there = {(void *)(uintptr_t)address, size};
    return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -1;
}

const struct identity *slipway_identity_of(pid_t pid) {
    struct rlimit64 limit;
    if (syscall(SYS_prlimit64, pid, RLIMIT_LOCKS, NULL, &limit) != 0) return &identities[0];
    return &identities[limit.rlim_cur < count ? limit.rlim_cur : 0];
}

int slipway_set_identity(pid_t pid, const struct identity *identity) {
    unsigned int index = 0;
    while (index < count && memcmp(&identities[index], identity, sizeof *identity) != 0) index++;
    if (index == count) {
        if (count == NOBODY_ELSE) return -EAGAIN;
        identities[count++] = *identity;
    }
    struct rlimit64 limit;
    if (syscall(SYS_prlimit64, pid, RLIMIT_LOCKS, NULL, &limit) != 0) return -errno;
    limit.rlim_cur = index == 0 ? limit.rlim_max : index;
    if (limit.rlim_cur > limit.rlim_max) return -EPERM;
    return syscall(SYS_prlimit64, pid, RLIMIT_LOCKS, &limit, NULL) == 0 ? 0 : -errno;
}

int slipway_is_identity_call(int number) {
    switch (number) {
    case SYS_setuid:
    case SYS_setgid:
    case SYS_setreuid:
    case SYS_setregid:
    case SYS_setresuid:
    case SYS_setresgid:
    case SYS_setfsuid:
    case SYS_setfsgid:
    case SYS_setgroups:
    case SYS_getuid:
    case SYS_geteuid:
    case SYS_getgid:
    case SYS_getegid:
    case SYS_getresuid:
    case SYS_getresgid:
    case SYS_getgroups: return 1;
    default: return 0;
    }
}

static int is_one_of(uint32_t id, const uint32_t have[4], int with_saved) {
    return id == have[REAL] || id == have[EFFECTIVE] || (with_saved && id == have[SAVED]);
}

// setreuid(2), setregid(2).
static int set_two(uint32_t ids[4], uint32_t real, uint32_t effective, int is_root) {
    uint32_t old = ids[REAL];
    if (real != UINT32_MAX && !is_root && !is_one_of(real, ids, 0)) return -EPERM;
    if (effective != UINT32_MAX && !is_root && !is_one_of(effective, ids, 1)) return -EPERM;
    if (real != UINT32_MAX) ids[REAL] = real;
    if (effective != UINT32_MAX) ids[EFFECTIVE] = effective;
    if (real != UINT32_MAX || (effective != UINT32_MAX && effective != old)) ids[SAVED] = ids[EFFECTIVE];
    ids[FILES] = ids[EFFECTIVE];
    return 0;
}

// setresuid(2), setresgid(2).
static int set_three(uint32_t ids[4], const uint32_t wanted[3], int is_root) {
    for (int i = 0; i < 3; i++)
        if (wanted[i] != UINT32_MAX && !is_root && !is_one_of(wanted[i], ids, 1)) return -EPERM;
    for (int i = 0; i < 3; i++)
        if (wanted[i] != UINT32_MAX) ids[i] = wanted[i];
    ids[FILES] = ids[EFFECTIVE];
    return 0;
}

// setuid(2), setgid(2).
static int set_one(uint32_t ids[4], uint32_t id, int is_root) {
    if (id == UINT32_MAX) return -EINVAL;
    if (is_root)
        ids[REAL] = ids[SAVED] = id;
    else if (id != ids[REAL] && id != ids[SAVED])
        return -EPERM;
    ids[EFFECTIVE] = ids[FILES] = id;
    return 0;
}

static int write_three(const struct seccomp_notif *call, const uint32_t ids[4]) {
    for (int i = 0; i < 3; i++)
        if (slipway_write_memory((pid_t)call->pid, call->data.args[i], &ids[i], 4) != 0) return -EFAULT;
    return 0;
}

int slipway_identity_call(const struct seccomp_notif *call, int64_t *value) {
    pid_t pid = (pid_t)call->pid;
    const struct identity *now = slipway_identity_of(pid);
    uint32_t first = (uint32_t)call->data.args[0];
    uint32_t second = (uint32_t)call->data.args[1];
    uint32_t all[3] = {first, second, (uint32_t)call->data.args[2]};
    switch (call->data.nr) {
    case SYS_getuid: *value = now->uid[REAL]; return 0;
    case SYS_geteuid: *value = now->uid[EFFECTIVE]; return 0;
    case SYS_getgid: *value = now->gid[REAL]; return 0;
    case SYS_getegid: *value = now->gid[EFFECTIVE]; return 0;
    case SYS_getresuid: return write_three(call, now->uid);
    case SYS_getresgid: return write_three(call, now->gid);
    case SYS_getgroups:
        *value = now->group_count;
        if (first == 0) return 0;
        if (first > 65536 || first < now->group_count) return -EINVAL;
        if (now->group_count == 0) return 0;
        return slipway_write_memory(pid, call->data.args[1], now->groups, 4 * now->group_count) == 0 ? 0 : -EFAULT;
    default: break;
    }
    // The table's entries never change: others may have them too.
    static struct identity next;
    next = *now;
    int was_root = now->uid[REAL] == 0 || now->uid[EFFECTIVE] == 0 || now->uid[SAVED] == 0;
    int is_root = now->uid[EFFECTIVE] == 0 || now->capabilities & HAS_KEPT_THEM;
    int result = 0;
    switch (call->data.nr) {
    case SYS_setuid: result = set_one(next.uid, first, is_root); break;
    case SYS_setgid: result = set_one(next.gid, first, is_root); break;
    case SYS_setreuid: result = set_two(next.uid, first, second, is_root); break;
    case SYS_setregid: result = set_two(next.gid, first, second, is_root); break;
    case SYS_setresuid: result = set_three(next.uid, all, is_root); break;
    case SYS_setresgid: result = set_three(next.gid, all, is_root); break;
    case SYS_setfsuid:
        *value = now->uid[FILES];
        if (first != UINT32_MAX && (is_root || is_one_of(first, now->uid, 1))) next.uid[FILES] = first;
        break;
    case SYS_setfsgid:
        *value = now->gid[FILES];
        if (first != UINT32_MAX && (is_root || is_one_of(first, now->gid, 1))) next.gid[FILES] = first;
        break;
    case SYS_setgroups:
        if (!is_root) return -EPERM;
        if (first > 65536) return -EINVAL;
        // More groups than anybody has are cut off: they decide nothing here.
        next.group_count = first < 256 ? first : 256;
        memset(next.groups, 0, sizeof next.groups);
        if (first > 0 && slipway_read_memory(pid, call->data.args[1], next.groups, 4 * next.group_count) != 0)
            return -EFAULT;
        break;
    default: return -ENOSYS;
    }
    int stays_root = next.uid[REAL] == 0 || next.uid[EFFECTIVE] == 0 || next.uid[SAVED] == 0;
    if (was_root && !stays_root && next.capabilities & KEEPS_CAPABILITIES) next.capabilities |= HAS_KEPT_THEM;
    return result != 0 ? result : slipway_set_identity(pid, &next);
}
