#pragma once

#include <git2.h>
#include <git2/odb_backend.h>
#include <git2/sys/mempack.h>
#include <git2/sys/repository.h>
#include <git2/sys/stream.h>
#include <git2/sys/transport.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/// Loads libgit2, once for the process: null when it is there, else why it is not. No other function may be called before.
const char *slipway_git2_load(void);

/// The file name of the library that is loaded, `libgit2.so.1.5`.
const char *slipway_git2_library(void);

/// A function of libgit2, or of a library that it brings (libssh2); null when there is none, or libgit2 is not loaded.
void *slipway_git2_symbol(const char *name);

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

/// How packs are mapped: at most `mapped` bytes of all, `window` at a time, and `files` of them open.
static inline void slipway_git2_set_pack_limits(size_t mapped, size_t window, size_t files) {
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, window);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, mapped);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, files);
}

/// A connection of our own for libgit2. The SSH transport reads the descriptor out of the stream itself, so the layout is
/// that of `git_socket_stream` in libgit2 1.5 and 1.6 (src/libgit2/streams/socket.h).
struct slipway_git2_socket {
    git_stream parent;
    char *host;
    char *port;
    int descriptor;
    /// Ours: the conversation that the socket belongs to, which outlives the stream.
    void *watch;
};

/// A subtransport of our own for libgit2's smart transport.
struct slipway_git2_service {
    git_smart_subtransport parent;
    /// The conversation under way, of which there is one at most.
    git_smart_subtransport_stream *stream;
    /// Ours: who it is for, which outlives the transport.
    void *session;
};

#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 7
/// libgit2 before 1.7 waits for a silent server for ever: -1, set nothing.
static inline int slipway_git2_set_timeouts(int connect, int silence) {
    (void)connect, (void)silence;
    return -1;
}
#else
/// How many milliseconds libgit2 waits for a connection, and for a silent server.
static inline int slipway_git2_set_timeouts(int connect, int silence) {
    git_libgit2_opts(GIT_OPT_SET_SERVER_CONNECT_TIMEOUT, connect);
    return git_libgit2_opts(GIT_OPT_SET_SERVER_TIMEOUT, silence);
}
#endif

/// Milliseconds since the peer of a TCP socket was last heard or spoken to; negative when unknown.
static inline int slipway_git2_idle(int descriptor) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return -1;
    return (int)(info.tcpi_last_data_recv < info.tcpi_last_data_sent ? info.tcpi_last_data_recv : info.tcpi_last_data_sent);
}
