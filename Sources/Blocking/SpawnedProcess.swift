import CLinux
import Glibc

/// A process that was started from a program, which is to be waited for. It gets no descriptors but its three streams, and signals as
/// they are by default.
package struct SpawnedProcess: Sendable {
    package let process: Int32

    /// - Parameters:
    ///   - environment: the whole environment, `NAME=value`; `nil`: this process's.
    ///   - streams: its standard input, output and errors.
    ///   - ownSession: nothing that a terminal sends to us reaches it; otherwise it has a process group of its own.
    package init(
        _ path: String, _ arguments: [String], environment: [String]?, streams: (Int32, Int32, Int32),
        ownSession: Bool = false
    ) throws(ChildProcess.Failure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, streams.0, 0)
        posix_spawn_file_actions_adddup2(&actions, streams.1, 1)
        posix_spawn_file_actions_adddup2(&actions, streams.2, 2)
        _ = linux_spawn_close_from(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Threads of Swift's pool block signals, and a child would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        // POSIX_SPAWN_SETSID is hidden behind _GNU_SOURCE.
        let place: Int32 = ownSession ? 0x80 : POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(place | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let name = path.split(separator: "/").last.map(String.init) ?? path
        var argv: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = (environment ?? []).map { strdup($0) } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var child: pid_t = 0
        let number =
            environment == nil
            ? posix_spawn(&child, path, &actions, &attributes, &argv, environ)
            : posix_spawn(&child, path, &actions, &attributes, &argv, &envp)
        guard number == 0 else { throw .notStarted(String(cString: strerror(number))) }
        process = child
    }

    /// Sends a signal to the process and those that it started.
    package func signal(_ number: Int32) {
        kill(-process, number)
        kill(process, number)
    }

    /// The exit status, 128 and the number for a signal, 255 where nobody can tell any more; `nil` when the time is over.
    package func wait(until deadline: ContinuousClock.Instant) -> Int32? {
        var status: Int32 = 0
        while true {
            let ended = waitpid(process, &status, WNOHANG)
            if ended == process { return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f) }
            if ended < 0 && errno != EINTR { return 255 }
            guard ContinuousClock.now < deadline else { return nil }
            usleep(2000)
        }
    }
}
