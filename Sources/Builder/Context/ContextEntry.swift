/// One file, folder or link of a build context.
package struct ContextEntry: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case file
        case directory
        /// The target as it is written in the link.
        case symlink(target: [UInt8])
        /// An empty file of the entry's mode in the image, as sockets become.
        case socket
        case fifo
        /// Something that cannot be put into an image (a submodule that is not checked out, a pointer to a large file
        /// kept elsewhere). It is an error only when an instruction selects it.
        case unavailable(reason: String, hint: String)
    }

    /// What two names of one file have in common.
    package struct LinkIdentity: Sendable, Hashable {
        package let device: UInt64
        package let inode: UInt64

        package init(device: UInt64, inode: UInt64) {
            self.device = device
            self.inode = inode
        }
    }

    /// Relative to the context's root, `/`-separated, neither empty nor with `.` or `..`. Any bytes but NUL.
    package var pathBytes: [UInt8]
    package var kind: Kind
    /// The permission bits (07777).
    package var mode: UInt32
    /// In bytes, of regular files.
    package var size: Int64
    /// Seconds since 1970; `nil` takes the build's own time.
    package var modified: Int64?
    /// The part of `modified` below a second: what was written later is newer also within a second.
    package var modifiedNanoseconds: Int64 = 0
    /// What identifies the bytes without reading them, such as `git:<blob id>`; `nil` when they must be hashed.
    package var contentID: String?
    /// Extended attributes that belong into an image, by their full names.
    package var attributes: [String: [UInt8]] = [:]
    /// Of files with more than one name.
    package var linkIdentity: LinkIdentity?

    package init(
        path: String, kind: Kind, mode: UInt32, size: Int64 = 0, modified: Int64? = nil, contentID: String? = nil
    ) {
        self.init(
            pathBytes: Array(path.utf8), kind: kind, mode: mode, size: size, modified: modified, contentID: contentID)
    }

    package init(
        pathBytes: [UInt8], kind: Kind, mode: UInt32, size: Int64 = 0, modified: Int64? = nil, contentID: String? = nil
    ) {
        self.pathBytes = pathBytes
        self.kind = kind
        self.mode = mode & 0o7777
        self.size = size
        self.modified = modified
        self.contentID = contentID
    }

    /// The path as text; bytes that are not UTF-8 are replaced.
    package var path: String { String(decoding: pathBytes, as: UTF8.self) }
}
