import ContentStore
import Glibc
import Synchronization

/// Keeps the store's content from being collected while builds and their images use it: builds share the store's lock, and each has a
/// file of its own that says since when. Whoever has the lock alone may remove anything; else only what was used last before
/// the oldest of these builds began. The kernel drops the locks of a process that dies.
final class StoreLease: Sendable {
    /// Held while content is in use.
    final class Token: Sendable {
        private let lease: StoreLease
        private let file: HostPath
        private let lock: Int32

        fileprivate init(_ lease: StoreLease, _ file: HostPath, _ lock: Int32) {
            self.lease = lease
            self.file = file
            self.lock = lock
        }

        deinit {
            file.withCString { _ = unlink($0) }
            close(lock)
            lease.release()
        }
    }

    private struct State: Sendable {
        var users = 0
        /// Holds the lock while there are users.
        var descriptor: Int32 = -1
    }

    private let path: HostPath
    /// A file for each use, whose modification time is its beginning.
    private let uses: HostPath
    private let state = Mutex(State())

    init(path: HostPath, uses: HostPath) {
        self.path = path
        self.uses = uses
    }

    deinit {
        let descriptor = state.withLock(\.descriptor)
        if descriptor >= 0 { close(descriptor) }
    }

    /// Waits while another process collects alone.
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
        do throws(BuildError) {
            let (file, lock) = try register()
            return Token(self, file, lock)
        } catch {
            release()
            throw error
        }
    }

    private func register() throws(BuildError) -> (HostPath, Int32) {
        while true {
            let file = uses.appending(String(UInt64.random(in: .min ... .max), radix: 36))
            guard let lock = FileLock.hold(file, blocking: true) else { throw file.failure("lock the file") }
            // A collector may have taken it for one of a process that died.
            if FileLock.isCurrent(lock, file) { return (file, lock) }
            close(lock)
        }
    }

    private func release() {
        state.withLock { state in
            state.users -= 1
            guard state.users == 0 else { return }
            close(state.descriptor)
            state.descriptor = -1
        }
    }

    /// Since when what was used may still be in use, in seconds since 1970: the beginning of the oldest use, less what marks may be
    /// late. Removes what killed processes left.
    func usedSince() throws(BuildError) -> Int64 {
        var oldest = Int64(time(nil))
        for name in try FileCalls.names(in: uses) {
            let file = uses.appending(name)
            guard let node = try Node.read(file, .apply) else { continue }
            guard let lock = FileLock.hold(file, blocking: false) else {
                oldest = min(oldest, node.modified.seconds)
                continue
            }
            if FileLock.isCurrent(lock, file) { file.withCString { _ = unlink($0) } }
            close(lock)
        }
        return oldest - 2 * RecentUse.precision
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
