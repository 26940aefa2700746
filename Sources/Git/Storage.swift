import FileSystem
import Glibc

/// What the mirror does to its own directory.
enum Storage {
    /// Makes a directory and those above it.
    static func makeDirectories(_ path: String) throws(GitError) {
        do throws(FileSystemError) { try FileSystem.makeDirectories(path, mode: 0o700) } catch {
            throw GitError(
                .storage, "cannot make the directory of the git mirror", place: error.path, cause: error.cause,
                hint: "the state directory must be writable")
        }
    }

    /// Removes a directory with all that is in it, following no symbolic link. Nothing there is no error.
    static func removeTree(_ path: String) throws(GitError) {
        do throws(FileSystemError) { try FileSystem.removeTree(path) } catch {
            throw GitError(
                .storage, "cannot remove the damaged git mirror", place: error.path, cause: error.cause,
                hint: "remove it by hand")
        }
    }

    static func rename(_ path: String, to other: String) throws(GitError) {
        guard Glibc.rename(path, other) != 0 else { return }
        throw GitError(
            .storage, "cannot rename a file of the git repository", place: path,
            cause: String(cString: strerror(errno)),
            hint: "the state directory must be writable")
    }

    /// Removes the files below a directory whose names are as asked, down to a depth; follows no symbolic link.
    static func removeFiles(below path: String, depth: Int, _ isUnwanted: (String) -> Bool) {
        guard depth > 0 else { return }
        for name in names(in: path) {
            let file = path + "/" + name
            var status = stat()
            guard lstat(file, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                removeFiles(below: file, depth: depth - 1, isUnwanted)
            } else if isUnwanted(name) {
                unlink(file)
            }
        }
    }

    /// Lets everybody read a tree whose files are its owner's alone, and nobody else write it; follows no symbolic link.
    static func makeReadable(_ path: String) throws(GitError) {
        var status = stat()
        var failed = lstat(path, &status) != 0
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            failed = failed || chmod(path, 0o755) != 0
            for name in names(in: path) { try makeReadable(path + "/" + name) }
        case S_IFREG:
            // Packs may be written by nobody.
            failed = failed || chmod(path, status.st_mode & S_IWUSR | 0o444) != 0
        default: break
        }
        guard failed else { return }
        throw GitError(.storage, "cannot set the mode", place: path, cause: String(cString: strerror(errno)))
    }

    /// The names in a directory; none when it cannot be read.
    static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// A small file's bytes, at most `limit`; `nil` when it cannot be read.
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        try? FileHandle(path: path).readAll(limit: limit)
    }

    /// Writes a small file in place of the old one.
    static func write(_ bytes: [UInt8], to path: String) throws(GitError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        var rest = bytes[...]
        while descriptor >= 0, !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        let cause = String(cString: strerror(errno))
        guard descriptor >= 0, close(descriptor) == 0, rest.isEmpty else {
            throw GitError(.storage, "cannot write", place: path, cause: cause, hint: DiskSpace.hint)
        }
    }
}
