#pragma once
// What runs between clone(2) and execve(2) of a build step.
//
// A Swift process has several threads, so its child may call nothing but async-signal-safe functions, and must not run Swift
// code. Everything here works on memory that the caller has prepared, makes system calls, and reports by number which stage
// failed with which errno.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The stages, in the order in which they are passed. SandboxStage.swift has the words for people.
enum slipway_stage {
    SLIPWAY_STAGE_NONE = 0,
    SLIPWAY_STAGE_CLONE = 1,
    SLIPWAY_STAGE_MAP_IDS = 2,
    SLIPWAY_STAGE_PRIVATE_MOUNTS = 3,
    SLIPWAY_STAGE_OVERLAY = 4,
    SLIPWAY_STAGE_ROOT = 5,
    SLIPWAY_STAGE_PROC = 6,
    SLIPWAY_STAGE_SYS = 7,
    SLIPWAY_STAGE_DEV = 8,
    SLIPWAY_STAGE_MOUNT = 9,
    SLIPWAY_STAGE_PIVOT = 10,
    SLIPWAY_STAGE_HOSTNAME = 11,
    SLIPWAY_STAGE_NETWORK = 12,
    SLIPWAY_STAGE_FORK = 13,
    SLIPWAY_STAGE_GROUPS = 14,
    SLIPWAY_STAGE_USER = 15,
    SLIPWAY_STAGE_CAPABILITIES = 16,
    SLIPWAY_STAGE_DIRECTORY = 17,
    SLIPWAY_STAGE_STREAMS = 18,
    SLIPWAY_STAGE_EXEC = 19,
    SLIPWAY_STAGE_CHROOT = 20,
    SLIPWAY_STAGE_EMULATION = 21,
    // The step had more processes than `process_limit`.
    SLIPWAY_STAGE_PROCESSES = 22,
    SLIPWAY_STAGE_GUARD = 23,
};

enum slipway_mount_kind {
    SLIPWAY_MOUNT_BIND = 0,
    SLIPWAY_MOUNT_TMPFS = 1,
    // A file with `content`, kept in memory: a build secret. The only kind that there is without namespaces, too.
    SLIPWAY_MOUNT_CONTENT = 2,
};

struct slipway_mount {
    int kind;
    int read_only;
    // A mount whose target is not in the root is passed over instead of failing.
    int optional;
    const char *source;
    const char *target;
    const char *options;
    const void *content;
    size_t content_size;
    uint32_t content_mode;
    uint32_t content_uid;
    uint32_t content_gid;
};

enum slipway_emulation {
    SLIPWAY_EMULATE_NOTHING = 0,
    // Only the caller's own ids are mapped: root's calls about others are answered (emulation.h).
    SLIPWAY_EMULATE_ROOT = 1,
    // Nobody makes device nodes in a user namespace: they are written down. Where that cannot be had, nothing is answered.
    SLIPWAY_EMULATE_NODES = 2,
};

struct slipway_sandbox {
    // Namespaces (1), or a chroot into `root` (0).
    int namespaces;
    // Which calls are answered beside the step: slipway_emulation.
    int emulate;
    int own_network;
    // Stop before the program is started: everything worked.
    int probe_only;

    // The root's layers, topmost first, and the writable ones; used when `lower_count` > 0.
    const char *const *lowers;
    int lower_count;
    const char *upper;
    const char *work;
    // Where the overlay is mounted, or the directory that is the root.
    const char *root;

    const struct slipway_mount *mounts;
    int mount_count;
    // Without namespaces: an empty directory outside of the step's root, over which something may be mounted.
    const char *aside;
    const char *hostname;

    const char *const *arguments;
    const char *const *environment;
    // The files to try to execute, in order, ended by NULL.
    const char *const *programs;
    const char *directory;
    uint32_t uid;
    uint32_t gid;
    const uint32_t *groups;
    int group_count;
    // Capabilities that root keeps in the step, as a bit mask.
    uint64_t capabilities;
    // How many processes the step may have at a time; 0: any number.
    int process_limit;

    // Standard output and error of the step.
    int output;
    int error;
    // The write end of the pipe on which reports come (close-on-exec).
    int report;
    // The read end of the pipe on which the parent says that the ids are mapped.
    int go;
    // Where the kernel looks for the agent's arguments and environment, to be blanked in the sandbox's first process; or
    // NULL.
    void *agent_arguments;
    size_t agent_arguments_size;

    // What the kernel is taken to have at most, for tests of what holds on older ones: the version of Landlock's interface
    // (0: none), and whether a filter may ask another process.
    int landlock_limit;
    int may_ask;
};

// What comes over the report pipe.
struct slipway_report {
    // SLIPWAY_STAGE_NONE: the step ended, and `number` is its wait status. Else the stage that failed and its errno.
    int32_t stage;
    int32_t number;
    // Which mount, in stage MOUNT.
    int32_t index;
};

// The ABIs whose calls the guard knows. Behind each processor's own is that for 32 bits.
enum slipway_abi { SLIPWAY_ABI_X86_64, SLIPWAY_ABI_I386, SLIPWAY_ABI_ARM64, SLIPWAY_ABI_ARM, SLIPWAY_ABIS };

// What the guard, a filter of the step's system calls (guard.h), has to look after.
struct slipway_guard_settings {
    // The step sees the agent's processes: it has no pid namespace of its own.
    int shares_processes;
    // Landlock keeps traces, and signals, in.
    int keeps_traces;
    int keeps_signals;
    // The sandbox's first process can be asked about a call.
    int has_listener;
    // The agent, the sandbox's first process and the step's keeper, for when nobody can be asked.
    pid_t kept[3];
};

enum { SLIPWAY_GUARD_ROOM = 2048 };

// Assembles the guard for a processor into `program`, which has room for so many struct sock_filter. Returns how many there are.
int slipway_assemble_guard(
    const struct slipway_guard_settings *settings, enum slipway_abi native, void *program, int room);

// The number of the guard's rule at an index, for tests: -1 where the ABI has no such call, -2 where there is no such rule.
int slipway_guard_rule(int index, enum slipway_abi abi, const char **name);

// The version of the kernel's Landlock interface; 0: it has none.
int slipway_landlock_version(void);

// Whether a filter of this kernel may ask another process about a call (seccomp user notification).
int slipway_can_ask_about_calls(void);

// Starts the sandbox's first process. Returns its id, or -1 with errno.
pid_t slipway_sandbox_start(const struct slipway_sandbox *sandbox);

// Opens a process's descriptor (pidfd_open(2) has no wrapper in glibc 2.36).
int slipway_pidfd_open(pid_t pid);

// Signals the process behind a descriptor (pidfd_send_signal(2) has no wrapper in glibc 2.36).
int slipway_pidfd_signal(int descriptor, int number);

// pipe2(2) with close-on-exec: Swift's Glibc module lacks it, and setting the flag later would leak the ends into a child that
// another thread starts in between.
int slipway_pipe(int ends[2]);

// Starts a process that does nothing in a user namespace of its own, to which nobody is mapped yet. It ends with the caller.
// Returns its id, or -1 with errno.
pid_t slipway_hold_user_namespace(void);

// Enters the user namespace of a process. Returns 0, or -1 with errno: EINVAL where the caller has several threads.
int slipway_join_user_namespace(pid_t pid);
