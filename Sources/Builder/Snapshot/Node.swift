import CLinux
import Glibc

/// How files that belong to others are kept on this machine.
enum OwnershipMode: Sendable {
    /// With their real owner (root).
    case apply
    /// As the caller's own, with the true owner written beside in an extended attribute.
    case record
}

struct Timestamp: Hashable, Sendable, Comparable {
    var seconds: Int64
    var nanoseconds: Int64 = 0

    /// Of a file that says nothing of its time: it gets that of the moment at which it is put somewhere.
    static let unset = Timestamp(seconds: .max)

    /// Now, by the clock that the kernel stamps files with.
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// Waits until that clock shows a later time: what is written from then on is newer. A tick takes 10 ms at most.
    func waitUntilPast() {
        for _ in 0..<100 where Timestamp.now == self { usleep(500) }
    }

    static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

/// One file of this machine, under whichever of its names.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    init(_ node: Node) { (device, inode) = (node.device, node.inode) }
}

/// What the kernel knows of a file, with the owner that the image sees.
struct Node: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case file, directory, symlink, characterDevice, blockDevice, fifo, socket
    }

    var kind: Kind
    /// The permission bits (07777).
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var size: Int64
    var modified: Timestamp
    var changed: Timestamp
    /// Of device nodes.
    var rdev: UInt64
    var inode: UInt64
    var device: UInt64
    var links: UInt64

    /// An overlay file system's mark that the name is gone.
    var isWhiteout: Bool { kind == .characterDevice && rdev == 0 }

    /// Device numbers as the archive has them.
    var major: UInt32 { UInt32(truncatingIfNeeded: ((rdev >> 8) & 0xfff) | ((rdev >> 32) & ~0xfff)) }
    var minor: UInt32 { UInt32(truncatingIfNeeded: (rdev & 0xff) | ((rdev >> 12) & ~0xff)) }

    static func device(major: UInt32, minor: UInt32) -> UInt64 {
        let major = UInt64(major)
        let minor = UInt64(minor)
        return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12) | ((major & ~0xfff) << 32)
    }

    /// The file at a path, links not followed; `nil` when there is none.
    static func read(_ path: HostPath, _ ownership: OwnershipMode) throws(BuildError) -> Node? {
        var status = stat()
        let result = path.withCString { lstat($0, &status) }
        guard result == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw path.failure("look at the file")
        }
        guard var node = Node(status) else { return nil }
        switch ownership {
        case .record: RecordedOwner.apply(to: &node, at: path)
        case .apply: if node.kind == .file { RecordedOwner.applyDevice(to: &node, at: path) }
        }
        return node
    }

    /// A name of an open directory, links not followed; `nil` when there is none.
    static func read(_ name: FileName, in directory: Int32, _ path: HostPath) throws(BuildError) -> Node? {
        var status = stat()
        let result = HostPath(bytes: name).withCString { fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) }
        guard result == 0 else {
            if errno == ENOENT { return nil }
            throw path.appending(name).failure("look at the file")
        }
        return Node(status)
    }

    /// An open file; `nil` for kinds that no image has.
    static func read(_ descriptor: Int32, _ path: HostPath) throws(BuildError) -> Node? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw path.failure("look at the file") }
        return Node(status)
    }

    private init?(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symlink
        case S_IFCHR: kind = .characterDevice
        case S_IFBLK: kind = .blockDevice
        case S_IFIFO: kind = .fifo
        case S_IFSOCK: kind = .socket
        default: return nil
        }
        mode = status.st_mode & 0o7777
        uid = status.st_uid
        gid = status.st_gid
        size = Int64(status.st_size)
        modified = Timestamp(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
        changed = Timestamp(seconds: Int64(status.st_ctim.tv_sec), nanoseconds: Int64(status.st_ctim.tv_nsec))
        rdev = UInt64(status.st_rdev)
        inode = UInt64(status.st_ino)
        device = UInt64(status.st_dev)
        links = UInt64(status.st_nlink)
    }
}
