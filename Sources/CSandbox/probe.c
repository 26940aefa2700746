#define _GNU_SOURCE
#include "CSandbox.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

int slipway_landlock_version(void) {
    enum { CREATE = 444, VERSION = 1 };
    long version = syscall(CREATE, NULL, 0, VERSION);
    return version > 0 ? (int)version : 0;
}

int slipway_can_ask_about_calls(void) {
    struct seccomp_notif_sizes sizes;
    return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0;
}
