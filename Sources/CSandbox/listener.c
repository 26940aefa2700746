#define _GNU_SOURCE
#include "listener.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

int slipway_install_listener(struct sock_filter *program, unsigned short count, unsigned long flags) {
    struct sock_fprog filter = {count, program};
    flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Linux 5.19: signals do not tear a call from us that we are already answering.
    int listener = (int)syscall(
        SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &filter);
    if (listener < 0 && errno == EINVAL) listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    return listener;
}

// The kernel may know longer messages than these headers.
enum { ROOM = 512 };

const struct seccomp_notif *slipway_take_call(int listener) {
    static union {
        struct seccomp_notif notif;
        char room[ROOM];
    } message;
    memset(&message, 0, sizeof message);
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &message.notif) == 0 ? &message.notif : NULL;
}

void slipway_give_answer(int listener, uint64_t call, int result, int64_t value) {
    static union {
        struct seccomp_notif_resp response;
        char room[ROOM];
    } reply;
    memset(&reply, 0, sizeof reply);
    reply.response.id = call;
    if (result == GO_ON) {
        reply.response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        reply.response.error = result;
        reply.response.val = result == 0 ? value : 0;
    }
    // It fails when the step is gone meanwhile.
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply.response);
}
