import CLinux
import Glibc

/// What holds for the process as a whole, and can be settled only, or at no cost, while it has one thread.
enum ProcessSettings {
    static func apply() {
        // A reader that goes away, of a pipe or of a connection, is an error of that write and not the end of the agent.
        signal(SIGPIPE, SIG_IGN)
        raiseFileLimit()
        // Where there are threads, the kernel waits tens of milliseconds each time the table of open files has to grow.
        let place = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, expectedFiles)
        if place >= 0 { close(place) }
        linux_keep_freed_memory(keptMemory)
    }

    /// Each repository that is watched keeps a file open, and each connection one. Many systems allow 1,024 unless more is asked for.
    /// Steps inherit it, and it is no more than programs can look through file by file.
    private static func raiseFileLimit() {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(kind, &limit) == 0, limit.rlim_cur < wantedFiles else { return }
        limit.rlim_cur = min(wantedFiles, limit.rlim_max)
        setrlimit(kind, &limit)
    }

    private static let wantedFiles: rlim_t = 16_384

    /// Unpacking a layer has some hundred files open.
    private static let expectedFiles: Int32 = 511

    /// Bytes that stay at hand after they were freed. Pieces of a layer come and go by the thousand; to give each of them back
    /// to the kernel, and to have them zeroed page by page again, is a tenth of the time of a large layer.
    private static let keptMemory: Int32 = 16 << 20
}
