#include "guard.h"

#include <linux/audit.h>
#include <stddef.h>

// x86-64, i386, arm64, arm: numbers never change. scmp_sys_resolver(1) knows them all.
const struct rule slipway_rules[] = {
    // Keys are not in any namespace.
    {"add_key", {248, 286, 217, 309}, NEVER},
    {"keyctl", {250, 288, 219, 311}, NEVER},
    {"request_key", {249, 287, 218, 310}, NEVER},

    // New namespaces are new ways into the kernel.
    {"clone", {56, 120, 220, 120}, CLONE_FLAGS},
    // Its flags are in memory, where no filter sees them.
    {"clone3", {435, 435, 435, 435}, UNKNOWN},
    {"unshare", {272, 310, 97, 337}, UNSHARE_FLAGS},
    {"setns", {308, 346, 268, 375}, NEVER},
    {"mount", {165, 21, 40, 21}, NEVER},
    {"umount", {-1, 22, -1, -1}, NEVER},
    {"umount2", {166, 52, 39, 52}, NEVER},
    {"pivot_root", {155, 217, 41, 218}, NEVER},
    {"open_tree", {428, 428, 428, 428}, NEVER},
    {"move_mount", {429, 429, 429, 429}, NEVER},
    {"fsopen", {430, 430, 430, 430}, NEVER},
    {"fsconfig", {431, 431, 431, 431}, NEVER},
    {"fsmount", {432, 432, 432, 432}, NEVER},
    {"fspick", {433, 433, 433, 433}, NEVER},
    {"mount_setattr", {442, 442, 442, 442}, NEVER},

    // Parts of the kernel that many weaknesses were found in, and that no build needs.
    {"bpf", {321, 357, 280, 386}, NEVER},
    {"perf_event_open", {298, 336, 241, 364}, NEVER},
    {"userfaultfd", {323, 374, 282, 388}, NEVER},
    {"io_uring_setup", {425, 425, 425, 425}, UNKNOWN},
    {"io_uring_enter", {426, 426, 426, 426}, UNKNOWN},
    {"io_uring_register", {427, 427, 427, 427}, UNKNOWN},
    {"fanotify_init", {300, 338, 262, 367}, NEVER},
    {"lookup_dcookie", {212, 253, 18, 249}, NEVER},
    {"open_by_handle_at", {304, 342, 265, 371}, NEVER},
    {"quotactl", {179, 131, 60, 131}, NEVER},
    {"quotactl_fd", {443, 443, 443, 443}, NEVER},
    {"socket", {41, 359, 198, 281}, SOCKET_FAMILY},
    // Arguments in memory; C libraries of today have socket(2) for it on i386 too.
    {"socketcall", {-1, 102, -1, -1}, UNKNOWN},
    {"personality", {135, 136, 92, 136}, PERSONALITY},
    {"ioctl", {16, 54, 29, 54}, IOCTL_REQUEST},
    {"lsm_set_self_attr", {460, 460, 460, 460}, NEVER},

    // The machine itself.
    {"acct", {163, 51, 89, 51}, NEVER},
    {"clock_settime", {227, 264, 112, 262}, NEVER},
    {"clock_settime64", {-1, 404, -1, 404}, NEVER},
    {"settimeofday", {164, 79, 170, 79}, NEVER},
    {"stime", {-1, 25, -1, -1}, NEVER},
    {"init_module", {175, 128, 105, 128}, NEVER},
    {"finit_module", {313, 350, 273, 379}, NEVER},
    {"delete_module", {176, 129, 106, 129}, NEVER},
    {"ioperm", {173, 101, -1, -1}, NEVER},
    {"iopl", {172, 110, -1, -1}, NEVER},
    {"kexec_load", {246, 283, 104, 347}, NEVER},
    {"kexec_file_load", {320, -1, 294, 401}, NEVER},
    {"reboot", {169, 88, 142, 88}, NEVER},
    {"sethostname", {170, 74, 161, 74}, NEVER},
    {"setdomainname", {171, 121, 162, 121}, NEVER},
    {"swapon", {167, 87, 224, 87}, NEVER},
    {"swapoff", {168, 115, 225, 115}, NEVER},
    {"syslog", {103, 103, 116, 103}, NEVER},
    {"vhangup", {153, 111, 58, 111}, NEVER},
    {"vm86", {-1, 166, -1, -1}, NEVER},
    {"vm86old", {-1, 113, -1, -1}, NEVER},
    {"_sysctl", {156, 149, -1, 149}, NEVER},
    {"sysfs", {139, 135, -1, 135}, NEVER},
    {"uselib", {134, 86, -1, 86}, NEVER},
    {"ustat", {136, 62, -1, 62}, NEVER},
    {"nfsservctl", {180, 169, 42, 169}, NEVER},

    // Where memory lies, of this process and of others.
    {"get_mempolicy", {239, 275, 236, 320}, NEVER},
    {"set_mempolicy", {238, 276, 237, 321}, NEVER},
    {"set_mempolicy_home_node", {450, 450, 450, 450}, NEVER},
    {"mbind", {237, 274, 235, 319}, NEVER},
    {"migrate_pages", {256, 294, 238, 400}, NEVER},
    {"move_pages", {279, 317, 239, 344}, NEVER},

    // Other processes.
    {"kcmp", {312, 349, 272, 378}, NEVER},
    {"pidfd_getfd", {438, 438, 438, 438}, NEVER},
    {"process_madvise", {440, 440, 440, 440}, NEVER},
    {"ptrace", {101, 26, 117, 26}, ATTACH},
    {"process_vm_readv", {310, 347, 270, 376}, TRACE},
    {"process_vm_writev", {311, 348, 271, 377}, TRACE},
    {"prlimit64", {302, 340, 261, 369}, OWN_PROCESS},
    {"sched_setparam", {142, 154, 118, 154}, OWN_PROCESS},
    {"sched_setscheduler", {144, 156, 119, 156}, OWN_PROCESS},
    {"sched_setaffinity", {203, 241, 122, 241}, OWN_PROCESS},
    {"sched_setattr", {314, 351, 274, 380}, OWN_PROCESS},
    {"setpriority", {141, 97, 140, 97}, OWN_PRIORITY},
    {"ioprio_set", {251, 289, 30, 314}, OWN_IO_PRIORITY},
    {"kill", {62, 37, 129, 37}, SIGNAL},
    {"tkill", {200, 238, 130, 238}, SIGNAL},
    {"tgkill", {234, 270, 131, 268}, SIGNAL_THREAD},
    {"rt_sigqueueinfo", {129, 178, 138, 178}, SIGNAL},
    {"rt_tgsigqueueinfo", {297, 335, 240, 363}, SIGNAL_THREAD},
    {"pidfd_open", {434, 434, 434, 434}, PROCESS_DESCRIPTOR},
    {"pidfd_send_signal", {424, 424, 424, 424}, PROCESS_DESCRIPTOR},
    {"fcntl", {72, 55, 25, 55}, DESCRIPTOR_OWNER},
    {"fcntl64", {-1, 221, -1, 221}, DESCRIPTOR_OWNER},
};

const int slipway_rule_count = sizeof slipway_rules / sizeof *slipway_rules;

static const uint32_t architectures[SLIPWAY_ABIS] = {
    AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM};

const struct rule *slipway_rule_of(uint32_t architecture, int number) {
    for (int abi = 0; abi < SLIPWAY_ABIS; abi++) {
        if (architectures[abi] != architecture) continue;
        for (int i = 0; i < slipway_rule_count; i++)
            if (slipway_rules[i].numbers[abi] == number) return &slipway_rules[i];
    }
    return NULL;
}
