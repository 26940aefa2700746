import Glibc

/// When things in a store were used last, told by their modification times.
///
/// Whoever is about to use something marks it, and whoever makes room takes what was not marked for longest. The two never meet: a mark is
/// set under a shared lock, and things are taken under an exclusive one, after another look at their marks. Most uses cost one `stat`:
/// a mark of the last minute is not set again.
package struct RecentUse: Sendable {
    /// A mark may be so many seconds older than the use.
    package static let precision: Int64 = 60

    private let lock: String

    /// - Parameter lock: a file for the lock, whose directory exists.
    package init(lock: String) { self.lock = lock }

    /// Says that something is used now.
    ///
    /// - Returns: whether it is there.
    package func mark(_ path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else { return false }
        // A mark of the future is one of a clock that was wrong.
        if (0...Self.precision).contains(Int64(time(nil)) - Int64(status.st_mtim.tv_sec)) { return true }
        let descriptor = hold(LOCK_SH)
        defer { if descriptor >= 0 { close(descriptor) } }
        // What belongs to others, or lies on a disk that is read only, is not taken by us either.
        return utimensat(AT_FDCWD, path, nil, 0) == 0 || errno != ENOENT
    }

    /// Runs `body` while no mark is set, here or in another process. It should be short.
    package func withoutMarks<Value, Failure>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        let descriptor = hold(LOCK_EX)
        defer { if descriptor >= 0 { close(descriptor) } }
        return try body()
    }

    private func hold(_ operation: Int32) -> Int32 {
        let descriptor = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return -1 }
        while flock(descriptor, operation) != 0, errno == EINTR {}
        return descriptor
    }
}
