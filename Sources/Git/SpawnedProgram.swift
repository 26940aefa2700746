import CLinux
import Glibc

/// A process that was started from a program, which is to be waited for.
struct SpawnedProgram {
    let process: pid_t

    /// - Parameters:
    ///   - environment: the whole environment, `NAME=value`; nothing of ours is inherited.
    ///   - descriptors: its standard input, output and errors. It gets no others.
    ///   - ownSession: nothing that a terminal sends to us reaches it; otherwise it has a process group of its own.
    init(
        _ path: String, _ arguments: [String], environment: [String], descriptors: (Int32, Int32, Int32),
        ownSession: Bool = false
    ) throws(GitError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, descriptors.0, 0)
        posix_spawn_file_actions_adddup2(&actions, descriptors.1, 1)
        posix_spawn_file_actions_adddup2(&actions, descriptors.2, 2)
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
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var child: pid_t = 0
        let number = posix_spawn(&child, path, &actions, &attributes, &argv, &envp)
        guard number == 0 else {
            throw GitError(.storage, "\(path) cannot be run", cause: String(cString: strerror(number)))
        }
        process = child
    }

    /// Sends a signal to the process and those that it started.
    func signal(_ number: Int32) {
        kill(-process, number)
        kill(process, number)
    }

    /// The exit status, 128 and the number for a signal; `nil` when the time is over.
    func wait(until deadline: ContinuousClock.Instant) -> Int32? {
        var status: Int32 = 0
        while true {
            let ended = waitpid(process, &status, WNOHANG)
            if ended == process { return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f) }
            if ended < 0 && errno != EINTR { return nil }
            guard ContinuousClock.now < deadline else { return nil }
            usleep(2000)
        }
    }
}
