import Glibc

/// Runs a small program with bounds on time and output. Blocks.
enum HelperProcess {
    struct Result {
        var status: Int32
        var output: [UInt8]
        var errors: [UInt8]
    }

    /// - Parameter input: at most 4 KiB, so that it fits a pipe before anybody reads.
    static func run(
        _ program: String, _ arguments: [String], searchPath: String, input: [UInt8], outputLimit: Int,
        timeout: Duration
    ) throws(RegistryError) -> Result {
        guard let path = find(program, in: searchPath) else {
            throw RegistryError(
                .credentials, "\(program) is not installed", cause: "it is in no directory of PATH",
                hint: "install it, or take it out of config.json")
        }
        let pipes = try Pipes(program)
        try pipes.prepare(input)
        let child = try spawn(path, [program] + arguments, pipes)
        pipes.closeChildEnds()
        let deadline = ContinuousClock.now + timeout
        var result = Result(status: 0, output: [], errors: [])
        let isComplete = gather(pipes, into: &result, limit: outputLimit, deadline: deadline)
        let status = isComplete ? wait(child, until: deadline) : nil
        guard let status else {
            kill(-child, SIGKILL)
            kill(child, SIGKILL)
            _ = wait(child, until: ContinuousClock.now + .seconds(5))
            throw RegistryError(
                .credentials, "\(program) was stopped",
                cause: ContinuousClock.now >= deadline
                    ? "it took longer than \(timeout.components.seconds) seconds"
                    : "it printed more than \(outputLimit) bytes")
        }
        result.status = status
        return result
    }

    static func find(_ program: String, in searchPath: String) -> String? {
        searchPath.split(separator: ":").lazy.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    private static func spawn(_ path: String, _ arguments: [String], _ pipes: Pipes) throws(RegistryError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes.input.read, 0)
        posix_spawn_file_actions_adddup2(&actions, pipes.output.write, 1)
        posix_spawn_file_actions_adddup2(&actions, pipes.errors.write, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, so that what it starts can be stopped with it.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { vector.forEach { free($0) } }
        var child: pid_t = 0
        let number = posix_spawn(&child, path, &actions, &attributes, &vector, environ)
        guard number == 0 else {
            throw RegistryError(.credentials, "\(path) cannot be run", cause: String(cString: strerror(number)))
        }
        return child
    }

    /// Reads both streams to their ends; `false` when the time or the room is used up.
    private static func gather(
        _ pipes: Pipes, into result: inout Result, limit: Int, deadline: ContinuousClock.Instant
    ) -> Bool {
        var open = [
            pollfd(fd: pipes.output.read, events: Int16(POLLIN), revents: 0),
            pollfd(fd: pipes.errors.read, events: Int16(POLLIN), revents: 0),
        ]
        var buffer = [UInt8](repeating: 0, count: 4096)
        while open.contains(where: { $0.fd >= 0 }) {
            let left = (deadline - ContinuousClock.now).components
            guard left.seconds >= 0, left.attoseconds >= 0 else { return false }
            let ready = poll(&open, nfds_t(open.count), 100)
            if ready < 0 && errno != EINTR { return false }
            for index in open.indices where open[index].fd >= 0 && open[index].revents != 0 {
                let count = read(open[index].fd, &buffer, buffer.count)
                if count <= 0 {
                    if count < 0 && errno == EINTR { continue }
                    open[index].fd = -1
                } else if index == 0 {
                    result.output += buffer[..<count]
                } else {
                    result.errors += buffer[..<count]
                }
            }
            guard result.output.count + result.errors.count <= limit else { return false }
        }
        return true
    }

    /// The exit status, 128 + the signal for a violent end; `nil` at the deadline.
    private static func wait(_ child: pid_t, until deadline: ContinuousClock.Instant) -> Int32? {
        var status: Int32 = 0
        while true {
            let ended = waitpid(child, &status, WNOHANG)
            if ended == child { return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f) }
            if ended < 0 && errno != EINTR { return 255 }
            guard ContinuousClock.now < deadline else { return nil }
            usleep(2000)
        }
    }

    /// Three pipes of which the child gets the far ends.
    private final class Pipes {
        private(set) var input: (read: Int32, write: Int32) = (-1, -1)
        private(set) var output: (read: Int32, write: Int32) = (-1, -1)
        private(set) var errors: (read: Int32, write: Int32) = (-1, -1)

        init(_ program: String) throws(RegistryError) {
            input = try Self.make(program)
            output = try Self.make(program)
            errors = try Self.make(program)
        }

        /// Writes the input while this process still holds the reading end: the write can neither block nor signal.
        func prepare(_ bytes: [UInt8]) throws(RegistryError) {
            guard bytes.count <= 4096, write(input.write, bytes, bytes.count) == bytes.count else {
                throw RegistryError(.credentials, "the credential helper's input cannot be written")
            }
        }

        func closeChildEnds() {
            for end in [input.read, input.write, output.write, errors.write] { close(end) }
            input = (-1, -1)
            output.write = -1
            errors.write = -1
        }

        deinit {
            for end in [input.read, input.write, output.read, output.write, errors.read, errors.write] where end >= 0 {
                close(end)
            }
        }

        private static func make(_ program: String) throws(RegistryError) -> (read: Int32, write: Int32) {
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else {
                throw RegistryError(.credentials, "\(program) cannot be run", cause: String(cString: strerror(errno)))
            }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return (ends[0], ends[1])
        }
    }
}
