import Diagnostics
import Glibc

/// The directory in which Slipway keeps its caches. Images' files lie in it with the owners and modes that they have in their images,
/// programs that run as root (setuid) among them, beside secrets that a build may have left: nobody but its owner gets in.
///
/// It is marked as a cache by a `CACHEDIR.TAG` (https://bford.info/cachedir/), so that back-ups leave it out and the next process
/// knows it for Slipway's own.
package struct StateDirectory: Sendable, Hashable {
    package let path: String

    private static let mode: mode_t = 0o700
    private static let tag = "CACHEDIR.TAG"
    private static let tagText = """
        Signature: 8a477f597d28d172789f06886806bc55
        # This directory is a cache of slipway: it can be removed when slipway does not run.

        """
    /// What is in state directories without the tag: they are older, or a program that made one was killed. And what file systems
    /// have of their own.
    private static let names: Set<String> = [
        ".", "..", ".snapshot", "lost+found",
        tag, "builds", "ca-certificates.crt", "caches", "collected", "content", "contexts", "dates", "git",
        "git-sources",
        "in-place.lock", "indexes", "inventory", "layers", "records", "remote", "steps", "store.lock",
    ]
    private static let prefixes = [
        ".ca-certificates.crt.", ".nfs", ".status-", "builds@", "caches@", "layers@", "probe-", "status-",
    ]

    /// Opens the directory, makes it where it is missing (those above it with the usual permissions), and takes from others what they
    /// may do in it.
    ///
    /// One that belongs to another user, as a pod's volume may, keeps its mode: what is made in it is closed all the same.
    ///
    /// - Throws: also for a directory that others use too, such as `/tmp`: closing it would shut them out.
    package init(_ path: String) throws(StateDirectoryError) {
        self.path = path
        try Self.makeParents(of: path)
        if mkdir(path, Self.mode) == 0 {
            Self.mark(path)
            return
        }
        guard errno == EEXIST else { throw StateDirectoryError("make the state directory", path, errno) }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StateDirectoryError("open the state directory", path, errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw StateDirectoryError("look at the state directory", path, errno)
        }
        let isOwn = status.st_uid == geteuid()
        if isOwn, status.st_mode & 0o077 == 0 { return }
        guard !Self.isEverybodys(status, path) else {
            throw StateDirectoryError(sharedBy: "all users of this machine may write to it", path)
        }
        if let stranger = Self.stranger(in: path) {
            throw StateDirectoryError(sharedBy: "it holds '\(stranger)', which is not Slipway's", path)
        }
        if isOwn, fchmod(descriptor, Self.mode) != 0 {
            throw StateDirectoryError("close the state directory to other users", path, errno)
        }
        Self.mark(path)
    }

    /// Why a directory could not be opened as the state directory by this user; nothing is made or changed.
    package static func problem(with path: String) -> StateDirectoryError? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { return StateDirectoryError("look at the state directory", path, errno) }
            return problem(making: path)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return StateDirectoryError("open the state directory", path, ENOTDIR)
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            return StateDirectoryError("write to the state directory", path, errno)
        }
        if status.st_uid == geteuid(), status.st_mode & 0o077 == 0 { return nil }
        guard !isEverybodys(status, path) else {
            return StateDirectoryError(sharedBy: "all users of this machine may write to it", path)
        }
        return stranger(in: path).map {
            StateDirectoryError(sharedBy: "it holds '\($0)', which is not Slipway's", path)
        }
    }

    /// The nearest directory above has to take another one.
    private static func problem(making path: String) -> StateDirectoryError? {
        var parent = path[...]
        var status = stat()
        repeat {
            while parent.count > 1, parent.last == "/" { parent.removeLast() }
            guard let slash = parent.lastIndex(of: "/") else { return nil }
            parent = slash == parent.startIndex ? "/" : parent[..<slash]
        } while stat(String(parent), &status) != 0 && errno == ENOENT && parent != "/"
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return StateDirectoryError("make the state directory", path, ENOTDIR)
        }
        guard access(String(parent), W_OK | X_OK) == 0 else {
            return StateDirectoryError("make the state directory", path, errno)
        }
        return nil
    }

    /// A directory in it, made where it is missing, closed to others like the whole.
    package func folder(_ name: String) throws(StateDirectoryError) -> String {
        let folder = path + "/" + name
        if mkdir(folder, Self.mode) == 0 { return folder }
        guard errno == EEXIST else { throw StateDirectoryError("make the directory", folder, errno) }
        var status = stat()
        guard stat(folder, &status) == 0 else { throw StateDirectoryError("look at the directory", folder, errno) }
        if status.st_uid == geteuid(), status.st_mode & 0o077 != 0, chmod(folder, Self.mode) != 0 {
            throw StateDirectoryError("close the directory to other users", folder, errno)
        }
        return folder
    }

    private static func makeParents(of path: String) throws(StateDirectoryError) {
        let parents = path.split(separator: "/").dropLast().joined(separator: "/")
        guard !parents.isEmpty else { return }
        do throws(FileSystemError) { try makeDirectories((path.hasPrefix("/") ? "/" : "") + parents) } catch {
            throw StateDirectoryError(error.operation, error.path, error.code)
        }
    }

    /// Whether a directory is what /tmp is. A file system of its own in memory (`docker run --tmpfs`) has the mode of /tmp as well.
    private static func isEverybodys(_ status: stat, _ path: String) -> Bool {
        let known = ["/tmp", "/var/tmp", "/dev/shm"].contains { name in
            var other = stat()
            return stat(name, &other) == 0 && other.st_dev == status.st_dev && other.st_ino == status.st_ino
        }
        let isSticky = status.st_mode & S_ISVTX != 0 && status.st_mode & S_IWOTH != 0
        var above = stat()
        return known || isSticky && (stat(path + "/..", &above) != 0 || above.st_dev == status.st_dev)
    }

    /// The first name in a directory that no version of Slipway put there; `nil` also for a directory that has the tag.
    private static func stranger(in path: String) -> String? {
        var isMarked = false
        var stranger: String?
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == tag { isMarked = isMarked || isOurs("\(path)/\(tag)") }
            let isKnown = names.contains(name) || prefixes.contains { name.hasPrefix($0) }
            if !isKnown { stranger = stranger ?? name }
        }
        return isMarked ? nil : stranger
    }

    private static func isOurs(_ tag: String) -> Bool {
        guard let file = try? FileHandle(path: tag), let bytes = try? file.readAll(limit: 4096) else { return false }
        return bytes == Array(tagText.utf8)
    }

    /// A mark that cannot be written is missed by nobody but back-ups.
    private static func mark(_ path: String) {
        guard let file = try? FileHandle(path: "\(path)/\(tag)", flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600) else {
            return
        }
        try? file.write(all: Array(tagText.utf8))
    }
}

/// Why a directory cannot be the state directory.
package struct StateDirectoryError: Diagnostic, Equatable {
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?

    /// A call that failed.
    init(_ operation: String, _ path: String, _ number: Int32) {
        let error = FileSystemError(operation, path: path, code: number)
        summary = error.summary
        place = path
        cause = error.cause
        hint =
            switch number {
            // HOME is / for a pod's user that /etc/passwd does not have, and the default lies below HOME.
            case EACCES, EPERM, EROFS:
                "name a directory that this user may write to with --state-dir (or 'stateDirectory' in the configuration)"
            default: error.hint
            }
    }

    init(sharedBy cause: String, _ path: String) {
        summary = "this directory cannot be the state directory: others use it too"
        place = path
        self.cause = cause
        let own = path.hasSuffix("/") ? path + "slipway" : path + "/slipway"
        hint = "the state directory is closed to other users; give Slipway one of its own, such as \(own)"
    }
}
