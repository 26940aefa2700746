package import FileSystem
import Glibc

/// What becomes of the owners that an archive names.
package enum OwnershipPolicy: Sendable, Hashable {
    /// Files are given to them (takes CAP_CHOWN).
    case apply
    /// Files stay the caller's own; who owns them is written beside, as ``OwnershipRecord``.
    case record
}

/// The owner of a file that could not be given away, kept in an extended attribute: `uid:gid` where that is not `0:0`, and
/// `uid:gid:mode:rdev` for a device node, which is then an empty file. Numbers are decimal, `mode` has the type's bits.
///
/// Only files and directories can carry it; links, fifos and sockets without a record are root's.
package struct OwnershipRecord: Sendable, Hashable {
    package static let attribute = "user.slipway.owner"

    package var uid: UInt32
    package var gid: UInt32
    /// Of a device node: the mode with the type's bits, and the device's number as makedev makes it.
    package var node: Node?

    package struct Node: Sendable, Hashable {
        package var mode: UInt32
        package var rdev: UInt64

        package init(mode: UInt32, rdev: UInt64) {
            self.mode = mode
            self.rdev = rdev
        }
    }

    package init(uid: UInt32, gid: UInt32, node: Node? = nil) {
        self.uid = uid
        self.gid = gid
        self.node = node
    }

    /// - Returns: `nil` for text that is no record.
    package init?(_ text: [UInt8]) {
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 2 || parts.count == 4, let uid = UInt32(parts[0]), let gid = UInt32(parts[1]) else {
            return nil
        }
        self.init(uid: uid, gid: gid)
        guard parts.count == 4 else { return }
        guard let mode = UInt32(parts[2]), let rdev = UInt64(parts[3]) else { return nil }
        node = Node(mode: mode, rdev: rdev)
    }

    package var text: [UInt8] {
        Array((node.map { "\(uid):\(gid):\($0.mode):\($0.rdev)" } ?? "\(uid):\(gid)").utf8)
    }

    /// Whether there is anything to write down: what has no record is root's.
    var isNeeded: Bool { uid != 0 || gid != 0 || node != nil }

    /// The record of a file in a directory; `nil` when it has none.
    package static func read(_ path: some PathName, in directory: Directory) throws(FileSystemError) -> OwnershipRecord?
    {
        try directory.attribute(path, attribute).flatMap { OwnershipRecord($0) }
    }
}
