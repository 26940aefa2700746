package import CLinux
import Glibc

package enum FileType: Sendable, Equatable {
    case file, directory, symlink, characterDevice, blockDevice, fifo, socket
}

/// A point in time as file systems record it, counted from 1970.
package struct FileTime: Sendable, Hashable {
    package var seconds: Int64
    /// 0 ..< 1 000 000 000, also for times before 1970.
    package var nanoseconds: UInt32

    package init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// What statx(2) says of a file.
package struct FileStatus: Sendable, Equatable {
    package var type: FileType
    /// The permissions with setuid, setgid and sticky: 0 … 0o7777.
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    package var size: UInt64
    package var inode: UInt64
    package var device: UInt64
    /// The number of the device that the file stands for, as makedev makes it.
    package var rdev: UInt64
    package var nlink: UInt32
    package var mtime: FileTime
    package var ctime: FileTime

    package init(_ raw: linux_status) {
        type =
            switch raw.mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFLNK: .symlink
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            default: .file
            }
        mode = raw.mode & 0o7777
        uid = raw.uid
        gid = raw.gid
        size = raw.size
        inode = raw.inode
        device = raw.device
        rdev = raw.rdev
        nlink = raw.nlink
        mtime = FileTime(seconds: raw.mtime_seconds, nanoseconds: raw.mtime_nanoseconds)
        ctime = FileTime(seconds: raw.ctime_seconds, nanoseconds: raw.ctime_nanoseconds)
    }

    /// Whether overlayfs takes the file for the mark of a removed name.
    package var isWhiteout: Bool { type == .characterDevice && rdev == 0 }
}

/// A device's number as the kernel and `st_rdev` have it.
package func deviceNumber(major: UInt32, minor: UInt32) -> UInt64 { linux_makedev(major, minor) }

package func deviceParts(_ device: UInt64) -> (major: UInt32, minor: UInt32) {
    (linux_major(device), linux_minor(device))
}
