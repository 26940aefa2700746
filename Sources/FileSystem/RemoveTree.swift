import CLinux
import Glibc

/// Removes a file, or a directory with everything in it. Nothing there is fine.
///
/// Every step is anchored to an open directory, so that a symbolic link put in the way is removed, never followed;
/// directories without permissions are opened up first; other mounts are not entered. The depth of the tree is not
/// limited by descriptors: what lies too deep is first moved up.
package func removeTree(_ path: String) throws(FileSystemError) {
    try removeTree(in: AT_FDCWD, path.pathBytes, shown: path)
}

/// The same for a name in an open directory.
func removeTree(in parent: Int32, _ name: [UInt8], shown: String) throws(FileSystemError) {
    let gone = try name.withPath("remove the file") { unlinkat(parent, $0, 0) } == 0 || errno == ENOENT
    if gone { return }
    let unlinkCode = errno
    let remover: TreeRemover
    do {
        remover = TreeRemover(top: try TreeRemover.open(parent, name, shown: shown, anchored: false), path: shown)
    } catch {
        switch error.code {
        case ENOENT: return
        case ENOTDIR, ELOOP: throw FileSystemError("remove the file", path: shown, code: unlinkCode)
        default: throw error
        }
    }
    try remover.removeAll()
    let removed = try name.withPath("remove the directory") { unlinkat(parent, $0, AT_REMOVEDIR) } == 0
    guard removed || errno == ENOENT else { throw FileSystemError("remove the directory", path: shown, code: errno) }
}

private struct TreeRemover {
    let top: Directory
    let path: String
    private static let depthLimit = 48

    init(top: Directory, path: String) {
        self.top = top
        self.path = path
    }

    func removeAll() throws(FileSystemError) {
        // Each pass either removes everything or moves what was too deep to the top, where the next pass starts.
        while try !removeContents(of: top, depth: 0) {}
    }

    /// - Returns: whether everything is gone.
    private func removeContents(of directory: Directory, depth: Int) throws(FileSystemError) -> Bool {
        var done = true
        for entry in try directory.entries() {
            let name = entry.name
            let code = try call(unlinkat, directory, name, 0)
            if code == 0 || code == ENOENT { continue }
            guard code == EISDIR || code == EPERM || code == EACCES else {
                throw failure("remove the file", name, code)
            }
            let child: Directory
            do { child = try Self.open(directory.fd, name, shown: path) } catch {
                if error.code == ENOENT { continue }
                throw error.code == ENOTDIR ? failure("remove the file", name, code) : error
            }
            if depth >= Self.depthLimit {
                let moved = ".deep-\(UInt64.random(in: .min ... .max))"
                let (top, from) = (top.fd, directory.fd)
                let result = try name.withPath("move the directory") { renameat(from, $0, top, moved) }
                guard result == 0 else { throw failure("move the directory", name, errno) }
                done = false
                continue
            }
            guard try removeContents(of: child, depth: depth + 1) else {
                done = false
                let code = try call(unlinkat, directory, name, AT_REMOVEDIR)
                guard code == 0 || code == ENOENT || code == ENOTEMPTY else {
                    throw failure("remove the directory", name, code)
                }
                continue
            }
            let last = try call(unlinkat, directory, name, AT_REMOVEDIR)
            guard last == 0 || last == ENOENT else { throw failure("remove the directory", name, last) }
        }
        return done
    }

    /// Opens a directory to list it and to remove its entries, giving its owner the permissions that this takes.
    static func open(
        _ parent: Int32, _ name: [UInt8], shown: String, anchored: Bool = true
    ) throws(FileSystemError) -> Directory {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        for attempt in 0... {
            let fd = try name.withPath("open the directory") { (name) -> Int32 in
                guard anchored else { return linux_openat(parent, name, flags, 0) }
                let fd = linux_openat2(
                    parent, name, flags, 0, UInt64(linux_resolve_no_xdev | linux_resolve_no_symlinks))
                return fd < 0 && errno == ENOSYS ? linux_openat(parent, name, flags, 0) : fd
            }
            if fd >= 0 {
                let directory = Directory(owning: fd, path: shown)
                // Removing entries takes write and search permission, which reading it does not prove.
                if faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0 { _ = fchmod(fd, 0o700) }
                return directory
            }
            let code = errno
            let opened = try name.withPath("open the directory") { linux_chmod_nofollow(parent, $0, 0o700) } == 0
            guard code == EACCES, attempt == 0, opened else {
                throw FileSystemError("open the directory", path: shown, code: code)
            }
        }
        throw FileSystemError("open the directory", path: shown, code: EACCES)
    }

    private func call(
        _ function: (Int32, UnsafePointer<CChar>, Int32) -> Int32, _ directory: Directory, _ name: [UInt8],
        _ flags: Int32
    ) throws(FileSystemError) -> Int32 {
        try name.withPath("remove the file") { function(directory.fd, $0, flags) == 0 ? 0 : errno }
    }

    private func failure(_ operation: String, _ name: [UInt8], _ code: Int32) -> FileSystemError {
        FileSystemError(operation, path: "\(path)/…/\(name.shown)", code: code)
    }
}
