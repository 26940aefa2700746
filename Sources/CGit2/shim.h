#pragma once

#include <git2.h>
#include <git2/sys/repository.h>

// git_libgit2_opts is variadic, which Swift cannot call: one inline function for each option that is set.

/// Whether libgit2 refuses repositories that belong to another user.
static inline int slipway_git2_set_owner_validation(int enabled) {
    return git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, enabled);
}

/// Where libgit2 looks for configuration files of one level; "" means nowhere.
static inline int slipway_git2_set_search_path(git_config_level_t level, const char *path) {
    return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, (int)level, path);
}

/// The file with the certificate authorities that TLS servers are verified against. It replaces the ones before.
static inline int slipway_git2_set_certificate_file(const char *file) {
    return git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, (const char *)0);
}

/// The product part of the User-Agent header.
static inline int slipway_git2_set_user_agent(const char *agent) {
    return git_libgit2_opts(GIT_OPT_SET_USER_AGENT, agent);
}

/// How much memory libgit2 may keep for objects it has read.
static inline int slipway_git2_set_cache_size(ssize_t bytes) {
    return git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, bytes);
}
