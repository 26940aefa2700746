#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

pid_t slipway_hold_user_namespace(void) {
    pid_t parent = getpid();
    pid_t child = (pid_t)syscall(SYS_clone, (unsigned long)(SIGCHLD | CLONE_NEWUSER), NULL, NULL, NULL, NULL);
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (syscall(SYS_getppid) != parent) _exit(0);
    for (;;) pause();
}

int slipway_join_user_namespace(pid_t pid) {
    char path[40] = "/proc/";
    char *at = slipway_write_number(path + 6, (unsigned long)pid);
    memcpy(at, "/ns/user", 9);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0) return -1;
    int result = setns(namespace, CLONE_NEWUSER);
    int number = errno;
    close(namespace);
    // New capabilities close a process's own files in /proc to it, as a program with setuid would.
    if (result == 0) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    errno = number;
    return result;
}
