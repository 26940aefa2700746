// libgit2, loaded when git is used and not when the process starts: with the libraries that it brings, loading it takes
// 3 ms of processor time, and most commands need none of it.
//
// Each function of functions.h is a jump through a pointer of its own, as a call through the procedure linkage table is.
// Until the library is loaded, the pointers lead to missing(), which ends the process.

#include "CGit2.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The library whose header this was compiled with; no other has the same layouts.
#define LIBRARY "libgit2.so." LIBGIT2_SOVERSION

// The jump, by the one register that a call does not keep and no argument is in.
#if defined(__x86_64__)
#define JUMP(name) "  endbr64\n  jmp *slipway_git2_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) \
    "  hint #34\n" /* bti c */ \
    "  adrp x16, slipway_git2_" #name "\n" \
    "  ldr x16, [x16, :lo12:slipway_git2_" #name "]\n" \
    "  br x16\n"
#else
#error "CGit2 knows how to jump on x86-64 and arm64 only: add this processor's instructions to JUMP"
#endif

static void missing(void) {
    static const char text[] = "slipway: a function of libgit2 was called before the library was loaded\n";
    fwrite(text, 1, sizeof text - 1, stderr);
    abort();
}

#define FUNCTION(name) \
    __attribute__((visibility("hidden"))) void (*slipway_git2_##name)(void) = missing; \
    __asm__( \
        "  .pushsection .text\n" \
        "  .p2align 4\n" \
        "  .globl " #name "\n" \
        "  .hidden " #name "\n" \
        "  .type " #name ", %function\n" \
        #name ":\n" \
        "  .cfi_startproc\n" \
        JUMP(name) \
        "  .cfi_endproc\n" \
        "  .size " #name ", . - " #name "\n" \
        "  .popsection\n");
#include "functions.h"
#undef FUNCTION

static const struct {
    const char *name;
    void (**pointer)(void);
} functions[] = {
#define FUNCTION(name) {#name, &slipway_git2_##name},
#include "functions.h"
#undef FUNCTION
};

static void *library;
static char failure[512];

static void load(void) {
    void *opened = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
    if (!opened) {
        const char *reason = dlerror();
        snprintf(failure, sizeof failure, "%s", reason ? reason : LIBRARY " cannot be loaded");
        return;
    }
    // All of them or none: a library that lacks one is not the library of the header.
    for (size_t index = 0; index < sizeof functions / sizeof functions[0]; index++) {
        if (dlsym(opened, functions[index].name)) continue;
        snprintf(failure, sizeof failure, LIBRARY " has no function %s", functions[index].name);
        dlclose(opened);
        return;
    }
    for (size_t index = 0; index < sizeof functions / sizeof functions[0]; index++) {
        void *address = dlsym(opened, functions[index].name);
        memcpy(functions[index].pointer, &address, sizeof address);
    }
    library = opened;
}

const char *slipway_git2_load(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return library ? NULL : failure;
}

const char *slipway_git2_library(void) { return LIBRARY; }

void *slipway_git2_symbol(const char *name) { return library ? dlsym(library, name) : NULL; }
