#pragma once
// What a step may ask of the kernel: a table of system calls, and the filter that is made of it.
//
// The table has the calls that are refused, or looked at more closely, under their numbers in each ABI; all others up to the
// newest that somebody has judged are allowed, and what came later is unknown (ENOSYS), for which C libraries have another way.
// Together that is Docker's default profile for a container's capabilities, without the old calls that no kernel has, and with
// what Docker cannot say: that a step without a pid namespace of its own leaves other processes alone.

#include <linux/filter.h>
#include <stdint.h>

#include "CSandbox.h"

enum check {
    // Refused: EPERM.
    NEVER,
    // As if the kernel did not have it: ENOSYS.
    UNKNOWN,
    // Processes without new namespaces only.
    CLONE_FLAGS,
    UNSHARE_FLAGS,
    PERSONALITY,
    SOCKET_FAMILY,
    IOCTL_REQUEST,

    // Below: only where processes are shared with the agent.

    // A call about a process, the caller's own only: in its first argument.
    OWN_PROCESS,
    // The same behind an argument that says what it is: setpriority(2), ioprio_set(2).
    OWN_PRIORITY,
    OWN_IO_PRIORITY,
    // Not where Landlock keeps traces in.
    ATTACH,
    TRACE,
    // Not where Landlock keeps signals in.
    SIGNAL,
    SIGNAL_THREAD,
    PROCESS_DESCRIPTOR,
    DESCRIPTOR_OWNER,
};

struct rule {
    const char *name;
    // By slipway_abi; -1: the ABI has no such call.
    short numbers[SLIPWAY_ABIS];
    enum check check;
};

extern const struct rule slipway_rules[];
extern const int slipway_rule_count;

// The rule for a call by its architecture, as seccomp tells it, and its number; NULL: none.
const struct rule *slipway_rule_of(uint32_t architecture, int number);

// Installs the filter for the calling thread and all that it starts. Where it must be so, programs gain nothing by setuid from
// then on. Returns the listener where there are calls to answer, -1 where there are none, or -2 with errno.
int slipway_guard(const struct slipway_guard_settings *settings);

// supervise.c: answers one call of a step that shares the agent's processes. `keeper` is its parent, and our child.
void slipway_supervise(int listener, pid_t keeper);
