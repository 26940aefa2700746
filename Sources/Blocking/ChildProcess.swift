import CLinux
import Glibc

/// Runs a small program with bounds on time and output: it gets no descriptors but its three streams, signals as they are by default,
/// and a process group of its own, which is stopped with it. Blocks.
package struct ChildProcess: Sendable {
    package struct Result: Sendable {
        /// The exit status; 128 and the number for a signal.
        package var status: Int32
        package var output: [UInt8]
        package var errors: [UInt8]
    }

    package enum Failure: Error, Equatable {
        /// With the reason of the system.
        case notStarted(String)
        case tookTooLong
        case printedTooMuch
    }

    package var path: String
    package var arguments: [String]
    /// All of it, `NAME=value`; `nil`: this process's.
    package var environment: [String]?
    /// At most 4 KiB, so that it fits a pipe before anybody reads.
    package var input: [UInt8] = []
    /// Bytes of both streams.
    package var outputLimit = 1 << 20
    package var timeout = Duration.seconds(60)

    package init(_ path: String, _ arguments: [String] = [], environment: [String]? = nil) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
    }

    /// This process's environment, `NAME=value`.
    package static var inherited: [String] {
        var all: [String] = []
        var place = environ
        while let variable = place.pointee {
            all.append(String(cString: variable))
            place += 1
        }
        return all
    }

    /// A program as a shell finds it.
    ///
    /// - Parameter searchPath: directories with `:` between them.
    package static func find(_ program: String, in searchPath: String) -> String? {
        searchPath.split(separator: ":").lazy.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    package func run() throws(Failure) -> Result {
        let pipes = try Pipes()
        try pipes.prepare(input)
        let child = try spawn(pipes)
        pipes.closeChildEnds()
        let deadline = ContinuousClock.now + timeout
        var result = Result(status: 0, output: [], errors: [])
        let failure = gather(pipes, into: &result, until: deadline)
        let status = failure == nil ? Self.wait(child, until: deadline) : nil
        guard let status else {
            kill(-child, SIGKILL)
            kill(child, SIGKILL)
            _ = Self.wait(child, until: ContinuousClock.now + .seconds(5))
            throw failure ?? .tookTooLong
        }
        result.status = status
        return result
    }

    private func spawn(_ pipes: Pipes) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, end) in [pipes.input.read, pipes.output.write, pipes.errors.write].enumerated() {
            posix_spawn_file_actions_adddup2(&actions, end, Int32(number))
        }
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
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let name = path.split(separator: "/").last.map(String.init) ?? path
        var vector: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = (environment ?? []).map { strdup($0) } + [nil]
        defer { for pointer in vector + variables { free(pointer) } }
        var child: pid_t = 0
        let number =
            environment == nil
            ? posix_spawn(&child, path, &actions, &attributes, &vector, environ)
            : posix_spawn(&child, path, &actions, &attributes, &vector, &variables)
        guard number == 0 else { throw .notStarted(String(cString: strerror(number))) }
        return child
    }

    /// Reads both streams to their ends; why not, where the time or the room is used up.
    private func gather(
        _ pipes: Pipes, into result: inout Result, until deadline: ContinuousClock.Instant
    ) -> Failure? {
        var open = [
            pollfd(fd: pipes.output.read, events: Int16(POLLIN), revents: 0),
            pollfd(fd: pipes.errors.read, events: Int16(POLLIN), revents: 0),
        ]
        var buffer = [UInt8](repeating: 0, count: 4096)
        while open.contains(where: { $0.fd >= 0 }) {
            guard ContinuousClock.now < deadline else { return .tookTooLong }
            let ready = poll(&open, nfds_t(open.count), 100)
            if ready < 0 && errno != EINTR { return .tookTooLong }
            guard ready > 0 else { continue }
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
                if result.output.count + result.errors.count > outputLimit { return .printedTooMuch }
            }
        }
        return nil
    }

    /// The exit status; `nil` at the deadline.
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

        init() throws(Failure) {
            input = try Self.make()
            output = try Self.make()
            errors = try Self.make()
        }

        /// Writes the input while this process still holds the reading end: the write can neither block nor signal.
        func prepare(_ bytes: [UInt8]) throws(Failure) {
            guard bytes.count <= 4096, write(input.write, bytes, bytes.count) == bytes.count else {
                throw .notStarted("its input cannot be written")
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

        private static func make() throws(Failure) -> (read: Int32, write: Int32) {
            var ends: [Int32] = [-1, -1]
            guard linux_pipe(&ends) == 0 else { throw .notStarted(String(cString: strerror(errno))) }
            return (ends[0], ends[1])
        }
    }
}
