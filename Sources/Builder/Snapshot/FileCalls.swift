import Archive
import CLinux
import Glibc

/// The calls on the build's own directories. They take paths, not descriptors: nothing else writes there while a step is
/// applied, and every component above was seen to be a real directory.
enum FileCalls {
    /// The names in a directory, sorted by their bytes.
    static func names(in directory: HostPath) throws(BuildError) -> [FileName] {
        try names(of: directory.withCString { opendir($0) }, directory).map(\.name)
    }

    /// The names in a directory, sorted by their bytes, and which are those of directories.
    static func namesAndKinds(in directory: HostPath) throws(BuildError) -> [(name: FileName, isFolder: Bool)] {
        try names(of: directory.withCString { opendir($0) }, directory).map { (name, type) throws(BuildError) in
            // Not every file system tells.
            guard type == DT_UNKNOWN else { return (name, type == DT_DIR) }
            return (name, try Node.read(directory.appending(name), .apply)?.kind == .directory)
        }
    }

    /// Whether a directory is there and has nothing in it; however much it has, the first names tell.
    static func isEmpty(_ directory: HostPath) -> Bool {
        guard let stream = directory.withCString({ opendir($0) }) else { return false }
        defer { closedir(stream) }
        // Two of them are the directory itself and the one above.
        for _ in 0..<3 where Glibc.readdir(stream) == nil { return true }
        return false
    }

    /// The names in a directory that is open.
    static func names(in descriptor: borrowing FileContent.Descriptor, _ directory: HostPath) throws(BuildError)
        -> [FileName]
    {
        // The stream closes what it reads from.
        let own = fcntl(descriptor.raw, F_DUPFD_CLOEXEC, 0)
        guard own >= 0 else { throw directory.failure("list the directory") }
        let stream = fdopendir(own)
        if stream == nil { close(own) }
        return try names(of: stream, directory).map(\.name)
    }

    static func open(directory: HostPath, following: Bool) throws(BuildError) -> FileContent.Descriptor {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (following ? 0 : O_NOFOLLOW)
        let descriptor = directory.withCString { linux_openat(AT_FDCWD, $0, flags, 0) }
        guard descriptor >= 0 else { throw directory.failure("list the directory") }
        return FileContent.Descriptor(raw: descriptor)
    }

    private static func names(
        of stream: OpaquePointer?, _ directory: HostPath
    ) throws(BuildError) -> [(name: FileName, type: Int)] {
        guard let stream else { throw directory.failure("list the directory") }
        defer { closedir(stream) }
        var names: [(name: FileName, type: Int)] = []
        while true {
            errno = 0
            guard let entry = Glibc.readdir(stream) else {
                if errno != 0 { throw directory.failure("list the directory") }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                let bytes = UnsafeRawPointer(pointer)
                let length = strlen(bytes.assumingMemoryBound(to: CChar.self))
                return FileName(UnsafeRawBufferPointer(start: bytes, count: length))
            }
            if name == [0x2e] || name == [0x2e, 0x2e] { continue }
            names.append((name, Int(entry.pointee.d_type)))
        }
        return names.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// Runs `body` while the caller may list and change a directory, whatever its mode. Root always may.
    static func unlocked<Value>(
        _ directory: HostPath, _ ownership: OwnershipMode, _ body: () throws(BuildError) -> Value
    ) throws(BuildError) -> Value {
        let mode = try unlock(directory, ownership)
        let result = Result { () throws(BuildError) in try body() }
        if let mode { try setMode(directory, mode) }
        return try result.get()
    }

    /// Lets the caller list and change a directory, whatever its mode.
    ///
    /// - Returns: the mode to put back; `nil` when nothing was done.
    static func unlock(_ directory: HostPath, _ ownership: OwnershipMode) throws(BuildError) -> UInt32? {
        guard ownership == .record, let node = try Node.read(directory, .apply), node.mode & 0o700 != 0o700 else {
            return nil
        }
        try setMode(directory, node.mode | 0o700)
        return node.mode
    }

    static func target(ofLink path: HostPath) throws(BuildError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = path.withCString { name in
            buffer.withUnsafeMutableBytes { bytes in
                bytes.bindMemory(to: CChar.self).baseAddress.map { readlink(name, $0, bytes.count) } ?? -1
            }
        }
        guard count >= 0 else { throw path.failure("read the link") }
        return Array(buffer[..<count])
    }

    static func makeDirectory(_ path: HostPath, mode: UInt32 = 0o755) throws(BuildError) {
        guard path.withCString({ mkdir($0, mode) }) == 0 else { throw path.failure("make the directory") }
    }

    static func removeFile(_ path: HostPath) throws(BuildError) {
        guard path.withCString({ unlink($0) }) == 0 else { throw path.failure("remove the file") }
    }

    static func move(_ path: HostPath, to target: HostPath) throws(BuildError) {
        let result = path.withCString { from in target.withCString { rename(from, $0) } }
        guard result == 0 else { throw target.failure("move the file") }
    }

    /// Removes a file, or a directory with all below it.
    static func removeTree(_ path: HostPath) throws(BuildError) {
        guard try Node.read(path, .apply)?.kind == .directory else { return try removeFile(path) }
        for name in try names(in: path) { try removeTree(path.appending(name)) }
        guard path.withCString({ rmdir($0) }) == 0 else { throw path.failure("remove the directory") }
    }

    static func removeChildren(of directory: HostPath) throws(BuildError) {
        for name in try names(in: directory) { try removeTree(directory.appending(name)) }
    }

    static func makeWhiteout(_ path: HostPath) throws(BuildError) {
        guard path.withCString({ mknod($0, S_IFCHR, 0) }) == 0 else { throw path.failure("mark the file as removed") }
    }

    /// Times of access and modification.
    private static func times(_ time: Timestamp) -> [timespec] {
        Array(repeating: timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds)), count: 2)
    }

    /// As below, of an open file.
    static func setModified(_ descriptor: Int32, _ path: HostPath, _ time: Timestamp) throws(BuildError) {
        guard futimens(descriptor, times(time)) == 0 else { throw path.failure("set the time of the file") }
    }

    static func setModified(_ path: HostPath, _ time: Timestamp) throws(BuildError) {
        let times = times(time)
        guard path.withCString({ utimensat(AT_FDCWD, $0, times, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw path.failure("set the time of the file")
        }
    }

    /// Marks a file as used now. What cannot be marked is collected sooner.
    static func touch(_ path: HostPath) { _ = path.withCString { utimensat(AT_FDCWD, $0, nil, 0) } }

    static func setMode(_ path: HostPath, _ mode: UInt32) throws(BuildError) {
        guard path.withCString({ chmod($0, mode) }) == 0 else { throw path.failure("set the mode of the file") }
    }

    // MARK: Extended attributes

    static let opaqueAttribute = "user.overlay.opaque"

    static func isOpaque(_ directory: HostPath) -> Bool {
        var value: UInt8 = 0
        return directory.withCString { lgetxattr($0, opaqueAttribute, &value, 1) } == 1 && value == UInt8(ascii: "y")
    }

    /// The attributes that belong into an image: not those of overlay, of SELinux, or of our own book-keeping.
    static func attributes(of path: HostPath) throws(BuildError) -> [String: [UInt8]] {
        let size = path.withCString { llistxattr($0, nil, 0) }
        guard size > 0 else {
            if size == 0 || errno == ENOTSUP || errno == EPERM { return [:] }
            throw path.failure("list the attributes of the file")
        }
        var buffer = [UInt8](repeating: 0, count: size)
        let read = path.withCString { name in
            buffer.withUnsafeMutableBytes { llistxattr(name, $0.bindMemory(to: CChar.self).baseAddress, $0.count) }
        }
        guard read >= 0 else { throw path.failure("list the attributes of the file") }
        var found: [String: [UInt8]] = [:]
        for bytes in buffer[..<read].split(separator: 0) {
            let name = String(decoding: bytes, as: UTF8.self)
            guard isOfImage(name) else { continue }
            let length = path.withCString { lgetxattr($0, name, nil, 0) }
            guard length >= 0 else { continue }
            var value = [UInt8](repeating: 0, count: length)
            let got = path.withCString { file in
                value.withUnsafeMutableBytes { lgetxattr(file, name, $0.baseAddress, length) }
            }
            guard got >= 0 else { continue }
            value = Array(value[..<got])
            if name == OwnershipRecord.markerAttribute {
                // An owner's mark on a file that cannot be executed is no capability.
                if OwnershipRecord(marker: value) != nil { continue }
                value = OwnershipRecord.capability(ofImage: value)
            }
            found[name] = value
        }
        return found
    }

    static func isOfImage(_ name: String) -> Bool {
        name == "security.capability"
            || (name.hasPrefix("user.") && !name.hasPrefix("user.overlay.") && !name.hasPrefix("user.slipway."))
    }

    static func setAttribute(_ path: HostPath, _ name: String, _ value: [UInt8]) throws(BuildError) {
        let result = path.withCString { file in
            value.withUnsafeBytes { lsetxattr(file, name, $0.baseAddress, $0.count, 0) }
        }
        guard result == 0 else { throw path.failure("set the attribute \(name) of the file") }
    }

    static func removeAttribute(_ path: HostPath, _ name: String) throws(BuildError) {
        guard path.withCString({ lremovexattr($0, name) }) == 0 else {
            throw path.failure("remove the attribute \(name) of the file")
        }
    }
}
