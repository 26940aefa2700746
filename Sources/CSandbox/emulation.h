#pragma once
// Root's calls for a step that is root in name only.
//
// Where only one user id is mapped into the namespace, the kernel refuses every other one: chown, setuid, setgroups, mknod.
// A seccomp filter hands these calls to a process beside the step, which answers as the kernel would for root, and writes
// down who owns what: in an extended attribute of the file itself, so that renames, links and copies into the upper layer
// carry it along without anybody watching. Nothing here protects anything: the namespace does that. So a race with the
// step's own threads can fool the step, and nobody else.

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "internal.h"

struct seccomp_notif;
struct seccomp_notif_resp;

// Who a process believes to be.
struct identity {
    uint32_t uid[4];  // real, effective, saved, file system
    uint32_t gid[4];
    // KEEPS_CAPABILITIES and HAS_KEPT_THEM.
    uint32_t capabilities;
    uint32_t group_count;
    uint32_t groups[256];
};

// prctl(2)'s PR_SET_KEEPCAPS, and what comes of it: a process that was root changes its user, and may still change its ids.
enum { KEEPS_CAPABILITIES = 1, HAS_KEPT_THEM = 2 };

enum { REAL = 0, EFFECTIVE = 1, SAVED = 2, FILES = 3 };

// Who owns a file, as the image has it.
struct owner {
    uint32_t uid;
    uint32_t gid;
    // Of a device node, which is an empty file on disk: the mode with the type's bits, and the number. Else 0.
    uint32_t node_mode;
    uint64_t node_device;
};

// Installs the filter for a slipway_emulation in the calling thread. Returns the listener, or -1 with errno.
int slipway_install_filter(int emulation);

// Answers the step's calls, if there is a listener, until the process behind `init` ends; a SIGTERM ends it. `processes` is a
// directory of /proc in which the caller's own process ids are the names. Does not return.
__attribute__((noreturn)) void slipway_answer_calls(int listener, pid_t init, int processes, int emulation);

// identity.c: which identity a process has is an index into a table, and the index is kept in a resource limit of the process
// that no kernel has looked at since 2.4.25 (RLIMIT_LOCKS): forks and programs inherit it, threads share it.
const struct identity *slipway_identity_of(pid_t pid);
int slipway_set_identity(pid_t pid, const struct identity *identity);
int slipway_is_identity_call(int number);
// Returns 0 or a negative errno; the call's result goes to `value`.
int slipway_identity_call(const struct seccomp_notif *call, int64_t *value);

// owner.c: `file` is any descriptor, O_PATH or not. The working directory must be /proc.
int slipway_read_owner(int file, const struct stat *status, struct owner *owner);
int slipway_write_owner(int file, const struct stat *status, const struct owner *owner);

// The step's memory. Both return 0, or -1 where it cannot be reached.
int slipway_read_memory(pid_t pid, uint64_t address, void *to, size_t size);
int slipway_write_memory(pid_t pid, uint64_t address, const void *from, size_t size);
