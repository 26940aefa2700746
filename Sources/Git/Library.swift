import CGit2
import Glibc

/// libgit2's process-wide state, set up once before its first use.
enum Library {
    /// `nil` once libgit2 is ready; otherwise why it is not.
    private static let failure: GitError? = {
        guard git_libgit2_init() > 0 else { return .last(-1, "libgit2 could not be initialised") }
        // libgit2's SSH transport reads $HOME/.ssh/known_hosts before it asks us, and fails when HOME is missing,
        // as it is in many containers. Not overwriting keeps a HOME that exists.
        setenv("HOME", "/", 0)
        // Owner checks protect people from running what another user's repository configures. libgit2 runs nothing
        // that a repository configures, and volumes of pods belong to arbitrary users.
        _ = slipway_git2_set_owner_validation(0)
        // The mirror must not depend on what the machine's users configured.
        for level in [GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG] {
            _ = slipway_git2_set_search_path(level, "")
        }
        _ = slipway_git2_set_user_agent("slipway")
        _ = slipway_git2_set_cache_size(32 << 20)
        if slipway_git2_set_timeouts(SocketWatch.connectLimit, SocketWatch.silenceLimit) < 0 { SocketWatch.register() }
        return nil
    }()

    /// Must be called before anything else of libgit2.
    static func start() throws(GitError) {
        if let failure { throw failure }
    }
}
