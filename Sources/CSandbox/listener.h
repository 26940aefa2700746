#pragma once
// Filters that hand calls to a process beside the step (seccomp_unotify(2)), which answers them.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif

// An answer: the kernel does the call itself.
enum { GO_ON = 1 };

// Installs a program in the calling thread. Returns the listener for the calls that it hands over, or -1 with errno.
int slipway_install_listener(struct sock_filter *program, unsigned short count, unsigned long flags);

// The next call; NULL when it is gone again. What it points to stays until the next one is taken.
const struct seccomp_notif *slipway_take_call(int listener);

// Answers a call with GO_ON, 0 or a negative errno. With 0, `value` is what the call returns.
void slipway_give_answer(int listener, uint64_t call, int result, int64_t value);
