import Glibc

/// Keeps a second process, or a second mirror in this one, away from a mirror's directory: an `flock` on a file beside it,
/// which the kernel drops with the process however it ends.
struct MirrorLock: ~Copyable {
    private let descriptor: Int32

    init(path: String) throws(GitError) {
        let file = path + ".lock"
        while true {
            let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                throw GitError(
                    .storage, "cannot lock the git mirror", place: file, cause: String(cString: strerror(errno)),
                    hint: "the state directory must be writable")
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let inUse = errno == EWOULDBLOCK
                let cause = String(cString: strerror(errno))
                close(descriptor)
                throw GitError(
                    inUse ? .locked : .storage, "the git mirror is in use by another process", place: file,
                    cause: inUse ? nil : cause,
                    hint: "stop the other process or give this one a state directory of its own (--state-dir)")
            }
            // Whoever removed the mirror meanwhile removed the file with it: what is locked has to be what others find.
            var (locked, found) = (stat(), stat())
            if fstat(descriptor, &locked) == 0, stat(file, &found) == 0, locked.st_ino == found.st_ino,
                locked.st_dev == found.st_dev
            {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    deinit { close(descriptor) }
}
