// Linux calls that Swift cannot reach through its Glibc module.
//
// The module is built without _GNU_SOURCE, so that everything beyond POSIX is missing from it; some calls have no
// wrapper in Debian 12's C library at all; others are variadic or macros, which Swift does not import. Each function
// below says which. They return what the kernel returns through the C library: -1 and `errno` on failure.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
// getxattr and friends: a header that the Glibc module leaves out.
#include <sys/xattr.h>

#ifdef __cplusplus
extern "C" {
#endif

// Flags hidden behind _GNU_SOURCE.
extern const int linux_o_path;
extern const int linux_at_empty_path;
extern const int linux_resolve_in_root;
extern const int linux_resolve_beneath;
extern const int linux_resolve_no_symlinks;
extern const int linux_resolve_no_magiclinks;
extern const int linux_resolve_no_xdev;
extern const int linux_rename_noreplace;
extern const int linux_rename_exchange;

/// What statx tells, with device numbers put together as `st_dev` and `st_rdev` have them.
struct linux_status {
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink;
    uint64_t inode;
    uint64_t device;
    uint64_t rdev;
    uint64_t size;
    int64_t mtime_seconds;
    uint32_t mtime_nanoseconds;
    int64_t ctime_seconds;
    uint32_t ctime_nanoseconds;
};

/// openat2: no wrapper in the C library. `resolve` takes the linux_resolve_ flags.
int linux_openat2(int directory, const char *path, int flags, mode_t mode, uint64_t resolve);

/// openat with a mode: variadic in C.
int linux_openat(int directory, const char *path, int flags, mode_t mode);

/// statx: hidden behind _GNU_SOURCE. `flags` takes AT_SYMLINK_NOFOLLOW and linux_at_empty_path.
int linux_statx(int directory, const char *path, int flags, struct linux_status *status);

/// mknodat: not part of the POSIX set that the module was built with. `device` as makedev makes it.
int linux_mknodat(int directory, const char *path, mode_t mode, uint64_t device);

/// renameat2: hidden behind _GNU_SOURCE.
int linux_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags);

/// Sets the times of what an O_PATH descriptor or a name stands for; utimensat itself is there, but
/// UTIME_OMIT is a macro with a cast, which Swift does not import. The access time is set to the same.
int linux_set_times(int directory, const char *path, int64_t seconds, int64_t nanoseconds, int flags);

/// fchmodat on the directory's own entry, never through a symbolic link (fchmodat2 or /proc/self/fd).
int linux_chmod_nofollow(int directory, const char *path, mode_t mode);

/// makedev, major, minor: macros.
uint64_t linux_makedev(uint32_t major, uint32_t minor);
uint32_t linux_major(uint64_t device);
uint32_t linux_minor(uint64_t device);

/// copy_file_range, syncfs: hidden behind _GNU_SOURCE.
ssize_t copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t length, unsigned int flags);
int syncfs(int descriptor);

/// memfd_create with MFD_CLOEXEC: hidden behind _GNU_SOURCE.
int linux_memory_file(const char *name);

/// posix_spawn_file_actions_addclosefrom_np: hidden behind _GNU_SOURCE. `actions` is a posix_spawn_file_actions_t.
int linux_spawn_close_from(void *actions, int first);

/// ioctl(FICLONE): variadic. Shares the blocks of a file where the file system can.
int linux_clone_file(int to, int from);

/// sync_file_range with SYNC_FILE_RANGE_WRITE: hidden behind _GNU_SOURCE. Begins to write a part of a file to the disk.
int linux_begin_writing(int descriptor, int64_t start, int64_t count);

/// mallopt: its header is not in the module. Up to so many freed bytes at the end of the heap are kept for the next to come, and
/// blocks up to half of that come from the heap; the threads share two heaps.
void linux_keep_freed_memory(int bytes);

/// malloc_trim: its header is not in the module. All pages of the heaps that hold nothing go back to the kernel.
void linux_give_back_memory(void);

/// eventfd: its header is not in the module. Close-on-exec and non-blocking.
int linux_eventfd(void);

/// pipe2 with O_CLOEXEC: hidden behind _GNU_SOURCE.
int linux_pipe(int ends[2]);

/// setxattr of a directory's own entry, never through a symbolic link, by a child that is root of a user namespace of its
/// own, in which the caller's id is the only one. So an ordinary user sets `security.capability`; the kernel adds to it whose
/// namespace it is for (VFS_CAP_REVISION_3). Without a name, `directory` is the open file itself.
int linux_set_attribute_in_namespace(
    int directory, const char *name, const char *attribute, const void *value, size_t size);

/// pidfd_open: no wrapper in Debian 12's C library's public headers for C11 modules.
int linux_pidfd_open(pid_t pid);

#ifdef __cplusplus
}
#endif
