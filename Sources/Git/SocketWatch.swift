import CGit2
import Dispatch
import Glibc
import Synchronization

/// The sockets of one conversation with a server: they are cut off when the server falls silent, and closed only when
/// libgit2 is done with them.
///
/// libgit2 before 1.7 knows no timeouts. And where an SSH connection fails it closes the socket and then lets libssh2 change
/// the flags of that descriptor, which by then may be another thread's.
final class SocketWatch: Sendable {
    /// Milliseconds that a connection may take to come about.
    static let connectLimit: Int32 = 30_000
    /// Milliseconds of silence after which a server is given up.
    let silenceLimit: Int32

    private struct State {
        var sockets: [Int32] = []
        /// Those that libgit2 has closed, as far as it knows.
        var finished: Set<Int32> = []
        var isTimedOut = false
        /// Bytes that the server may still send.
        var allowance = Int.max
        var isExhausted = false
        /// What the newest connection's server began with, for as long as somebody may ask.
        var handshake: ServerHandshake?
    }

    private let state = Mutex(State())
    /// The conversation that each thread is in; libgit2's stream callbacks carry no payload.
    private static let current = Mutex<[UInt: SocketWatch]>([:])

    /// Whether the connections begin with TLS, and what the server shows there is kept until somebody takes it.
    private let keepsHandshakes: Bool

    init(silenceLimit: Duration = GitCredentials.usualSilenceLimit, keepsHandshakes: Bool = false) {
        self.keepsHandshakes = keepsHandshakes
        let (seconds, attoseconds) = silenceLimit.components
        self.silenceLimit = Int32(clamping: min(seconds, 1 << 30) * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    var isTimedOut: Bool { state.withLock { $0.isTimedOut } }
    /// The server sent more than it was allowed.
    var isExhausted: Bool { state.withLock { $0.isExhausted } }

    /// How many bytes the server may send from now on. libgit2 keeps what a server advertises in memory, however much it is.
    func allow(_ bytes: Int) { state.withLock { $0.allowance = bytes } }

    /// The server was silent for too long.
    func giveUp() { state.withLock { $0.isTimedOut = true } }

    /// Counts what came; `false` when it is too much.
    func take(_ count: Int) -> Bool {
        state.withLock { state in
            state.allowance -= min(state.allowance, count)
            if state.allowance == 0 { state.isExhausted = true }
            return !state.isExhausted
        }
    }

    /// The certificates that the newest connection's server showed, its own first. From then on nothing is kept.
    func takeCertificates() -> [[UInt8]] {
        state.withLock { state in
            defer { state.handshake = nil }
            return state.handshake?.certificates ?? []
        }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) {
        guard state.withLock({ $0.handshake != nil }) else { return }
        // The pointer may not pass into the lock.
        let copy = [UInt8](bytes)
        state.withLock { state in copy.withUnsafeBytes { state.handshake?.receive($0) } }
    }

    deinit {
        state.withLock { state in
            for socket in state.sockets { Glibc.close(socket) }
        }
    }

    /// Runs a call of libgit2 that talks to the server.
    func watching(_ call: () -> Int32) -> Int32 {
        let thread = UInt(pthread_self())
        Self.current.withLock { $0[thread] = self }
        let timer = DispatchSource.makeTimerSource(queue: .global())
        let pause = DispatchTimeInterval.milliseconds(Int(min(5000, max(100, silenceLimit / 4))))
        timer.schedule(deadline: .now() + pause, repeating: pause)
        timer.setEventHandler { [weak self, silenceLimit] in self?.cutSilent(longerThan: silenceLimit) }
        timer.resume()
        defer {
            timer.cancel()
            Self.current.withLock { $0[thread] = nil }
        }
        return call()
    }

    /// Ends the sockets whose peer said nothing for too long; the reader wakes up with an end of file.
    func cutSilent(longerThan limit: Int32) {
        state.withLock { state in
            for socket in state.sockets
            where !state.finished.contains(socket) && slipway_git2_idle(socket) > limit {
                state.isTimedOut = true
                shutdown(socket, Int32(SHUT_RDWR))
            }
        }
    }

    private func finish(_ socket: Int32) { state.withLock { _ = $0.finished.insert(socket) } }

    private func adopt(_ socket: Int32) {
        state.withLock { state in
            state.sockets.append(socket)
            if keepsHandshakes { state.handshake = ServerHandshake() }
        }
    }

    // MARK: The stream that libgit2 uses

    /// Makes libgit2 use our sockets, for HTTP, under TLS, and for SSH.
    static func register() {
        var registration = git_stream_registration()
        registration.version = GIT_STREAM_VERSION
        registration.`init` = { out, host, port in
            guard let out, let host, let port else { return -1 }
            let stream = UnsafeMutablePointer<slipway_git2_socket>.allocate(capacity: 1)
            stream.initialize(to: slipway_git2_socket())
            stream.pointee.host = strdup(host)
            stream.pointee.port = strdup(port)
            stream.pointee.descriptor = -1
            stream.pointee.parent.version = GIT_STREAM_VERSION
            stream.pointee.parent.connect = { SocketWatch.connect($0) }
            stream.pointee.parent.read = { stream, buffer, count in
                let received = recv(SocketWatch.descriptor(stream), buffer, count, 0)
                if received < 0 { SocketWatch.fail("error receiving data") }
                guard received > 0, let watch = SocketWatch.of(stream) else { return received }
                watch.keep(UnsafeRawBufferPointer(start: buffer, count: received))
                if !watch.take(received) {
                    git_error_set_str(Int32(GIT_ERROR_NET.rawValue), "the server sends without end")
                    return -1
                }
                return received
            }
            stream.pointee.parent.write = { stream, buffer, count, flags in
                let sent = send(SocketWatch.descriptor(stream), buffer, count, flags | Int32(MSG_NOSIGNAL))
                if sent < 0 { SocketWatch.fail("error sending data") }
                return sent
            }
            stream.pointee.parent.close = { SocketWatch.close($0) }
            stream.pointee.parent.free = { stream in
                stream?.withMemoryRebound(to: slipway_git2_socket.self, capacity: 1) { socket in
                    Glibc.free(socket.pointee.host)
                    Glibc.free(socket.pointee.port)
                    socket.deallocate()
                }
            }
            out.pointee = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: git_stream.self)
            return 0
        }
        _ = git_stream_register(GIT_STREAM_STANDARD, &registration)
    }

    private static func descriptor(_ stream: UnsafeMutablePointer<git_stream>?) -> Int32 {
        stream?.withMemoryRebound(to: slipway_git2_socket.self, capacity: 1) { $0.pointee.descriptor } ?? -1
    }

    private static func of(_ stream: UnsafeMutablePointer<git_stream>?) -> SocketWatch? {
        stream?.withMemoryRebound(to: slipway_git2_socket.self, capacity: 1) { socket in
            socket.pointee.watch.map { Unmanaged<SocketWatch>.fromOpaque($0).takeUnretainedValue() }
        }
    }

    private static func fail(_ text: String) {
        git_error_set_str(Int32(GIT_ERROR_NET.rawValue), "\(text): \(String(cString: strerror(errno)))")
    }

    private static func connect(_ stream: UnsafeMutablePointer<git_stream>?) -> Int32 {
        guard let stream else { return -1 }
        return stream.withMemoryRebound(to: slipway_git2_socket.self, capacity: 1) { socket in
            guard let host = socket.pointee.host, let port = socket.pointee.port else { return -1 }
            var hints = addrinfo()
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            var list: UnsafeMutablePointer<addrinfo>?
            let status = getaddrinfo(host, port, &hints, &list)
            defer { if let list { freeaddrinfo(list) } }
            guard status == 0 else {
                git_error_set_str(
                    Int32(GIT_ERROR_NET.rawValue),
                    "failed to resolve address for \(String(cString: host)): \(String(cString: gai_strerror(status)))")
                return -1
            }
            var candidate = list
            while let address = candidate {
                if let (descriptor, watch) = open(address.pointee) {
                    socket.pointee.descriptor = descriptor
                    socket.pointee.watch = Unmanaged.passUnretained(watch).toOpaque()
                    return 0
                }
                candidate = address.pointee.ai_next
            }
            fail("failed to connect to \(String(cString: host))")
            return -1
        }
    }

    /// Connects without waiting longer than the limit. The socket blocks afterwards.
    private static func open(_ address: addrinfo) -> (Int32, SocketWatch)? {
        let descriptor = socket(
            address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            address.ai_protocol)
        guard descriptor >= 0 else { return nil }
        var status = Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen)
        if status != 0, errno == EINPROGRESS {
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            var failure: Int32 = ETIMEDOUT
            var length = socklen_t(MemoryLayout<Int32>.size)
            if poll(&ready, 1, connectLimit) == 1 { getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length) }
            errno = failure
            status = failure == 0 ? 0 : -1
        }
        guard status == 0 else {
            let failure = errno
            Glibc.close(descriptor)
            errno = failure
            return nil
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        // A peer that vanished is noticed by the kernel.
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &isOn, socklen_t(MemoryLayout<Int32>.size))
        guard let watch = current.withLock({ $0[UInt(pthread_self())] }) else {
            Glibc.close(descriptor)
            return nil
        }
        watch.adopt(descriptor)
        return (descriptor, watch)
    }

    private static func close(_ stream: UnsafeMutablePointer<git_stream>?) -> Int32 {
        guard let stream else { return -1 }
        return stream.withMemoryRebound(to: slipway_git2_socket.self, capacity: 1) { socket in
            let descriptor = socket.pointee.descriptor
            socket.pointee.descriptor = -1
            guard descriptor >= 0 else { return 0 }
            // Only marked: the watch closes its sockets at its own end.
            socket.pointee.watch.map { Unmanaged<SocketWatch>.fromOpaque($0).takeUnretainedValue() }?.finish(descriptor)
            shutdown(descriptor, Int32(SHUT_RDWR))
            return 0
        }
    }
}
