import CGit2
import CLinux
import Glibc
import Synchronization

/// libgit2's process-wide state: the library is loaded and set up once, before its first use.
enum Library {
    /// `nil` once libgit2 is ready; otherwise why it is not.
    private static let failure: GitError? = {
        if let reason = slipway_git2_load() { return missing(cause: String(cString: reason)) }
        guard git_libgit2_init() > 0 else { return .last(-1, "libgit2 could not be initialised") }
        // libgit2's SSH transport reads $HOME/.ssh/known_hosts before it asks us, and fails when HOME is missing,
        // as it is in many containers. Not overwriting keeps a HOME that exists.
        setenv("HOME", "/", 0)
        // Owner checks protect people from running what another user's repository configures. libgit2 runs nothing
        // that a repository configures, and volumes of pods belong to arbitrary users.
        _ = slipway_git2_set_owner_validation(0)
        // The mirror must not depend on what the machine's users configured.
        for level in [
            GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG,
        ] {
            _ = slipway_git2_set_search_path(level, "")
        }
        _ = slipway_git2_set_user_agent("slipway")
        _ = slipway_git2_set_cache_size(32 << 20)
        slipway_git2_set_pack_limits(128 << 20, 16 << 20, packFiles)
        // Newer ones have one limit for the whole process.
        if !setSilenceLimit(of: SocketWatch()) { SocketWatch.register() }
        return nil
    }()

    /// Whether libgit2's functions may be called; it is loaded for the answer. A conversation with a program, which git also has without
    /// a repository, asks before it uses them.
    static var isLoaded: Bool { slipway_git2_load() == nil }

    /// libgit2 is no part of the executable: it is loaded when git is used.
    private static func missing(cause: String) -> GitError {
        GitError(
            .unsupported, "cannot load \(String(cString: slipway_git2_library()))", cause: cause,
            hint: "install the package that has it, on Debian 12 libgit2-1.5, or use an image that has it")
    }

    /// How many packs may be open at once: a part of the files that the process may have open. libgit2 closes those that were not
    /// used for longest, and opens them again; of itself it closes none.
    private static var packFiles: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 256 }
        return min(512, max(16, Int(clamping: limit.rlim_cur) / 4))
    }

    private static let longestSilence = Atomic<Int32>(0)

    /// Lets libgit2 wait as long as the most patient conversation wants; `false` where it knows no limits, and ours hold alone.
    @discardableResult
    static func setSilenceLimit(of watch: SocketWatch) -> Bool {
        let longest = longestSilence.max(watch.silenceLimit, ordering: .relaxed).newValue
        return slipway_git2_set_timeouts(SocketWatch.connectLimit, longest) >= 0
    }

    /// When memory was given back last; in seconds of the monotonic clock.
    private static let lastGivenBack = Atomic<Int>(0)

    /// Gives the kernel what was freed, now and then: libgit2 and whoever reads a revision take many small pieces, and free them among
    /// others that stay.
    static func giveBackMemory() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let last = lastGivenBack.load(ordering: .relaxed)
        guard now.tv_sec - last >= 10,
            lastGivenBack.compareExchange(expected: last, desired: now.tv_sec, ordering: .relaxed).exchanged
        else { return }
        linux_give_back_memory()
    }

    /// Must be called before anything else of libgit2.
    static func start() throws(GitError) {
        if let failure { throw failure }
    }
}
