#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard.h"
#include "internal.h"
#include "listener.h"

// What /proc tells of a process.
struct process {
    pid_t group_of_threads;
    pid_t parent;
    pid_t process_group;
    uint32_t real_user, effective_user, saved_user;
    int may_signal_all;
};

static long read_file(pid_t pid, const char *name, char *text, size_t room) {
    char path[40] = "/proc/";
    char *at = slipway_write_number(path + 6, (unsigned long)pid);
    *at++ = '/';
    memcpy(at, name, strlen(name) + 1);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t size = read(file, text, room - 1);
    close(file);
    if (size < 0) return -1;
    text[size] = 0;
    return size;
}

// Reads a number; returns a pointer behind it. What is no number, is 0.
static const char *read_number(const char *at, unsigned int base, unsigned long *number) {
    while (*at == ' ' || *at == '\t') at++;
    for (*number = 0;; at++) {
        unsigned int digit = *at >= '0' && *at <= '9'   ? (unsigned int)(*at - '0')
                             : *at >= 'a' && *at <= 'f' ? (unsigned int)(*at - 'a' + 10)
                                                        : 16;
        if (digit >= base) return at;
        *number = *number * base + digit;
    }
}

static unsigned long field(const char *text, const char *name, unsigned int base) {
    const char *at = strstr(text, name);
    unsigned long number = 0;
    if (at != NULL) read_number(at + strlen(name), base, &number);
    return number;
}

// The parent and the process group of a process, or -1 where there is none.
static int look_above(pid_t pid, pid_t *parent, pid_t *group) {
    static char text[1024];
    if (pid <= 0 || read_file(pid, "stat", text, sizeof text) <= 0) return -1;
    // Behind the name, which may hold anything: state, parent, group.
    const char *behind = strrchr(text, ')');
    if (behind == NULL || strlen(behind) < 4) return -1;
    unsigned long number;
    const char *at = read_number(behind + 4, 10, &number);
    *parent = (pid_t)number;
    read_number(at, 10, &number);
    *group = (pid_t)number;
    return 0;
}

// Returns 0, or -1 where there is no such process or thread.
static int look(pid_t pid, struct process *found) {
    static char text[4096];
    if (look_above(pid, &found->parent, &found->process_group) != 0) return -1;
    if (read_file(pid, "status", text, sizeof text) <= 0) return -1;
    found->group_of_threads = (pid_t)field(text, "\nTgid:\t", 10);
    found->may_signal_all = field(text, "\nCapEff:\t", 16) >> 5 & 1;
    const char *users = strstr(text, "\nUid:\t");
    if (users == NULL) return -1;
    unsigned long number;
    const char *at = read_number(users + 6, 10, &number);
    found->real_user = (uint32_t)number;
    at = read_number(at, 10, &number);
    found->effective_user = (uint32_t)number;
    read_number(at, 10, &number);
    found->saved_user = (uint32_t)number;
    return 0;
}

// A step may pile up its processes to keep us busy.
enum { DEEPEST = 1024 };

// Whether a process is the step's: its ancestors lead to us. Neither we nor the step's keeper are.
static int is_of_step(pid_t pid, pid_t keeper) {
    pid_t own = (pid_t)syscall(SYS_getpid);
    if (pid == own || pid == keeper) return 0;
    // An ancestor may end in between; its children are ours then.
    for (int attempts = 0; attempts < 3; attempts++) {
        pid_t at = pid, parent, group;
        for (int depth = 0; depth < DEEPEST && look_above(at, &parent, &group) == 0; depth++) {
            if (parent == own) return 1;
            if (parent <= 1) return 0;
            at = parent;
        }
    }
    return 0;
}

// Whether we are told to end, by the agent or by its death: SIGTERM is blocked.
static int is_told_to_end(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

static int may_signal(const struct process *sender, const struct process *target) {
    return sender->may_signal_all || sender->effective_user == target->real_user
        || sender->effective_user == target->saved_user || sender->real_user == target->real_user
        || sender->real_user == target->saved_user;
}

// Signals one process of the step's. By a descriptor: what was looked at is what is hit, whoever gets its number.
static int signal_one(const struct process *sender, pid_t target, int number, pid_t keeper) {
    struct process process;
    if (look(target, &process) != 0) return -ESRCH;
    int descriptor = slipway_pidfd_open(process.group_of_threads);
    if (descriptor < 0) return -errno;
    int result = -EPERM;
    if (is_of_step(process.group_of_threads, keeper) && may_signal(sender, &process))
        result = slipway_pidfd_signal(descriptor, number) == 0 ? 0 : -errno;
    close(descriptor);
    return result;
}

// All of a process group; with group 0, all of the step's but the sender.
static int signal_many(const struct process *sender, pid_t group, int number, pid_t keeper) {
    static union {
        struct { uint64_t inode, offset; unsigned short size; unsigned char type; char name[1]; } entry;
        char room[32768];
    } buffer;
    int directory = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -EPERM;
    int result = -ESRCH;
    long size;
    while ((size = syscall(SYS_getdents64, directory, buffer.room, sizeof buffer)) > 0) {
        for (long at = 0; at < size && !is_told_to_end();) {
            char *entry = buffer.room + at;
            unsigned short length;
            memcpy(&length, entry + 16, sizeof length);
            at += length;
            unsigned long name;
            read_number(entry + 19, 10, &name);
            pid_t pid = (pid_t)name;
            pid_t parent, its_group;
            if (look_above(pid, &parent, &its_group) != 0) continue;
            if (group != 0 ? its_group != group : pid == sender->group_of_threads) continue;
            int one = signal_one(sender, pid, number, keeper);
            // It is enough that one of them could be reached.
            if (one == 0 || (result == -ESRCH && one == -EPERM && group != 0)) result = one;
        }
    }
    close(directory);
    return result;
}

static int answer(const struct seccomp_notif *call, pid_t keeper) {
    const struct rule *rule = slipway_rule_of(call->data.arch, call->data.nr);
    struct process sender;
    if (rule == NULL || look((pid_t)call->pid, &sender) != 0) return -EPERM;
    int first = (int)call->data.args[0], second = (int)call->data.args[1];
    switch (rule->check) {
    case OWN_PROCESS: break;
    case OWN_PRIORITY:
    case OWN_IO_PRIORITY: first = second; break;
    case DESCRIPTOR_OWNER: first = (int)call->data.args[2]; break;
    case SIGNAL:
        // What a queue carries beside a signal is lost on its way to another process.
        if (first == (int)call->pid || first == sender.group_of_threads) return GO_ON;
        if (first > 0) return signal_one(&sender, first, second, keeper);
        return signal_many(&sender, first == -1 ? 0 : -first, second, keeper);
    case SIGNAL_THREAD:
        // The kernel sees to it that the thread is of that process.
        if (first == sender.group_of_threads) return GO_ON;
        return first > 0 ? signal_one(&sender, first, (int)call->data.args[2], keeper) : -EINVAL;
    default: return -EPERM;
    }
    // The caller waits for us, so these two numbers are nobody else's.
    return first == (int)call->pid || first == sender.group_of_threads ? GO_ON : -EPERM;
}

void slipway_supervise(int listener, pid_t keeper) {
    const struct seccomp_notif *call = slipway_take_call(listener);
    if (call == NULL) return;
    // Whose number was looked at does not matter where the caller is gone meanwhile: nothing comes of it.
    slipway_give_answer(listener, call->id, answer(call, keeper), 0);
}
