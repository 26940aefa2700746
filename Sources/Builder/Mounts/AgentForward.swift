import Blocking
import CLinux
import Glibc
import Synchronization

/// Where `RUN --mount=type=ssh` gets its keys from.
package enum SSHAgentSource: Sendable, Hashable {
    /// The socket of an agent that runs already.
    case socket(String)
    /// Private keys, for which an agent is started while a step needs them.
    case keys([String])
}

/// A socket in a step behind which an SSH agent of this machine answers: a socket of our own, with the owner and mode that the
/// step wants, whose connections are passed on. The agent's own socket takes its own user only.
final class AgentForward: Sendable {
    /// Its other end tells the thread to stop.
    private let stop: Int32
    private let agent: pid_t?

    /// - Parameter place: a short path: the kernel takes 107 bytes.
    init(_ source: SSHAgentSource, at place: HostPath, scratch: HostPath) throws(BuildError) {
        let target: String
        switch source {
        case .socket(let path):
            (target, agent) = (path, nil)
        case .keys(let paths):
            target = scratch.appending("agent").text
            agent = try Self.startAgent(at: target, keys: paths)
        }
        // An agent that is not there is found out before the step runs, not by it.
        guard let probe = Self.connect(to: target) else {
            let cause = String(cString: strerror(errno))
            if let agent { Self.end(agent) }
            throw BuildError(
                .step, "cannot reach the SSH agent", place: target, cause: cause,
                hint: "start ssh-agent and set SSH_AUTH_SOCK, or give a key: --ssh default=FILE")
        }
        close(probe)
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0, Self.bind(listener, to: place.text), listen(listener, 16) == 0 else {
            let error = place.failure("make the socket for the SSH agent")
            if listener >= 0 { close(listener) }
            if let agent { Self.end(agent) }
            throw error
        }
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        var ends: [Int32] = [-1, -1]
        guard linux_pipe(&ends) == 0 else { throw place.failure("make a pipe") }
        stop = ends[1]
        let box = Unmanaged.passRetained(Work(listener: listener, wake: ends[0], target: target))
        var thread = pthread_t()
        guard
            pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                }, box.toOpaque()) == 0
        else {
            box.release()
            throw place.failure("start a thread")
        }
        pthread_detach(thread)
    }

    deinit {
        close(stop)
        if let agent { Self.end(agent) }
    }

    /// The agent keeps nothing on disk but its socket, which lies in the build's own directory: it need not be asked.
    private static func end(_ agent: pid_t) {
        kill(agent, SIGKILL)
        var status: Int32 = 0
        while waitpid(agent, &status, 0) < 0 && errno == EINTR {}
    }

    private static func address(of path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return nil
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func bind(_ descriptor: Int32, to path: String) -> Bool {
        guard var address = address(of: path) else { return false }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    fileprivate static func connect(to path: String) -> Int32? {
        guard var address = address(of: path) else { return nil }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return descriptor }
        let code = errno
        close(descriptor)
        errno = code
        return nil
    }

    // MARK: An agent for keys

    private static func startAgent(at path: String, keys: [String]) throws(BuildError) -> pid_t {
        let agent = try spawn(["ssh-agent", "-D", "-a", path], [])
        // It is ready when it answers; it is asked a hundred times a second, for ten seconds at most.
        for attempt in 0... {
            if let probe = connect(to: path) {
                close(probe)
                break
            }
            var status: Int32 = 0
            guard attempt < 1_000, waitpid(agent, &status, WNOHANG) == 0 else {
                end(agent)
                throw BuildError(
                    .step, "ssh-agent did not start", hint: "give the socket of a running agent: --ssh default")
            }
            usleep(10_000)
        }
        for key in keys {
            let adding = try spawn(["ssh-add", "-q", key], ["SSH_AUTH_SOCK=\(path)", "SSH_ASKPASS_REQUIRE=never"])
            var status: Int32 = 0
            while waitpid(adding, &status, 0) < 0 && errno == EINTR {}
            guard status == 0 else {
                end(agent)
                throw BuildError(
                    .step, "cannot load the SSH key", place: key, cause: "ssh-add refused it",
                    hint: "the file must be a private key without a passphrase, readable by its owner only")
            }
        }
        return agent
    }

    private static func spawn(_ arguments: [String], _ environment: [String]) throws(BuildError) -> pid_t {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        do throws(ChildProcess.Failure) {
            guard let program = ChildProcess.find(arguments[0], in: ChildProcess.searchPath) else {
                throw .notStarted(String(cString: strerror(ENOENT)))
            }
            return try SpawnedProcess(
                program, Array(arguments.dropFirst()), environment: environment, streams: (null, null, null)
            ).process
        } catch {
            let reason = if case .notStarted(let reason) = error { reason } else { "\(error)" }
            throw BuildError(
                .step, "cannot start \(arguments[0])", cause: reason,
                hint: "install OpenSSH's client, or give the socket of a running agent: --ssh default")
        }
    }

    // MARK: Passing on

    /// The thread's own: nobody else touches it after it was started.
    private final class Work {
        let listener: Int32
        let wake: Int32
        let target: String
        private var pairs: [(step: Int32, agent: Int32)] = []

        init(listener: Int32, wake: Int32, target: String) {
            self.listener = listener
            self.wake = wake
            self.target = target
        }

        func run() {
            defer {
                close(listener)
                close(wake)
                for pair in pairs {
                    close(pair.step)
                    close(pair.agent)
                }
            }
            while true {
                var polled = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
                polled.append(pollfd(fd: pairs.count < 64 ? listener : -1, events: Int16(POLLIN), revents: 0))
                for pair in pairs {
                    polled.append(pollfd(fd: pair.step, events: Int16(POLLIN), revents: 0))
                    polled.append(pollfd(fd: pair.agent, events: Int16(POLLIN), revents: 0))
                }
                if poll(&polled, nfds_t(polled.count), -1) < 0 {
                    if errno == EINTR { continue }
                    return
                }
                if polled[0].revents != 0 { return }
                for index in pairs.indices.reversed() {
                    let pair = pairs[index]
                    let isOver =
                        polled[2 + 2 * index].revents != 0 && !pass(from: pair.step, to: pair.agent)
                        || polled[3 + 2 * index].revents != 0 && !pass(from: pair.agent, to: pair.step)
                    guard isOver else { continue }
                    close(pair.step)
                    close(pair.agent)
                    pairs.remove(at: index)
                }
                if polled[1].revents != 0 {
                    let step = accept(listener, nil, nil)
                    guard step >= 0 else { continue }
                    _ = fcntl(step, F_SETFD, FD_CLOEXEC)
                    if let agent = AgentForward.connect(to: target) {
                        pairs.append((step, agent))
                    } else {
                        close(step)
                    }
                }
            }
        }

        /// A message of the protocol is smaller than what a socket holds, so that a slow reader holds up nobody for long.
        private func pass(from: Int32, to: Int32) -> Bool {
            var buffer = [UInt8](repeating: 0, count: 16 << 10)
            let count = read(from, &buffer, buffer.count)
            guard count > 0 else { return false }
            var sent = 0
            while sent < count {
                let result = buffer.withUnsafeBytes { bytes in
                    send(to, bytes.baseAddress?.advanced(by: sent), count - sent, Int32(MSG_NOSIGNAL))
                }
                guard result > 0 else { return false }
                sent += result
            }
            return true
        }
    }
}
