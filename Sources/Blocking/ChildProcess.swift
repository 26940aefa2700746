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

    /// Where this process finds programs: `PATH`, or what POSIX systems have where it is not set.
    package static var searchPath: String {
        getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
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
        let child = try SpawnedProcess(
            path, arguments, environment: environment,
            streams: (pipes.input.read, pipes.output.write, pipes.errors.write))
        pipes.closeChildEnds()
        let deadline = ContinuousClock.now + timeout
        var result = Result(status: 0, output: [], errors: [])
        let failure = gather(pipes, into: &result, until: deadline)
        let status = failure == nil ? child.wait(until: deadline) : nil
        guard let status else {
            child.signal(SIGKILL)
            _ = child.wait(until: ContinuousClock.now + .seconds(5))
            throw failure ?? .tookTooLong
        }
        result.status = status
        return result
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
