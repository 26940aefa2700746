import FileSystem
import Glibc

/// A directory for one build, removed with everything in it when the build is over. What a killed build left behind is
/// removed when the next one starts: the lock tells, which the kernel drops with the process.
final class ScratchDirectory: Sendable {
    let path: HostPath
    private let lock: Int32
    private let lockPath: HostPath

    init(in folder: String) throws(BuildError) {
        let parent = HostPath(folder)
        while true {
            let name = String(UInt64.random(in: .min ... .max), radix: 36)
            let lockPath = parent.appending(name + ".lock")
            guard let lock = FileLock.hold(lockPath, blocking: true) else { throw lockPath.failure("lock the file") }
            // A cleaner may have taken the file away between its making and its locking.
            guard FileLock.isCurrent(lock, lockPath) else {
                close(lock)
                continue
            }
            let path = parent.appending(name)
            guard path.withCString({ mkdir($0, 0o700) }) == 0 else {
                let error = path.failure("make the directory")
                close(lock)
                throw error
            }
            self.path = path
            self.lock = lock
            self.lockPath = lockPath
            return
        }
    }

    /// A new empty directory inside.
    ///
    /// - Parameter mode: of one that becomes an image's root, what a root has.
    func makeDirectory(_ name: String, mode: UInt32 = 0o755) throws(BuildError) -> HostPath {
        let directory = path.appending(name)
        try FileCalls.makeDirectory(directory, mode: mode)
        return directory
    }

    func remove(_ directory: HostPath) throws(BuildError) {
        do throws(FileSystemError) { try removeTree(directory.text) } catch { throw BuildError(.storage, from: error) }
    }

    /// Removes the directory now, whoever else still holds it: a thread that worked in it may let go of it later.
    func end() {
        try? removeTree(path.text)
        unlink(lockPath.text)
    }

    deinit {
        end()
        close(lock)
    }

    /// Removes the directories of builds that died.
    static func removeAbandoned(in folder: String) throws(BuildError) {
        let parent = HostPath(folder)
        for name in try FileCalls.names(in: parent) where name.text.hasSuffix(".lock") {
            let lockPath = parent.appending(name)
            guard let lock = FileLock.hold(lockPath, blocking: false) else { continue }
            defer { close(lock) }
            guard FileLock.isCurrent(lock, lockPath) else { continue }
            try? removeTree(parent.appending(String(name.text.dropLast(5))).text)
            unlink(lockPath.text)
        }
    }
}

/// Advisory locks on files, between processes and within one.
enum FileLock {
    /// An open descriptor that holds the lock, to be closed by the caller; `nil` when another holds it, or on failure.
    static func hold(_ path: HostPath, blocking: Bool) -> Int32? {
        let descriptor = path.withCString { open($0, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
        guard descriptor >= 0 else { return nil }
        while flock(descriptor, blocking ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Whether the locked file is still the one that has the name.
    static func isCurrent(_ descriptor: Int32, _ path: HostPath) -> Bool {
        var held = stat()
        var named = stat()
        guard fstat(descriptor, &held) == 0, path.withCString({ lstat($0, &named) }) == 0 else { return false }
        return held.st_ino == named.st_ino && held.st_dev == named.st_dev
    }
}
