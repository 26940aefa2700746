import Blocking
import CGit2
import CLinux
import Glibc
import Synchronization

/// One run of a program that leads to a repository (`git receive-pack`, `ssh`), and the two streams to it.
///
/// It is in a session of its own: a signal for us does not reach it. When we end, in whichever way, its streams end, and it takes
/// its locks and what it has not accepted away, as it does for every client that hangs up. Used from one thread.
final class ServiceProcess {
    private let service: ServiceCommand.Service
    private let command: ServiceCommand
    private let child: SpawnedProgram
    private let watch: SocketWatch
    /// Where its standard input is written to: a socket, which raises no SIGPIPE.
    private var input: Int32
    private let output: Int32
    /// Its standard error, a file without a name: nobody has to read it, and it stays writable when we are gone.
    private let errors: Int32
    /// What came while the program was being written to.
    private var pending: [UInt8] = []
    /// The program has closed its side.
    private(set) var isAtEnd = false
    /// How the program's words begin: the first reference with what the other side is capable of.
    private(set) var opening: [UInt8] = []
    /// The conversation was given up: nothing more is waited for.
    private var isGivenUp = false

    /// How much may come while the program is being written to, in bytes.
    private static let pendingLimit = 16 << 20
    /// Seconds that a repository's last hook is waited for, once the push is decided.
    private static let hookPatience = 60
    /// Runs whose end was not waited for.
    private static let unfinished = Mutex<[SpawnedProgram]>([])

    init(
        _ command: ServiceCommand, service: ServiceCommand.Service, watch: SocketWatch
    ) throws(GitError) {
        var sockets: [Int32] = [-1, -1]
        var pipe: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let errors = linux_memory_file("slipway-git")
        defer { for descriptor in [sockets[0], pipe[1]] where descriptor >= 0 { close(descriptor) } }
        do throws(GitError) {
            guard errors >= 0, socketpair(AF_UNIX, kind, 0, &sockets) == 0, linux_pipe(&pipe) == 0 else {
                throw GitError(.storage, "cannot make a pipe", cause: String(cString: strerror(errno)))
            }
            child = try SpawnedProgram(
                command.program, command.arguments, environment: command.environment,
                descriptors: (sockets[0], pipe[1], errors), ownSession: true)
        } catch {
            for descriptor in [sockets[1], pipe[0], errors] where descriptor >= 0 { close(descriptor) }
            throw error
        }
        self.service = service
        self.command = command
        self.watch = watch
        self.errors = errors
        input = sockets[1]
        output = pipe[0]
        _ = fcntl(output, F_SETFL, fcntl(output, F_GETFL) | O_NONBLOCK)
    }

    /// What the program complained about, as it printed it; bounded.
    var complaints: [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = pread(errors, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }

    // MARK: Talking

    /// Reads what there is; 0 at the end, negative when the conversation is given up.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        if !pending.isEmpty {
            let count = min(buffer.count, pending.count)
            buffer.copyBytes(from: pending.prefix(count))
            pending.removeFirst(count)
            return count
        }
        while true {
            let count = receive(buffer)
            if count >= 0 { return count }
            guard errno == EAGAIN, wait(writing: false) else { return -1 }
        }
    }

    /// Writes all; `false` when the program hung up, or the conversation is given up.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let sent = send(input, part.baseAddress, part.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            if sent > 0 {
                rest = rest.dropFirst(sent)
            } else if sent < 0, errno == EAGAIN {
                guard wait(writing: true), hearMeanwhile() else { return false }
            } else if sent < 0, errno == EINTR {
                continue
            } else {
                return fail("\(command.name) hung up: \(String(cString: strerror(errno)))")
            }
        }
        return true
    }

    /// The bytes that came; 0 at the end, negative with `errno` otherwise.
    private func receive(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            let count = Glibc.read(output, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count == 0 { isAtEnd = true }
            if count > 0, opening.count < 2048 { opening += buffer.prefix(min(count, 2048 - opening.count)) }
            if count > 0, !watch.take(count) {
                _ = fail("\(command.name) sends without end")
                errno = EMSGSIZE
                return -1
            }
            return count
        }
    }

    /// Keeps what the program says while it does not listen: otherwise both would wait for each other.
    private func hearMeanwhile() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !isAtEnd {
            let count = buffer.withUnsafeMutableBytes { receive($0) }
            if count < 0 { return errno == EAGAIN }
            pending += buffer.prefix(count)
            if pending.count > Self.pendingLimit { return fail("\(command.name) talks and does not listen") }
        }
        return true
    }

    /// Waits until there is something to read, or room for what is written; `false` after a silence that is too long.
    private func wait(writing: Bool) -> Bool {
        var waited: Int32 = 0
        let slice: Int32 = 250
        while waited < watch.silenceLimit {
            var both = [
                pollfd(fd: isAtEnd ? -1 : output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: writing ? input : -1, events: Int16(POLLOUT), revents: 0),
            ]
            let count = poll(&both, 2, slice)
            if count > 0 { return true }
            if count < 0, errno != EINTR { return fail("poll: \(String(cString: strerror(errno)))") }
            if Task.isCancelled { return fail("cancelled") }
            waited += slice
        }
        watch.giveUp()
        return fail("\(command.name) fell silent")
    }

    private func fail(_ text: String) -> Bool {
        isGivenUp = true
        if Library.isLoaded { git_error_set_str(Int32(GIT_ERROR_NET.rawValue), text) }
        return false
    }

    // MARK: Ending

    /// Ends the conversation. What `receive-pack` does after its verdict, the `post-receive` hook above all, is waited for: it would
    /// be cut off when its words find no reader.
    func finish() {
        guard input >= 0 else { return }
        close(input)
        input = -1
        if service == .receivePack, !isGivenUp { drain(until: .now + .seconds(Self.hookPatience)) }
        close(output)
        Self.reap()
        if child.wait(until: .now + .seconds(isGivenUp ? 1 : 5)) != nil { return }
        // It takes its locks away, which it could not do for SIGKILL.
        child.signal(SIGTERM)
        if child.wait(until: .now + .seconds(5)) != nil { return }
        Self.unfinished.withLock { $0.append(child) }
    }

    private func drain(until deadline: ContinuousClock.Instant) {
        watch.allow(.max)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !isAtEnd, ContinuousClock.now < deadline {
            let count = buffer.withUnsafeMutableBytes { receive($0) }
            if count < 0 {
                guard errno == EAGAIN, wait(writing: false) else { return }
            }
        }
    }

    private static func reap() {
        unfinished.withLock { $0.removeAll { $0.wait(until: .now) != nil } }
    }

    deinit {
        finish()
        close(errors)
    }
}
