#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "internal.h"

// Opens a path below the new root without leaving it, whatever links the image holds.
static int open_in_root(int root, const char *path, int flags) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

// "/proc/self/fd/N": a name for an open file that mount(2) takes, however the file is reached.
static void descriptor_path(char *buffer, int descriptor) {
    memcpy(buffer, "/proc/self/fd/", 14);
    *slipway_write_number(buffer + 14, (unsigned long)descriptor) = 0;
}

static int make_read_only(int target, int recursive) {
    struct mount_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    return (int)syscall(
        SYS_mount_setattr, target, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes, sizeof attributes);
}

// Binds `source` over an open target.
static int bind_over(const char *source, int target, unsigned long flags) {
    char path[40];
    descriptor_path(path, target);
    return mount(source, path, NULL, MS_BIND | flags, NULL);
}

static int mount_over(const char *type, int target, unsigned long flags, const char *options) {
    char path[40];
    descriptor_path(path, target);
    return mount(type, path, type, flags, options);
}

// Appends text to the mount options, with what separates options and layers escaped.
static char *append(const struct slipway_sandbox *sandbox, char *at, const char *end, const char *text, int escape) {
    for (; *text; text++) {
        if (at + 2 >= end) slipway_fail(sandbox, SLIPWAY_STAGE_OVERLAY, E2BIG, -1);
        if (escape && (*text == ',' || *text == ':' || *text == '\\')) *at++ = '\\';
        *at++ = *text;
    }
    return at;
}

static void mount_overlay(const struct slipway_sandbox *sandbox) {
    // The options are limited to a page, and the paths of layers can be long. So each layer is bound to a short name in a
    // directory of our own, which the overlay itself then covers.
    static char options[4096];
    const char *end = options + sizeof options - 1;
    if (mount("tmpfs", sandbox->root, "tmpfs", 0, "mode=700") != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_OVERLAY, errno, -1);
    int names = open(sandbox->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (names < 0) slipway_fail(sandbox, SLIPWAY_STAGE_OVERLAY, errno, -1);
    char *at = append(sandbox, options, end, "userxattr,lowerdir=", 0);
    for (int i = 0; i < sandbox->lower_count; i++) {
        char name[24];
        *slipway_write_number(name, (unsigned long)i) = 0;
        int place = -1;
        if (mkdirat(names, name, 0700) == 0) place = openat(names, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (place < 0 || bind_over(sandbox->lowers[i], place, 0) != 0)
            slipway_fail(sandbox, SLIPWAY_STAGE_OVERLAY, errno, i);
        close(place);
        if (i > 0) at = append(sandbox, at, end, ":", 0);
        at = append(sandbox, at, end, name, 0);
    }
    at = append(sandbox, at, end, ",upperdir=", 0);
    at = append(sandbox, at, end, sandbox->upper, 1);
    at = append(sandbox, at, end, ",workdir=", 0);
    at = append(sandbox, at, end, sandbox->work, 1);
    *at = 0;
    if (fchdir(names) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_OVERLAY, errno, -1);
    // What a step writes is of use only when the step ends well, and is read by us at once: without "volatile" the end of
    // the mount would write the whole file system of the state directory to the disk, and so would each fsync of a package
    // manager. Linux before 5.10 does not know the word.
    append(sandbox, at, end, ",volatile", 0)[0] = 0;
    int failed = mount("overlay", sandbox->root, "overlay", 0, options) != 0;
    if (failed && errno == EINVAL) {
        *at = 0;
        failed = mount("overlay", sandbox->root, "overlay", 0, options) != 0;
    }
    if (failed) slipway_fail(sandbox, SLIPWAY_STAGE_OVERLAY, errno, -1);
    close(names);
}

// Hides a file behind the null device, a directory behind an empty read-only one. What is not there needs no hiding.
static void hide(int root, const char *path) {
    int target = open_in_root(root, path, O_PATH | O_NOFOLLOW);
    if (target < 0) return;
    struct stat status;
    if (fstat(target, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            mount_over("tmpfs", target, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0");
        else
            bind_over("/dev/null", target, 0);
    }
    close(target);
}

static void protect(int root, const char *path) {
    int target = open_in_root(root, path, O_PATH | O_NOFOLLOW);
    if (target < 0) return;
    char name[40];
    descriptor_path(name, target);
    if (mount(name, name, NULL, MS_BIND | MS_REC, NULL) == 0) {
        int mounted = open_in_root(root, path, O_PATH | O_NOFOLLOW);
        if (mounted >= 0) {
            make_read_only(mounted, 1);
            close(mounted);
        }
    }
    close(target);
}

// Since Linux 6.14, each pid namespace has its own limit, and its root may set it. Before, it is the machine's.
static int has_own_pid_limit(void) {
    struct utsname system;
    if (uname(&system) != 0) return 0;
    int numbers[2] = {0, 0};
    const char *at = system.release;
    for (int i = 0; i < 2; i++) {
        while (*at >= '0' && *at <= '9') numbers[i] = numbers[i] * 10 + (*at++ - '0');
        if (*at == '.') at++;
    }
    return numbers[0] > 6 || (numbers[0] == 6 && numbers[1] >= 14);
}

static void limit_processes(const struct slipway_sandbox *sandbox, int root) {
    if (sandbox->process_limit <= 0 || !has_own_pid_limit()) return;
    int file = open_in_root(root, "proc/sys/kernel/pid_max", O_WRONLY);
    if (file < 0) return;
    char text[24];
    // Threads count too, and numbers are not used again at once: this is the last resort only.
    char *end = slipway_write_number(text, (unsigned long)sandbox->process_limit * 8 + 300);
    // What cannot be limited here is still counted.
    if (write(file, text, (size_t)(end - text)) < 0) {}
    close(file);
}

static void mount_proc(const struct slipway_sandbox *sandbox, int root) {
    int target = open_in_root(root, "proc", O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (target < 0) slipway_fail(sandbox, SLIPWAY_STAGE_PROC, errno, -1);
    if (mount_over("proc", target, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
        // A pod's own /proc has parts covered, and then the kernel gives no new one: the pod's serves.
        if (bind_over("/proc", target, MS_REC) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_PROC, errno, -1);
        close(target);
    } else {
        close(target);
        limit_processes(sandbox, root);
    }
    // The paths that container engines hide and protect: with root's own id mapped, their modes alone protect nothing.
    static const char *const hidden[] = {
        "proc/acpi", "proc/asound", "proc/kcore", "proc/keys", "proc/latency_stats", "proc/sched_debug", "proc/scsi",
        "proc/timer_list", "proc/timer_stats", "proc/interrupts", NULL};
    static const char *const protected_paths[] = {
        "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger", NULL};
    for (int i = 0; hidden[i]; i++) hide(root, hidden[i]);
    for (int i = 0; protected_paths[i]; i++) protect(root, protected_paths[i]);
}

static void mount_sys(const struct slipway_sandbox *sandbox, int root) {
    int target = open_in_root(root, "sys", O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (target < 0) slipway_fail(sandbox, SLIPWAY_STAGE_SYS, errno, -1);
    // A network namespace of its own may have a sysfs of its own; else the machine's is shown.
    if ((!sandbox->own_network || mount_over("sysfs", target, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        && bind_over("/sys", target, MS_REC) != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_SYS, errno, -1);
    close(target);
    int mounted = open_in_root(root, "sys", O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (mounted < 0 || make_read_only(mounted, 1) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_SYS, errno, -1);
    close(mounted);
    hide(root, "sys/firmware");
}

// Whether the caller mounts something of its own at a path: then nothing else lies below it.
static int is_wanted(const struct slipway_sandbox *sandbox, const char *path) {
    for (int i = 0; i < sandbox->mount_count; i++)
        if (strcmp(sandbox->mounts[i].target, path) == 0) return 1;
    return 0;
}

static void mount_dev(const struct slipway_sandbox *sandbox, int root) {
    int target = open_in_root(root, "dev", O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (target < 0) slipway_fail(sandbox, SLIPWAY_STAGE_DEV, errno, -1);
    // Not sticky and world-writable: opening /dev/null for writing would then fail for all but root.
    if (mount_over("tmpfs", target, MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k") != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_DEV, errno, -1);
    close(target);
    int dev = open_in_root(root, "dev", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (dev < 0) slipway_fail(sandbox, SLIPWAY_STAGE_DEV, errno, -1);

    // Nodes cannot be made in a user namespace; the machine's are bound.
    static const char *const nodes[] = {
        "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", NULL};
    for (int i = 0; nodes[i]; i++) {
        int node = openat(dev, nodes[i] + 5, O_CREAT | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (node < 0) slipway_fail(sandbox, SLIPWAY_STAGE_DEV, errno, -1);
        if (bind_over(nodes[i], node, 0) != 0 && i == 0) slipway_fail(sandbox, SLIPWAY_STAGE_DEV, errno, -1);
        close(node);
    }
    static const char *const links[] = {
        "/proc/self/fd", "fd", "/proc/self/fd/0", "stdin", "/proc/self/fd/1", "stdout", "/proc/self/fd/2", "stderr",
        "pts/ptmx", "ptmx", NULL};
    for (int i = 0; links[i]; i += 2) symlinkat(links[i], dev, links[i + 1]);

    mkdirat(dev, "pts", 0755);
    mkdirat(dev, "shm", 01777);
    mkdirat(dev, "mqueue", 01777);
    int pts = is_wanted(sandbox, "/dev/pts") ? -1 : open_in_root(root, "dev/pts", O_PATH | O_DIRECTORY);
    if (pts >= 0) {
        if (mount_over("devpts", pts, MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5") != 0)
            mount_over("devpts", pts, MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
        close(pts);
    }
    int shm = is_wanted(sandbox, "/dev/shm") ? -1 : open_in_root(root, "dev/shm", O_PATH | O_DIRECTORY);
    if (shm >= 0) {
        mount_over("tmpfs", shm, MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k");
        close(shm);
    }
    int queues = is_wanted(sandbox, "/dev/mqueue") ? -1 : open_in_root(root, "dev/mqueue", O_PATH | O_DIRECTORY);
    if (queues >= 0) {
        mount_over("mqueue", queues, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
        close(queues);
    }
    close(dev);
}

// The step's own /dev, and a mount before this one, cover what the image has there: what is to be mounted below gets its place in
// them. In the root itself nothing is made, for it would be in the layer: there the caller makes the places.
static int make_place(int root, const struct slipway_mount *wanted) {
    const char *path = wanted->target;
    while (*path == '/') path++;
    char parent[4096];
    if (strlen(path) >= sizeof parent) return -1;
    struct stat own, source;
    if (fstat(root, &own) != 0) return -1;
    int is_file = wanted->kind == SLIPWAY_MOUNT_CONTENT
                  || (wanted->kind == SLIPWAY_MOUNT_BIND && stat(wanted->source, &source) == 0 && !S_ISDIR(source.st_mode));
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t length = (size_t)(slash - path);
        memcpy(parent, path, length);
        parent[length] = 0;
        int directory = open_in_root(root, parent, O_RDONLY | O_DIRECTORY);
        if (directory < 0) return -1;
        char name[256];
        const char *end = strchr(slash + 1, '/');
        size_t size = end ? (size_t)(end - slash - 1) : strlen(slash + 1);
        if (size == 0 || size >= sizeof name) {
            close(directory);
            return -1;
        }
        memcpy(name, slash + 1, size);
        name[size] = 0;
        struct stat status;
        if (fstat(directory, &status) != 0 || status.st_dev == own.st_dev) {
            close(directory);
            continue;
        }
        if (!end && is_file) {
            int file = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
            if (file >= 0) close(file);
        } else {
            mkdirat(directory, name, 0755);
        }
        close(directory);
    }
    return open_in_root(root, wanted->target, O_PATH);
}

// MARK: Contents

static int write_all(int file, const char *at, size_t size) {
    while (size > 0) {
        ssize_t count = write(file, at, size);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return -1;
        at += count;
        size -= (size_t)count;
    }
    return 0;
}

// Fills a file of ours. Where only one id is mapped, the owner is written down as for all files (owner.c), if the kernel has room
// for that in memory: Linux 6.6.
static int fill(const struct slipway_sandbox *sandbox, int file, const struct slipway_mount *wanted) {
    if (write_all(file, wanted->content, wanted->content_size) != 0) return -1;
    if (sandbox->emulate == SLIPWAY_EMULATE_ROOT) {
        if (wanted->content_uid != 0 || wanted->content_gid != 0) {
            char text[24];
            char *at = slipway_write_number(text, wanted->content_uid);
            *at++ = ':';
            at = slipway_write_number(at, wanted->content_gid);
            fsetxattr(file, "user.slipway.owner", text, (size_t)(at - text), 0);
        }
    } else if (fchown(file, wanted->content_uid, wanted->content_gid) != 0) {
        return -1;
    }
    return fchmod(file, wanted->content_mode);
}

// Makes a file with contents in a directory in memory, and mounts it over `target`. No name of it is left.
static int mount_content(
    const struct slipway_sandbox *sandbox, int memory, int target, const struct slipway_mount *wanted
) {
    static const char name[] = ".content";
    int file = openat(memory, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return -1;
    char source[40];
    descriptor_path(source, file);
    int failed = fill(sandbox, file, wanted) != 0 || bind_over(source, target, 0) != 0;
    int number = errno;
    unlinkat(memory, name, 0);
    close(file);
    errno = number;
    return failed ? -1 : 0;
}

static int has_contents(const struct slipway_sandbox *sandbox) {
    for (int i = 0; i < sandbox->mount_count; i++)
        if (sandbox->mounts[i].kind == SLIPWAY_MOUNT_CONTENT) return 1;
    return 0;
}

// Files on the disk that hold contents.
enum { CONTENT_ROOM = 256 };
static int filled[CONTENT_ROOM];
static int filled_count;

void slipway_erase_contents(void) {
    for (int i = 0; i < filled_count; i++) {
        if (ftruncate(filled[i], 0) != 0) {}
        close(filled[i]);
    }
    filled_count = 0;
}

void slipway_place_contents(const struct slipway_sandbox *sandbox) {
    if (!has_contents(sandbox)) return;
    // For root of a machine. Root of a pod may not, as a rule.
    int memory = -1;
    if (syscall(SYS_unshare, CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
        && mount("tmpfs", sandbox->aside, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") == 0)
        memory = open(sandbox->aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // Not before: mounts of other namespaces cannot be mounted over.
    int root = open(sandbox->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) slipway_fail(sandbox, SLIPWAY_STAGE_ROOT, errno, -1);
    for (int i = 0; i < sandbox->mount_count; i++) {
        const struct slipway_mount *wanted = &sandbox->mounts[i];
        if (wanted->kind != SLIPWAY_MOUNT_CONTENT) continue;
        int target = open_in_root(root, wanted->target, (memory >= 0 ? O_PATH : O_WRONLY) | O_NOFOLLOW);
        int failed = target < 0;
        if (!failed && memory >= 0) {
            failed = mount_content(sandbox, memory, target, wanted) != 0;
            close(target);
        } else if (!failed) {
            if (filled_count == CONTENT_ROOM) slipway_fail(sandbox, SLIPWAY_STAGE_MOUNT, E2BIG, i);
            filled[filled_count++] = target;
            failed = fill(sandbox, target, wanted) != 0;
        }
        if (failed) {
            int number = errno;
            slipway_erase_contents();
            slipway_fail(sandbox, SLIPWAY_STAGE_MOUNT, number, i);
        }
    }
    if (memory >= 0) {
        close(memory);
        umount2(sandbox->aside, MNT_DETACH);
    }
    close(root);
}

static void mount_extra(const struct slipway_sandbox *sandbox, int root, int index) {
    const struct slipway_mount *wanted = &sandbox->mounts[index];
    int target = open_in_root(root, wanted->target, O_PATH);
    if (target < 0) target = make_place(root, wanted);
    if (target < 0) {
        if (wanted->optional) return;
        slipway_fail(sandbox, SLIPWAY_STAGE_MOUNT, errno, index);
    }
    int result;
    if (wanted->kind == SLIPWAY_MOUNT_TMPFS)
        result = mount_over("tmpfs", target, MS_NOSUID | MS_NODEV, wanted->options);
    else if (wanted->kind == SLIPWAY_MOUNT_CONTENT) {
        // The step's own /dev is in memory.
        int memory = open_in_root(root, "dev", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        result = memory < 0 ? -1 : mount_content(sandbox, memory, target, wanted);
        int number = errno;
        if (memory >= 0) close(memory);
        errno = number;
    } else
        result = bind_over(wanted->source, target, MS_REC);
    if (result != 0 && !wanted->optional) slipway_fail(sandbox, SLIPWAY_STAGE_MOUNT, errno, index);
    close(target);
    if (result == 0 && wanted->read_only) {
        int mounted = open_in_root(root, wanted->target, O_PATH);
        if (mounted < 0 || make_read_only(mounted, 1) != 0) slipway_fail(sandbox, SLIPWAY_STAGE_MOUNT, errno, index);
        close(mounted);
    }
}

void slipway_make_root(const struct slipway_sandbox *sandbox) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_PRIVATE_MOUNTS, errno, -1);
    if (sandbox->lower_count > 0)
        mount_overlay(sandbox);
    else if (mount(sandbox->root, sandbox->root, NULL, MS_BIND | MS_REC, NULL) != 0)
        // pivot_root(2) wants a mount point.
        slipway_fail(sandbox, SLIPWAY_STAGE_ROOT, errno, -1);
    int root = open(sandbox->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) slipway_fail(sandbox, SLIPWAY_STAGE_ROOT, errno, -1);
    mount_proc(sandbox, root);
    mount_sys(sandbox, root);
    mount_dev(sandbox, root);
    for (int i = 0; i < sandbox->mount_count; i++) mount_extra(sandbox, root, i);
    // The old root ends up below the new one and is let go of; nothing of it can be reached afterwards.
    if (fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        slipway_fail(sandbox, SLIPWAY_STAGE_PIVOT, errno, -1);
    close(root);
}
