/// One entry of a tar archive, as the formats ustar, pax and GNU together can say it.
///
/// https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
package struct TarEntry: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case file, directory, symlink, hardLink, characterDevice, blockDevice, fifo
    }

    /// Any bytes but NUL; `/` between names. May be absolute or hold `..`: the reader judges nothing.
    package var name: [UInt8]
    package var kind: Kind
    /// The permission bits (07777).
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// Bytes of content, of files.
    package var size: Int64
    package var modified: Time
    /// The target of a link.
    package var linkName: [UInt8]
    package var major: UInt32
    package var minor: UInt32
    /// Extended attributes by their full name (`SCHILY.xattr.*` without that prefix).
    package var xattrs: [String: [UInt8]]

    package struct Time: Sendable, Hashable {
        /// Seconds since 1970.
        package var seconds: Int64
        package var nanoseconds: Int32

        package init(seconds: Int64, nanoseconds: Int32 = 0) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    package init(
        name: [UInt8], kind: Kind, mode: UInt32 = 0o644, uid: UInt32 = 0, gid: UInt32 = 0, size: Int64 = 0,
        modified: Time = Time(seconds: 0), linkName: [UInt8] = [], major: UInt32 = 0, minor: UInt32 = 0,
        xattrs: [String: [UInt8]] = [:]
    ) {
        self.name = name
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.modified = modified
        self.linkName = linkName
        self.major = major
        self.minor = minor
        self.xattrs = xattrs
    }

    /// The name for messages.
    package var displayName: String { String(decoding: name.prefix(200), as: UTF8.self) }
}
