// A broker of system calls: takes the calls that a filter hands over, does for the step what root could, and answers.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulation.h"
#include "listener.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
// Linux 6.6: the answer wakes the step on this processor.
#define SET_FLAGS _IOW('!', 4, uint64_t)
#define SYNC_WAKE_UP 1

struct call {
    const struct seccomp_notif *notif;
    int listener;
    pid_t pid;
    const struct identity *who;
    // The result, where the call succeeds.
    int64_t value;
    // The answer has been sent with a descriptor.
    int is_answered;
};

// A path as the step means it: where it starts, and its text.
struct place {
    int base;
    char path[4096];
};

// The directory of /proc that is ours, and the step's root.
static int processes = -1;
static int root = -1;
// Whether any process of the step may have another root than the step's.
static int some_changed_root = 0;

static uint64_t argument(const struct call *call, int index) { return call->notif->data.args[index]; }

static int is_still_there(const struct call *call) {
    return ioctl(call->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->notif->id) == 0;
}

// "PID/name" or "PID/name/number".
static const char *process_file(pid_t pid, const char *name, int number) {
    static char path[80];
    char *at = slipway_write_number(path, (unsigned long)pid);
    *at++ = '/';
    size_t length = strlen(name);
    memcpy(at, name, length);
    at += length;
    if (number >= 0) {
        *at++ = '/';
        at = slipway_write_number(at, (unsigned long)number);
    }
    *at = 0;
    return path;
}

// MARK: Files of the step

// An O_PATH descriptor of what a descriptor of the step's stands for.
static int open_descriptor(const struct call *call, int descriptor) {
    if (descriptor == AT_FDCWD)
        return openat(processes, process_file(call->pid, "cwd", -1), O_PATH | O_CLOEXEC);
    if (descriptor < 0) return -1;
    return openat(processes, process_file(call->pid, "fd", descriptor), O_PATH | O_CLOEXEC);
}

// Reads the path of an argument, and takes up the step's point of view. Returns 0 or a negative errno; `leave` follows.
static int enter(const struct call *call, int descriptor, uint64_t path, struct place *place) {
    place->base = -1;
    size_t had = 0;
    for (;;) {
        if (had == sizeof place->path) return -ENAMETOOLONG;
        // Never beyond a page's end in one read: the next one need not be there.
        uint64_t address = path + had;
        size_t size = 4096 - (address & 4095);
        if (size > 256 && had == 0) size = 256;
        if (size > sizeof place->path - had) size = sizeof place->path - had;
        if (slipway_read_memory(call->pid, address, place->path + had, size) != 0) return -EFAULT;
        if (memchr(place->path + had, 0, size)) break;
        had += size;
    }
    if (place->path[0] != '/') {
        place->base = open_descriptor(call, descriptor);
        if (place->base < 0) return -EBADF;
    }
    if (some_changed_root) {
        int own = openat(processes, process_file(call->pid, "root", -1), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (own < 0 || fchdir(own) != 0 || chroot(".") != 0) {
            if (own >= 0) close(own);
            if (place->base >= 0) close(place->base);
            fchdir(processes);
            return -ESRCH;
        }
        close(own);
        fchdir(processes);
    }
    if (is_still_there(call)) return 0;
    if (place->base >= 0) close(place->base);
    return -ESRCH;
}

static void leave(struct place *place) {
    if (place->base >= 0) close(place->base);
    place->base = -1;
    if (some_changed_root && fchdir(root) == 0) {
        chroot(".");
        fchdir(processes);
    }
}

static int open_place(const struct place *place, int flags, uint64_t resolve) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (uint64_t)(unsigned int)flags | O_PATH | O_CLOEXEC;
    how.resolve = resolve;
    int base = place->base >= 0 ? place->base : AT_FDCWD;
    return (int)syscall(SYS_openat2, base, place->path, &how, sizeof how);
}

// The number of the descriptor that /dev/stdout and its like stand for, also by way of links to them (as logs in images often
// are); -1 for other paths. For us /proc/self is somebody else, or nobody.
static int own_descriptor(const struct place *place, int is_link_meant) {
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr", "/proc/self/fd/", "/dev/fd/"};
    static char path[4096];
    memcpy(path, place->path, sizeof path);
    int base = place->base >= 0 ? place->base : AT_FDCWD;
    for (int links = 0; links < 8 && !is_link_meant; links++) {
        for (int i = 0; i < 3; i++)
            if (strcmp(path, names[i]) == 0) return i;
        for (int i = 3; i < 5; i++) {
            size_t length = strlen(names[i]);
            if (strncmp(path, names[i], length) != 0 || path[length] < '0' || path[length] > '9') continue;
            int number = 0;
            for (const char *at = path + length; *at >= '0' && *at <= '9' && number < 1 << 20; at++)
                number = number * 10 + (*at - '0');
            return number;
        }
        static char target[4096];
        ssize_t size = readlinkat(base, path, target, sizeof target - 1);
        if (size <= 0 || target[0] != '/') return -1;
        target[size] = 0;
        memcpy(path, target, (size_t)size + 1);
    }
    return -1;
}

// The file that a call names, as an O_PATH descriptor, or a negative errno. The links of /proc are not followed (ELOOP):
// they are other files for us than for the step.
static int open_file(const struct call *call, int descriptor, uint64_t path, int flags) {
    static struct place place;
    if (path == 0 && flags & AT_EMPTY_PATH) {
        // Since Linux 6.11, no path at all is as good as an empty one.
        int file = open_descriptor(call, descriptor);
        return file >= 0 ? file : -EBADF;
    }
    int error = enter(call, descriptor, path, &place);
    if (error != 0) return error;
    int file;
    if (place.path[0] == 0 && flags & AT_EMPTY_PATH) {
        file = place.base;
        place.base = -1;
    } else {
        file = open_place(&place, flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0, RESOLVE_NO_MAGICLINKS);
        if (file < 0) file = -errno;
        if (file == -ELOOP || file == -ENOENT) {
            int open = own_descriptor(&place, flags & AT_SYMLINK_NOFOLLOW);
            if (open >= 0) {
                leave(&place);
                file = open_descriptor(call, open);
                return file >= 0 ? file : -EBADF;
            }
        }
    }
    leave(&place);
    return file;
}

// Whether a file is of the step's root, and not of something that is mounted in it.
static int is_in_root(const struct stat *status) {
    struct stat top;
    return fstat(root, &top) == 0 && top.st_dev == status->st_dev;
}

// What the kernel tells of a process; empty where it is gone.
static const char *status_of(pid_t pid) {
    static char text[4096];
    text[0] = 0;
    int file = openat(processes, process_file(pid, "status", -1), O_RDONLY | O_CLOEXEC);
    if (file < 0) return text;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = 0;
    return text;
}

static mode_t mask_of(pid_t pid) {
    const char *at = strstr(status_of(pid), "Umask:");
    if (at == NULL) return 022;
    mode_t mask = 0;
    for (at += 6; *at == '\t' || *at == ' '; at++) {}
    for (; *at >= '0' && *at <= '7'; at++) mask = mask * 8 + (mode_t)(*at - '0');
    return mask & 0777;
}

// MARK: Owners

static int is_member(const struct identity *who, uint32_t group) {
    if (who->gid[FILES] == group || who->gid[EFFECTIVE] == group) return 1;
    for (uint32_t i = 0; i < who->group_count; i++)
        if (who->groups[i] == group) return 1;
    return 0;
}

static int change_owner(const struct call *call, int file, uint32_t uid, uint32_t gid) {
    struct stat status;
    struct owner owner;
    if (fstat(file, &status) != 0) return -errno;
    slipway_read_owner(file, &status, &owner);
    if (call->who->uid[FILES] != 0) {
        if (uid != UINT32_MAX && (uid != owner.uid || owner.uid != call->who->uid[FILES])) return -EPERM;
        if (gid != UINT32_MAX && (owner.uid != call->who->uid[FILES] || (gid != owner.gid && !is_member(call->who, gid))))
            return -EPERM;
    }
    if (uid != UINT32_MAX) owner.uid = uid;
    if (gid != UINT32_MAX) owner.gid = gid;
    // The kernel's part, which takes setuid and capabilities away from what is not a directory, and tells the time. It takes
    // away where the owner of a link is written, too: so it comes first.
    if (fchownat(file, "", 0, 0, AT_EMPTY_PATH) != 0 && is_in_root(&status)) return -errno;
    int result = slipway_write_owner(file, &status, &owner);
    // What is mounted into the root may have no room for owners; it is in no layer.
    return result != 0 && !is_in_root(&status) ? 0 : result;
}

static int answer_chown(struct call *call, int descriptor, uint64_t path, uint32_t uid, uint32_t gid, int flags) {
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return -EINVAL;
    int file = open_file(call, descriptor, path, flags);
    if (file < 0) return file;
    int result = change_owner(call, file, uid, gid);
    close(file);
    return result;
}

static int answer_fchown(struct call *call) {
    int file = open_descriptor(call, (int)argument(call, 0));
    if (file < 0) return GO_ON;
    if (!is_still_there(call)) return close(file), -ESRCH;
    int result = change_owner(call, file, (uint32_t)argument(call, 1), (uint32_t)argument(call, 2));
    close(file);
    return result;
}

// The mode of a device node is written down with it; every other file has its own.
static int answer_chmod(int file, mode_t mode) {
    if (file < 0) return GO_ON;
    struct stat status;
    struct owner owner;
    int result = GO_ON;
    if (fstat(file, &status) == 0 && slipway_read_owner(file, &status, &owner) == 1 && owner.node_mode != 0) {
        owner.node_mode = (owner.node_mode & S_IFMT) | (mode & 07777);
        result = slipway_write_owner(file, &status, &owner);
    }
    close(file);
    return result;
}

// MARK: What stat tells

static int answer_stat(struct call *call, int file, uint64_t to) {
    if (file < 0) return GO_ON;
    struct stat status;
    struct owner owner;
    int result = GO_ON;
    if (fstat(file, &status) == 0 && slipway_read_owner(file, &status, &owner) == 1) {
        status.st_uid = owner.uid;
        status.st_gid = owner.gid;
        if (owner.node_mode != 0) {
            status.st_mode = owner.node_mode;
            status.st_rdev = owner.node_device;
            status.st_size = 0;
        }
        result = slipway_write_memory(call->pid, to, &status, sizeof status) == 0 ? 0 : -EFAULT;
    }
    close(file);
    return result;
}

static int answer_statx(struct call *call) {
    int flags = (int)argument(call, 2);
    int file = open_file(call, (int)argument(call, 0), argument(call, 1), flags);
    if (file < 0) return GO_ON;
    struct stat plain;
    struct statx status;
    struct owner owner;
    int result = GO_ON;
    if (fstat(file, &plain) == 0 && slipway_read_owner(file, &plain, &owner) == 1
        && syscall(SYS_statx, file, "", AT_EMPTY_PATH, (unsigned int)argument(call, 3), &status) == 0) {
        status.stx_uid = owner.uid;
        status.stx_gid = owner.gid;
        if (owner.node_mode != 0) {
            status.stx_mode = (uint16_t)owner.node_mode;
            status.stx_rdev_major = major(owner.node_device);
            status.stx_rdev_minor = minor(owner.node_device);
            status.stx_size = 0;
        }
        result = slipway_write_memory(call->pid, argument(call, 4), &status, sizeof status) == 0 ? 0 : -EFAULT;
    }
    close(file);
    return result;
}

// MARK: New files

// Who owns what a process makes in the directory of a place: itself, and in a setgid directory that one's group.
static struct owner maker(const struct call *call, const struct place *place) {
    struct owner owner = {call->who->uid[FILES], call->who->gid[FILES], 0, 0};
    static struct place above;
    above.base = place->base;
    size_t length = strlen(place->path);
    memcpy(above.path, place->path, length + 1);
    while (length > 1 && above.path[length - 1] == '/') above.path[--length] = 0;
    char *slash = strrchr(above.path, '/');
    if (slash == NULL)
        memcpy(above.path, ".", 2);
    else
        slash[slash == above.path ? 1 : 0] = 0;
    int directory = open_place(&above, O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
    if (directory < 0) return owner;
    struct stat status;
    struct owner group;
    if (fstat(directory, &status) == 0 && status.st_mode & S_ISGID) {
        slipway_read_owner(directory, &status, &group);
        owner.gid = group.gid;
    }
    close(directory);
    return owner;
}

static int is_root(const struct owner *owner) { return owner->uid == 0 && owner->gid == 0 && owner->node_mode == 0; }

static int write_down(int file, const struct owner *owner) {
    struct stat status;
    if (fstat(file, &status) != 0) return -errno;
    int result = slipway_write_owner(file, &status, owner);
    return result != 0 && !is_in_root(&status) ? 0 : result;
}

enum new_kind { NEW_DIRECTORY, NEW_LINK, NEW_NODE };

// mkdir, symlink, mknod. Root's files are root's when the kernel makes them.
static int answer_new(
    struct call *call, enum new_kind kind, int descriptor, uint64_t path, mode_t mode, uint64_t device, uint64_t target
) {
    static struct place place;
    static char text[4096];
    int is_device = kind == NEW_NODE && (S_ISCHR(mode) || S_ISBLK(mode));
    if (is_device && call->who->uid[FILES] != 0) return -EPERM;
    if (kind == NEW_LINK) {
        static struct place link;
        // Only the text is wanted; a link may say anything.
        if (enter(call, AT_FDCWD, target, &link) != 0) return GO_ON;
        leave(&link);
        memcpy(text, link.path, sizeof text);
    }
    int error = enter(call, descriptor, path, &place);
    if (error != 0) return error == -EFAULT || error == -EBADF || error == -ENAMETOOLONG ? GO_ON : error;
    struct owner owner = maker(call, &place);
    int result = GO_ON;
    if (!is_root(&owner) || is_device) {
        mode_t masked = mode & 07777 & ~mask_of(call->pid);
        int base = place.base >= 0 ? place.base : AT_FDCWD;
        if (kind == NEW_DIRECTORY) {
            result = mkdirat(base, place.path, masked);
        } else if (kind == NEW_LINK) {
            result = symlinkat(text, base, place.path);
        } else if (is_device) {
            owner.node_mode = (mode & S_IFMT) | masked;
            owner.node_device = device;
            result = mknodat(base, place.path, S_IFREG | 0600, 0);
        } else {
            result = mknodat(base, place.path, (mode & S_IFMT) | masked, 0);
        }
        if (result != 0) {
            result = -errno;
        } else {
            int file = open_place(&place, O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
            result = file < 0 ? -errno : write_down(file, &owner);
            if (file >= 0) close(file);
        }
    }
    leave(&place);
    return result;
}

// MARK: Device nodes

// Whether a process may make device nodes, as far as the step's own rights go, and with which group.
static int may_make_nodes(pid_t pid, uint32_t *group) {
    const char *text = status_of(pid);
    // Of the four ids in a line, the last is that for files.
    uint32_t ids[2] = {UINT32_MAX, UINT32_MAX};
    static const char *const names[] = {"\nUid:", "\nGid:"};
    for (int i = 0; i < 2; i++) {
        const char *at = strstr(text, names[i]);
        if (at == NULL) return 0;
        at += 5;
        for (int field = 0; field < 4; field++) {
            while (*at == '\t' || *at == ' ') at++;
            uint32_t number = 0;
            for (; *at >= '0' && *at <= '9'; at++) number = number * 10 + (uint32_t)(*at - '0');
            ids[i] = number;
        }
    }
    const char *at = strstr(text, "\nCapEff:");
    if (at == NULL || ids[0] != 0) return 0;
    uint64_t capabilities = 0;
    for (at += 8; *at == '\t' || *at == ' '; at++) {}
    for (; (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f'); at++)
        capabilities = capabilities << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    *group = ids[1];
    return (int)(capabilities >> 27 & 1);
}

// Where owners are real: an empty file with the owner and the mode that the node has, and what it is written down.
static int answer_device(struct call *call, int descriptor, uint64_t path, mode_t mode, uint64_t device) {
    static struct place place;
    uint32_t group;
    // A character device 0:0 is overlay's own mark.
    if (device == 0 || !may_make_nodes(call->pid, &group)) return GO_ON;
    mode_t masked = mode & 07777 & ~mask_of(call->pid);
    int error = enter(call, descriptor, path, &place);
    if (error != 0) return error == -EFAULT || error == -EBADF || error == -ENAMETOOLONG ? GO_ON : error;
    int base = place.base >= 0 ? place.base : AT_FDCWD;
    int result = mknodat(base, place.path, S_IFREG | 0600, 0) == 0 ? 0 : -errno;
    int file = result == 0 ? open_place(&place, O_NOFOLLOW, RESOLVE_NO_MAGICLINKS) : -1;
    leave(&place);
    if (result != 0) return result;
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        result = -errno;
    } else {
        // A setgid directory gives its own group.
        if (group != 0 && status.st_gid == 0) fchownat(file, "", (uid_t)-1, group, AT_EMPTY_PATH);
        struct owner node = {0, 0, (mode & S_IFMT) | masked, device};
        result = write_down(file, &node);
        if (fchmodat(AT_FDCWD, process_file(getpid(), "fd", file), masked, 0) != 0 && result == 0) result = -errno;
    }
    if (file >= 0) close(file);
    return result;
}

static int send_descriptor(struct call *call, int file, int flags) {
    struct seccomp_notif_addfd added;
    memset(&added, 0, sizeof added);
    added.id = call->notif->id;
    added.srcfd = (uint32_t)file;
    added.newfd_flags = (uint32_t)flags & O_CLOEXEC;
#ifdef SECCOMP_ADDFD_FLAG_SEND
    added.flags = SECCOMP_ADDFD_FLAG_SEND;
    if (ioctl(call->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &added) >= 0) {
        call->is_answered = 1;
        return 0;
    }
    if (errno != EINVAL) return -errno;
    added.flags = 0;
#endif
    int number = ioctl(call->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &added);
    if (number < 0) return -errno;
    call->value = number;
    return 0;
}

// An open that may make a file. One that is there, the kernel opens.
static int answer_open(struct call *call, int descriptor, uint64_t path, int flags, mode_t mode) {
    static struct place place;
    if (!(flags & O_CREAT) || flags & O_PATH || (flags & O_TMPFILE) == O_TMPFILE) return GO_ON;
    if (enter(call, descriptor, path, &place) != 0) return GO_ON;
    int result = GO_ON;
    struct owner owner = maker(call, &place);
    if (!is_root(&owner)) {
        int present = open_place(&place, flags & (O_NOFOLLOW | O_EXCL) ? O_NOFOLLOW : 0, RESOLVE_NO_MAGICLINKS);
        if (present >= 0) {
            close(present);
        } else if (errno == ENOENT) {
            int base = place.base >= 0 ? place.base : AT_FDCWD;
            int file = openat(base, place.path, flags | O_CLOEXEC | O_NOCTTY, mode & 07777 & ~mask_of(call->pid));
            if (file < 0) {
                result = -errno;
            } else {
                result = write_down(file, &owner);
                if (result == 0) result = send_descriptor(call, file, flags);
                close(file);
            }
        }
    }
    leave(&place);
    return result;
}

// MARK: Programs

// A program with the setuid bit runs as its owner.
static int answer_exec(struct call *call, int descriptor, uint64_t path, int flags) {
    int file = open_file(call, descriptor, path, flags);
    struct stat status;
    static struct identity next;
    next = *call->who;
    next.capabilities = 0;
    if (file >= 0) {
        if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_mode & (S_ISUID | S_ISGID)
            && status.st_mode & 0111) {
            struct owner owner;
            slipway_read_owner(file, &status, &owner);
            if (status.st_mode & S_ISUID) next.uid[EFFECTIVE] = owner.uid;
            if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) next.gid[EFFECTIVE] = owner.gid;
        }
        close(file);
        next.uid[SAVED] = next.uid[FILES] = next.uid[EFFECTIVE];
        next.gid[SAVED] = next.gid[FILES] = next.gid[EFFECTIVE];
        if (memcmp(&next, call->who, sizeof next) != 0) slipway_set_identity(call->pid, &next);
    }
    return GO_ON;
}

// Whether the process's capabilities outlive its being root. The kernel notes it too.
static int answer_keep(struct call *call) {
    static struct identity next;
    next = *call->who;
    next.capabilities &= ~(uint32_t)KEEPS_CAPABILITIES;
    if (argument(call, 1) == 1) next.capabilities |= KEEPS_CAPABILITIES;
    if (memcmp(&next, call->who, sizeof next) != 0) slipway_set_identity(call->pid, &next);
    return GO_ON;
}

// MARK: The calls

static int answer(struct call *call) {
    const struct seccomp_data *data = &call->notif->data;
    if (slipway_is_identity_call(data->nr)) return slipway_identity_call(call->notif, &call->value);
    call->who = slipway_identity_of(call->pid);
    const uint64_t *arguments = (const uint64_t *)data->args;
#define INT(n) ((int)arguments[n])
#define ID(n) ((uint32_t)arguments[n])
    switch (data->nr) {
    case SYS_fchown: return answer_fchown(call);
    case SYS_fchownat: return answer_chown(call, INT(0), arguments[1], ID(2), ID(3), INT(4));
    case SYS_fchmod: return answer_chmod(open_descriptor(call, INT(0)), ID(1));
    case SYS_fchmodat: return answer_chmod(open_file(call, INT(0), arguments[1], 0), ID(2));
    case SYS_fchmodat2: return answer_chmod(open_file(call, INT(0), arguments[1], INT(3)), ID(2));
    case SYS_mknodat: return answer_new(call, NEW_NODE, INT(0), arguments[1], ID(2), ID(3), 0);
    case SYS_mkdirat: return answer_new(call, NEW_DIRECTORY, INT(0), arguments[1], ID(2), 0, 0);
    case SYS_symlinkat: return answer_new(call, NEW_LINK, INT(1), arguments[2], 0, 0, arguments[0]);
    case SYS_openat: return answer_open(call, INT(0), arguments[1], INT(2), ID(3));
    case SYS_openat2: {
        struct open_how how;
        if (arguments[3] < sizeof how || slipway_read_memory(call->pid, arguments[2], &how, sizeof how) != 0) return GO_ON;
        // Rules for the way to the file are the kernel's to keep.
        if (how.resolve != 0) return GO_ON;
        return answer_open(call, INT(0), arguments[1], (int)how.flags, (mode_t)how.mode);
    }
    case SYS_fstat: return answer_stat(call, open_descriptor(call, INT(0)), arguments[1]);
    case SYS_newfstatat: return answer_stat(call, open_file(call, INT(0), arguments[1], INT(3)), arguments[2]);
    case SYS_statx: return answer_statx(call);
    case SYS_execve: return answer_exec(call, AT_FDCWD, arguments[0], 0);
    case SYS_execveat: return answer_exec(call, INT(0), arguments[1], INT(4));
    case SYS_prctl: return answer_keep(call);
    case SYS_chroot: some_changed_root = 1; return GO_ON;
#ifdef __x86_64__
    case SYS_chown: return answer_chown(call, AT_FDCWD, arguments[0], ID(1), ID(2), 0);
    case SYS_lchown: return answer_chown(call, AT_FDCWD, arguments[0], ID(1), ID(2), AT_SYMLINK_NOFOLLOW);
    case SYS_chmod: return answer_chmod(open_file(call, AT_FDCWD, arguments[0], 0), ID(1));
    case SYS_mknod: return answer_new(call, NEW_NODE, AT_FDCWD, arguments[0], ID(1), ID(2), 0);
    case SYS_mkdir: return answer_new(call, NEW_DIRECTORY, AT_FDCWD, arguments[0], ID(1), 0, 0);
    case SYS_symlink: return answer_new(call, NEW_LINK, AT_FDCWD, arguments[1], 0, 0, arguments[0]);
    case SYS_open: return answer_open(call, AT_FDCWD, arguments[0], INT(1), ID(2));
    case SYS_creat: return answer_open(call, AT_FDCWD, arguments[0], O_CREAT | O_WRONLY | O_TRUNC, ID(1));
    case SYS_stat: return answer_stat(call, open_file(call, AT_FDCWD, arguments[0], 0), arguments[1]);
    case SYS_lstat: return answer_stat(call, open_file(call, AT_FDCWD, arguments[0], AT_SYMLINK_NOFOLLOW), arguments[1]);
#endif
    default: return GO_ON;
    }
#undef INT
#undef ID
}

// The same where only device nodes are handed over.
static int answer_for_nodes(struct call *call) {
    const struct seccomp_data *data = &call->notif->data;
    switch (data->nr) {
    case SYS_mknodat:
        return answer_device(call, (int)data->args[0], data->args[1], (mode_t)data->args[2], (uint32_t)data->args[3]);
#ifdef __x86_64__
    case SYS_mknod: return answer_device(call, AT_FDCWD, data->args[0], (mode_t)data->args[1], (uint32_t)data->args[2]);
#endif
    case SYS_chroot: some_changed_root = 1; return GO_ON;
    default: return GO_ON;
    }
}

static void serve(int listener, int emulation) {
    const struct seccomp_notif *notif = slipway_take_call(listener);
    if (notif == NULL) return;
    struct call call = {notif, listener, (pid_t)notif->pid, NULL, 0, 0};
    int result = emulation == SLIPWAY_EMULATE_NODES ? answer_for_nodes(&call) : answer(&call);
    if (!call.is_answered) slipway_give_answer(listener, notif->id, result, call.value);
}

void slipway_answer_calls(int listener, pid_t init, int proc, int emulation) {
    processes = proc;
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    fchdir(processes);
    umask(0);
    uint64_t flags = SYNC_WAKE_UP;
    ioctl(listener, SET_FLAGS, &flags);
    // Blocked since before the clone.
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, SIGTERM);
    struct pollfd polled[3] = {
        {slipway_pidfd_open(init), POLLIN, 0}, {listener, POLLIN, 0}, {signalfd(-1, &told, SFD_CLOEXEC), POLLIN, 0}};
    for (;;) {
        if (poll(polled, 3, -1) < 0 && errno != EINTR) break;
        // The agent has seen the end, or wants it.
        if (polled[2].revents) break;
        if (polled[1].revents & POLLIN)
            serve(listener, emulation);
        else if (polled[1].revents)
            polled[1].fd = -1;
        if (polled[0].revents) break;
    }
    if (listener >= 0) close(listener);
    kill(init, SIGKILL);
    // The first process of a pid namespace is gone when all the others are. So nobody writes any more when we end.
    int status;
    while (waitpid(init, &status, 0) < 0 && errno == EINTR) {}
    _exit(0);
}
