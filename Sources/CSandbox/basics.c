// What every part of the sandbox uses: nothing here calls any of them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

char *slipway_write_number(char *at, unsigned long number) {
    char digits[24];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) *at++ = digits[--count];
    return at;
}

void slipway_report(const struct slipway_sandbox *sandbox, int stage, int number, int index) {
    struct slipway_report message = {stage, number, index};
    // Shorter than PIPE_BUF: written whole or not at all.
    while (write(sandbox->report, &message, sizeof message) < 0 && errno == EINTR) {}
}

void slipway_fail(const struct slipway_sandbox *sandbox, int stage, int number, int index) {
    slipway_report(sandbox, stage, number, index);
    _exit(125);
}

int slipway_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int slipway_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int slipway_pidfd_signal(int descriptor, int number) {
    return (int)syscall(SYS_pidfd_send_signal, descriptor, number, NULL, 0);
}
