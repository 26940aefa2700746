#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <spawn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

const int linux_o_path = O_PATH;
const int linux_at_empty_path = AT_EMPTY_PATH;
const int linux_resolve_in_root = RESOLVE_IN_ROOT;
const int linux_resolve_beneath = RESOLVE_BENEATH;
const int linux_resolve_no_symlinks = RESOLVE_NO_SYMLINKS;
const int linux_resolve_no_magiclinks = RESOLVE_NO_MAGICLINKS;
const int linux_resolve_no_xdev = RESOLVE_NO_XDEV;
const int linux_rename_noreplace = RENAME_NOREPLACE;
const int linux_rename_exchange = RENAME_EXCHANGE;

int linux_openat2(int directory, const char *path, int flags, mode_t mode, uint64_t resolve) {
    struct open_how how = {.flags = (uint64_t)(unsigned int)flags, .mode = mode, .resolve = resolve};
    // The kernel answers EAGAIN when a rename elsewhere raced with "..": asking again is what it asks for.
    for (int attempt = 0;; attempt++) {
        int descriptor = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (descriptor >= 0 || errno != EAGAIN || attempt == 64) return descriptor;
    }
}

int linux_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags, mode);
}

int linux_statx(int directory, const char *path, int flags, struct linux_status *status) {
    struct statx from;
    if (statx(directory, path, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &from) != 0) return -1;
    status->mode = from.stx_mode;
    status->uid = from.stx_uid;
    status->gid = from.stx_gid;
    status->nlink = from.stx_nlink;
    status->inode = from.stx_ino;
    status->device = makedev(from.stx_dev_major, from.stx_dev_minor);
    status->rdev = makedev(from.stx_rdev_major, from.stx_rdev_minor);
    status->size = from.stx_size;
    status->mtime_seconds = from.stx_mtime.tv_sec;
    status->mtime_nanoseconds = from.stx_mtime.tv_nsec;
    status->ctime_seconds = from.stx_ctime.tv_sec;
    status->ctime_nanoseconds = from.stx_ctime.tv_nsec;
    return 0;
}

int linux_mknodat(int directory, const char *path, mode_t mode, uint64_t device) {
    return mknodat(directory, path, mode, (dev_t)device);
}

int linux_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags) {
    return renameat2(from_directory, from, to_directory, to, flags);
}

int linux_set_times(int directory, const char *path, int64_t seconds, int64_t nanoseconds, int flags) {
    struct timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
    return utimensat(directory, path, times, flags);
}

int linux_chmod_nofollow(int directory, const char *path, mode_t mode) {
    if (syscall(SYS_fchmodat2, directory, path, mode, AT_SYMLINK_NOFOLLOW) == 0) return 0;
    if (errno != ENOSYS && errno != EPERM) return -1;
    // Before Linux 6.6: pin the file with O_PATH and go through /proc, which does not follow it a second time.
    int file = openat(directory, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return -1;
    struct stat status;
    int result = -1;
    if (fstat(file, &status) == 0) {
        if (S_ISLNK(status.st_mode)) {
            errno = EOPNOTSUPP;
        } else {
            char link[40];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            result = chmod(link, mode);
        }
    }
    int saved = errno;
    close(file);
    errno = saved;
    return result;
}

uint64_t linux_makedev(uint32_t major_number, uint32_t minor_number) { return makedev(major_number, minor_number); }
uint32_t linux_major(uint64_t device) { return major(device); }
uint32_t linux_minor(uint64_t device) { return minor(device); }

int linux_clone_file(int to, int from) { return ioctl(to, FICLONE, from); }

int linux_begin_writing(int descriptor, int64_t start, int64_t count) {
    return sync_file_range(descriptor, start, count, SYNC_FILE_RANGE_WRITE);
}

void linux_keep_freed_memory(int bytes) {
    mallopt(M_TRIM_THRESHOLD, bytes);
    mallopt(M_MMAP_THRESHOLD, bytes / 2);
    mallopt(M_ARENA_MAX, 2);
}

void linux_give_back_memory(void) { malloc_trim(0); }

int linux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int linux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

// MARK: Attributes by way of a user namespace

struct attribute_request {
    int directory;
    const char *name;
    const char *attribute;
    const void *value;
    size_t size;
    uid_t uid;
    gid_t gid;
    int result;
};

static int write_text(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t count = write(file, text, strlen(text));
    close(file);
    return count < 0 ? -1 : 0;
}

static int set_attribute_as_root(void *argument) {
    struct attribute_request *request = argument;
    char map[64];
    // Only this id is mapped, onto root; giving up setgroups is what the kernel asks for it.
    write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1\n", request->gid);
    if (write_text("/proc/self/gid_map", map) != 0) goto failed;
    snprintf(map, sizeof map, "0 %u 1\n", request->uid);
    if (write_text("/proc/self/uid_map", map) != 0) goto failed;
    if (request->name != NULL && request->directory != AT_FDCWD && fchdir(request->directory) != 0) goto failed;
    if (request->name != NULL
            ? lsetxattr(request->name, request->attribute, request->value, request->size, 0) != 0
            : fsetxattr(request->directory, request->attribute, request->value, request->size, 0) != 0)
        goto failed;
    request->result = 0;
    return 0;
failed:
    request->result = errno;
    return 1;
}

int linux_set_attribute_in_namespace(
    int directory, const char *name, const char *attribute, const void *value, size_t size
) {
    struct attribute_request request = {directory, name, attribute, value, size, geteuid(), getegid(), EAGAIN};
    const size_t stack_size = 64 << 10;
    char *stack = malloc(stack_size);
    if (stack == NULL) return -1;
    // As vfork does: the child has our memory and we wait for it. Signals wait too, for their handlers are ours.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = clone(
        set_attribute_as_root, stack + stack_size, CLONE_VM | CLONE_VFORK | CLONE_NEWUSER | SIGCHLD, &request);
    int error = child < 0 ? errno : 0;
    if (child > 0) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        error = request.result;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(stack);
    errno = error;
    return error == 0 ? 0 : -1;
}

int linux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int linux_memory_file(const char *name) {
    return memfd_create(name, MFD_CLOEXEC);
}

int linux_spawn_close_from(void *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
