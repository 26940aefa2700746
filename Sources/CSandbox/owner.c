#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "emulation.h"

// Archive/OwnershipRecord.swift reads and writes the same.
static const char attribute[] = "user.slipway.owner";

// Links, fifos and sockets may have no user attributes. The one attribute that the owner of a namespace may give to any file
// are capabilities, which mean nothing on what cannot be executed: so the owner is told in their numbers.
static const char capabilities[] = "security.capability";
struct marker {
    uint32_t revision;
    uint32_t uid;
    uint32_t gid;
    uint32_t sign;
    uint32_t zero;
};
enum { REVISION_2 = 0x02000000, SIGN = 0x4f777241 };

static int takes_attributes(const struct stat *status) { return S_ISREG(status->st_mode) || S_ISDIR(status->st_mode); }

// Attributes of a descriptor that is only a place: through /proc, which is the working directory.
static const char *name_of(int file) {
    static char name[40];
    memcpy(name, "self/fd/", 8);
    *slipway_write_number(name + 8, (unsigned long)file) = 0;
    return name;
}

static const char *read_number(const char *at, const char *end, uint64_t *number) {
    if (at == end || *at < '0' || *at > '9') return NULL;
    for (*number = 0; at < end && *at >= '0' && *at <= '9'; at++) *number = *number * 10 + (uint64_t)(*at - '0');
    return at;
}

// Returns 1 and the owner when one is written down, 0 when the file is root's.
int slipway_read_owner(int file, const struct stat *status, struct owner *owner) {
    memset(owner, 0, sizeof *owner);
    if (!takes_attributes(status)) {
        struct marker marker[2];
        ssize_t size = getxattr(name_of(file), capabilities, marker, sizeof marker);
        if (size < (ssize_t)sizeof *marker || marker->sign != SIGN) return 0;
        owner->uid = marker->uid;
        owner->gid = marker->gid;
        return 1;
    }
    char text[64];
    ssize_t size = getxattr(name_of(file), attribute, text, sizeof text);
    if (size <= 0) return 0;
    uint64_t numbers[4] = {0, 0, 0, 0};
    const char *at = text, *end = text + size;
    int count = 0;
    while (count < 4 && (at = read_number(at, end, &numbers[count])) != NULL) {
        count++;
        if (at == end || *at != ':') break;
        at++;
    }
    if (count != 2 && count != 4) return 0;
    owner->uid = (uint32_t)numbers[0];
    owner->gid = (uint32_t)numbers[1];
    owner->node_mode = (uint32_t)numbers[2];
    owner->node_device = numbers[3];
    return 1;
}

int slipway_write_owner(int file, const struct stat *status, const struct owner *owner) {
    const char *name = name_of(file);
    int is_root = owner->uid == 0 && owner->gid == 0 && owner->node_mode == 0;
    if (is_root) {
        if (removexattr(name, takes_attributes(status) ? attribute : capabilities) == 0 || errno == ENODATA) return 0;
        return -errno;
    }
    if (!takes_attributes(status)) {
        struct marker marker = {REVISION_2, owner->uid, owner->gid, SIGN, 0};
        return setxattr(name, capabilities, &marker, sizeof marker, 0) == 0 ? 0 : -errno;
    }
    char text[64];
    char *at = slipway_write_number(text, owner->uid);
    *at++ = ':';
    at = slipway_write_number(at, owner->gid);
    if (owner->node_mode != 0) {
        *at++ = ':';
        at = slipway_write_number(at, owner->node_mode);
        *at++ = ':';
        at = slipway_write_number(at, owner->node_device);
    }
    return setxattr(name, attribute, text, (size_t)(at - text), 0) == 0 ? 0 : -errno;
}
