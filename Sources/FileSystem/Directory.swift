import CLinux
import Glibc

/// An open directory. Paths given to its methods are looked up below it and nowhere else: absolute ones and `..` stop at
/// this directory as at a root, and symbolic links on the way are followed as if it were `/`. The last name of a path is
/// never followed unless a method says so.
package final class Directory: Sendable {
    package let fd: Int32
    /// For messages.
    package let path: String

    package init(path: String) throws(FileSystemError) {
        let fd = try path.withPath("open the directory") {
            linux_openat(AT_FDCWD, $0, linux_o_path | O_DIRECTORY | O_CLOEXEC, 0)
        }
        guard fd >= 0 else { throw FileSystemError("open the directory", path: path, code: errno) }
        self.fd = fd
        self.path = path
    }

    /// Takes over an open descriptor.
    package init(owning fd: Int32, path: String) {
        self.fd = fd
        self.path = path
    }

    deinit { close(fd) }

    /// Makes the directory and those above it where they are missing, and opens it.
    package static func create(path: String, mode: UInt32 = 0o755) throws(FileSystemError) -> Directory {
        try FileSystem.makeDirectories(path, mode: mode)
        return try Directory(path: path)
    }

    // MARK: Opening

    /// Opens a file below this directory. A last symbolic link is followed, within this directory, unless `flags`
    /// has O_NOFOLLOW.
    package func openFile(
        _ path: some PathName, flags: Int32 = O_RDONLY, mode: UInt32 = 0o644
    ) throws(FileSystemError) -> FileHandle {
        let fd = try path.withPath("open the file") { resolve($0, flags | O_CLOEXEC, mode) }
        guard fd >= 0 else { throw failure("open the file", path, errno) }
        return FileHandle(owning: fd, path: shown(path))
    }

    /// A directory below this one; "" is another handle on this one. Symbolic links are followed within this directory,
    /// or are an error (ELOOP).
    package func directory(
        _ path: some PathName, followingLinks: Bool = true
    ) throws(FileSystemError) -> Directory {
        let name = path.pathBytes
        let fd = try (name.isEmpty ? [UInt8(ascii: ".")] : name).withPath("open the directory") {
            resolve($0, linux_o_path | O_DIRECTORY | O_CLOEXEC, 0, followingLinks: followingLinks)
        }
        guard fd >= 0 else { throw failure("open the directory", path, errno) }
        return Directory(owning: fd, path: shown(path))
    }

    /// The status of a name; a last symbolic link is not followed unless asked for.
    package func status(_ path: some PathName, following: Bool = false) throws(FileSystemError) -> FileStatus {
        guard let status = try statusIfPresent(path, following: following) else {
            throw failure("read the status", path, ENOENT)
        }
        return status
    }

    /// As ``status(_:following:)``; `nil` when there is nothing of that name.
    package func statusIfPresent(
        _ path: some PathName, following: Bool = false
    ) throws(FileSystemError) -> FileStatus? {
        let name = path.pathBytes
        let flags = linux_o_path | O_CLOEXEC | (following ? 0 : O_NOFOLLOW)
        let fd = try (name.isEmpty ? [UInt8(ascii: ".")] : name).withPath("read the status") { resolve($0, flags, 0) }
        guard fd >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("read the status", path, errno)
        }
        return try FileHandle(owning: fd, path: shown(path)).status()
    }

    /// The names in this directory with their types where the file system tells, in the order of their bytes.
    package func entries() throws(FileSystemError) -> [DirectoryEntry] {
        // Through a descriptor of its own, for this one may be O_PATH and its position is shared.
        let copy = linux_openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard copy >= 0 else { throw FileSystemError("list the directory", path: path, code: errno) }
        guard let stream = fdopendir(copy) else {
            let code = errno
            close(copy)
            throw FileSystemError("list the directory", path: path, code: code)
        }
        defer { closedir(stream) }
        var found: [DirectoryEntry] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw FileSystemError("list the directory", path: path, code: errno) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                let bytes = UnsafeRawPointer(pointer)
                return [UInt8](
                    UnsafeRawBufferPointer(start: bytes, count: strlen(bytes.assumingMemoryBound(to: CChar.self))))
            }
            if name == [0x2e] || name == [0x2e, 0x2e] { continue }
            found.append(DirectoryEntry(name: name, type: DirectoryEntry.type(Int32(entry.pointee.d_type))))
        }
        return found.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    package func readLink(_ path: some PathName) throws(FileSystemError) -> [UInt8] {
        try atParent(of: path, "read the link") { parent, name in
            var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = buffer.withUnsafeMutableBytes { bytes in
                bytes.bindMemory(to: CChar.self).baseAddress.map { readlinkat(parent, name, $0, bytes.count) } ?? -1
            }
            return count < 0 ? nil : Array(buffer[..<count])
        }
    }

    // MARK: Changing

    package func makeDirectory(_ path: some PathName, mode: UInt32 = 0o755) throws(FileSystemError) {
        try change(path, "make the directory") { mkdirat($0, $1, mode) }
    }

    /// Makes the directory and those above it where they are missing.
    package func makeDirectories(_ path: some PathName, mode: UInt32 = 0o755) throws(FileSystemError) {
        var made: [UInt8] = []
        for part in path.pathBytes.split(separator: UInt8(ascii: "/")) where Array(part) != [0x2e] {
            made += (made.isEmpty ? [] : [UInt8(ascii: "/")]) + part
            do { try makeDirectory(made, mode: mode) } catch { if error.code != EEXIST { throw error } }
        }
    }

    package func symlink(_ path: some PathName, target: some PathName) throws(FileSystemError) {
        let failed = try target.withPath("make the link") { target in
            Result { () throws(FileSystemError) in try change(path, "make the link") { symlinkat(target, $0, $1) } }
        }
        try failed.get()
    }

    /// A second name for a file, here or below another directory; a last symbolic link is linked, not followed.
    package func link(
        _ path: some PathName, to existing: some PathName, in other: Directory? = nil
    ) throws(FileSystemError) {
        let source = other ?? self
        try source.atParent(of: existing, "link the file") { sourceParent, sourceName -> Void? in
            do throws(FileSystemError) {
                try change(path, "link the file") { linkat(sourceParent, sourceName, $0, $1, 0) }
                return ()
            } catch {
                errno = error.code
                return nil
            }
        }
    }

    package func rename(_ from: some PathName, to: some PathName) throws(FileSystemError) {
        try atParent(of: from, "rename the file") { fromParent, fromName -> Void? in
            do throws(FileSystemError) {
                try change(to, "rename the file") { renameat(fromParent, fromName, $0, $1) }
                return ()
            } catch {
                errno = error.code
                return nil
            }
        }
    }

    /// Gives two names of one directory each other's file, at once.
    ///
    /// - Returns: `false` where the file system cannot do it; then nothing has changed.
    package func exchange(_ one: some PathName, _ other: some PathName) throws(FileSystemError) -> Bool {
        var isSupported = true
        try atParent(of: one, "exchange the files") { parent, name -> Void? in
            do throws(FileSystemError) {
                try change(other, "exchange the files") {
                    linux_renameat2(parent, name, $0, $1, UInt32(linux_rename_exchange))
                }
                return ()
            } catch {
                if [EINVAL, ENOSYS, EOPNOTSUPP].contains(error.code) {
                    isSupported = false
                    return ()
                }
                errno = error.code
                return nil
            }
        }
        return isSupported
    }

    /// Makes a device node, a fifo, a socket or an overlay whiteout (`S_IFCHR` with device 0).
    /// - Parameter mode: with the type's bits.
    package func makeNode(_ path: some PathName, mode: UInt32, device: UInt64) throws(FileSystemError) {
        try change(path, "make the device node") { linux_mknodat($0, $1, mode, device) }
    }

    /// Removes a name; directories only when `recursively`.
    package func remove(_ path: some PathName, recursively: Bool = false) throws(FileSystemError) {
        let (parent, name) = path.parentAndName
        // The directory itself is not a name in it.
        guard !name.isEmpty, name != [0x2e], name != [0x2e, 0x2e] else {
            throw failure("remove the file", path, EINVAL)
        }
        do { try change(path, "remove the file") { unlinkat($0, $1, 0) } } catch {
            guard recursively, error.code == EISDIR || error.code == EPERM else { throw error }
            // The parent is pinned by its descriptor; removeTree itself follows nothing below it.
            let holder = try directory(parent)
            try removeTree(in: holder.fd, name, shown: shown(path))
        }
    }

    // MARK: Attributes; a last symbolic link is never followed

    package func setOwner(_ path: some PathName, uid: UInt32, gid: UInt32) throws(FileSystemError) {
        try change(path, "change the owner") { fchownat($0, $1, uid, gid, AT_SYMLINK_NOFOLLOW) }
    }

    package func setMode(_ path: some PathName, _ mode: UInt32) throws(FileSystemError) {
        try change(path, "change the mode") { linux_chmod_nofollow($0, $1, mode) }
    }

    package func setTime(_ path: some PathName, _ time: FileTime) throws(FileSystemError) {
        try change(path, "set the time") {
            linux_set_times($0, $1, time.seconds, Int64(time.nanoseconds), AT_SYMLINK_NOFOLLOW)
        }
    }

    package func setAttribute(_ path: some PathName, _ name: String, _ value: [UInt8]) throws(FileSystemError) {
        try change(path, "set the attribute \(name)") { parent, file in
            withProcPath(parent, file) { path in
                value.withUnsafeBytes { lsetxattr(path, name, $0.baseAddress, $0.count, 0) }
            }
        }
    }

    /// As `setAttribute`, for attributes that only root may set: an ordinary user is root of a namespace of its own. Fails
    /// with EPERM where none can be made.
    package func setAttributeInNamespace(
        _ path: some PathName, _ name: String, _ value: [UInt8]
    ) throws(FileSystemError) {
        let (parent, last) = try pinned(path)
        let file = last.map { CChar(bitPattern: $0) } + [0]
        let result = value.withUnsafeBytes {
            linux_set_attribute_in_namespace(parent.fd, file, name, $0.baseAddress, $0.count)
        }
        guard result == 0 else {
            throw FileSystemError("set the attribute \(name)", path: path.shown, code: errno)
        }
    }

    package func attribute(_ path: some PathName, _ name: String) throws(FileSystemError) -> [UInt8]? {
        let (parent, last) = try pinned(path)
        return try ExtendedAttributes.get(name, path: Array("/proc/self/fd/\(parent.fd)/".utf8) + last)
    }

    package func attributeNames(_ path: some PathName) throws(FileSystemError) -> [String] {
        let (parent, last) = try pinned(path)
        return try ExtendedAttributes.list(path: Array("/proc/self/fd/\(parent.fd)/".utf8) + last)
    }

    // MARK: Resolution

    /// openat2 with this directory as the root of the look-up, or the same done name by name where the kernel (or
    /// a sandbox like gVisor) has no openat2.
    func resolve(
        _ path: UnsafePointer<CChar>, _ flags: Int32, _ mode: UInt32, followingLinks: Bool = true
    ) -> Int32 {
        // openat2 refuses a mode where nothing can be made.
        let mode = flags & O_CREAT != 0 ? mode & 0o7777 : 0
        let links = followingLinks ? linux_resolve_no_magiclinks : linux_resolve_no_symlinks
        let resolve = UInt64(linux_resolve_in_root | links)
        let found = retrying { linux_openat2(fd, path, flags, mode, resolve) }
        if found >= 0 || errno != ENOSYS { return found }
        return resolveByName(
            [UInt8](UnsafeRawBufferPointer(start: path, count: strlen(path))), flags, mode,
            followingLinks: followingLinks)
    }

    /// Runs a call on the parent directory's descriptor and the last name of a path.
    @discardableResult
    func atParent<Result>(
        of path: some PathName, _ operation: String, _ body: (Int32, UnsafePointer<CChar>) -> Result?
    ) throws(FileSystemError) -> Result {
        let (parent, name) = try pinned(path, operation)
        guard let result = try name.withPath(operation, { body(parent.fd, $0) }) else {
            throw failure(operation, path, errno)
        }
        return result
    }

    private func change(
        _ path: some PathName, _ operation: String, _ body: (Int32, UnsafePointer<CChar>) -> Int32
    ) throws(FileSystemError) {
        try atParent(of: path, operation) { body($0, $1) == 0 ? () : nil }
    }

    private func pinned(
        _ path: some PathName, _ operation: String = "find the file"
    ) throws(FileSystemError) -> (Directory, [UInt8]) {
        let (parent, name) = path.parentAndName
        guard !name.isEmpty, name != [0x2e], name != [0x2e, 0x2e] else {
            // The directory itself may be named where its attributes are meant.
            if path.pathBytes.isEmpty || name == [0x2e] { return (self, [0x2e]) }
            throw failure(operation, path, EINVAL)
        }
        return (parent.isEmpty ? self : try directory(parent), name)
    }

    private func withProcPath(
        _ parent: Int32, _ name: UnsafePointer<CChar>, _ body: (UnsafePointer<CChar>) -> Int32
    ) -> Int32 {
        var path = Array("/proc/self/fd/\(parent)/".utf8CString.dropLast())
        path.append(contentsOf: UnsafeBufferPointer(start: name, count: strlen(name) + 1))
        return path.withUnsafeBufferPointer { $0.baseAddress.map(body) ?? -1 }
    }

    private func shown(_ path: some PathName) -> String { "\(self.path)/\(path.shown)" }

    private func failure(_ operation: String, _ path: some PathName, _ code: Int32) -> FileSystemError {
        FileSystemError(operation, path: shown(path), code: code)
    }
}

/// One name in a directory.
package struct DirectoryEntry: Sendable, Equatable {
    package var name: [UInt8]
    /// `nil` where the file system does not tell without a look at the file.
    package var type: FileType?

    static func type(_ raw: Int32) -> FileType? {
        switch raw {
        case 8: .file
        case 4: .directory
        case 10: .symlink
        case 2: .characterDevice
        case 6: .blockDevice
        case 1: .fifo
        case 12: .socket
        default: nil
        }
    }
}
