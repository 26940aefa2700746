import Glibc
import Synchronization

/// Keeps the store's content from being collected while builds and their images use it: builds share the store's lock,
/// whoever collects has it alone. The kernel drops the lock of a process that dies.
final class StoreLease: Sendable {
    /// Held while content is in use.
    final class Token: Sendable {
        private let lease: StoreLease

        fileprivate init(_ lease: StoreLease) { self.lease = lease }

        deinit { lease.release() }
    }

    private struct State: Sendable {
        var users = 0
        /// Holds the lock while there are users.
        var descriptor: Int32 = -1
    }

    private let path: HostPath
    private let state = Mutex(State())

    init(path: HostPath) { self.path = path }

    deinit {
        let descriptor = state.withLock(\.descriptor)
        if descriptor >= 0 { close(descriptor) }
    }

    /// Waits while another process collects.
    func use() throws(BuildError) -> Token {
        let isLocked = try state.withLock { (state) throws(BuildError) -> Bool in
            if state.users == 0 {
                guard state.descriptor < 0 else { return false }
                state.descriptor = path.withCString { open($0, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
                guard state.descriptor >= 0 else { throw path.failure("open the store's lock") }
                while flock(state.descriptor, LOCK_SH) != 0 {
                    if errno == EINTR { continue }
                    let error = path.failure("lock the store")
                    close(state.descriptor)
                    state.descriptor = -1
                    throw error
                }
            }
            state.users += 1
            return true
        }
        guard isLocked else { throw BuildError(.storage, "the store is being collected", place: path.text) }
        return Token(self)
    }

    private func release() {
        state.withLock { state in
            state.users -= 1
            guard state.users == 0 else { return }
            close(state.descriptor)
            state.descriptor = -1
        }
    }

    /// Runs `body` when nobody uses the store, here or in another process.
    ///
    /// - Returns: whether it was run.
    func alone(_ body: () throws(BuildError) -> Void) throws(BuildError) -> Bool {
        try state.withLock { (state) throws(BuildError) -> Bool in
            guard state.users == 0, let descriptor = FileLock.hold(path, blocking: false) else { return false }
            defer { close(descriptor) }
            try body()
            return true
        }
    }
}
