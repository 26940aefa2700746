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
/// Links, fifos and sockets can carry no such attribute; what they can carry are file capabilities, which mean nothing on
/// them. So theirs is kept as the numbers of a `security.capability`: see ``marker``. A RUN step writes both forms too
/// (`CSandbox/owner.c`).
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

    /// The attribute of files that can carry no attribute of users.
    package static let markerAttribute = "security.capability"
    private static let markerSign: UInt32 = 0x4f77_7241

    /// The owner in the form of file capabilities, VFS_CAP_REVISION_2: the numbers of both, and a sign.
    package var marker: [UInt8] {
        var bytes: [UInt8] = []
        for word: UInt32 in [0x0200_0000, uid, gid, Self.markerSign, 0] {
            withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Reads it in either revision; the kernel tells another's namespace by revision 3.
    package init?(marker bytes: some Collection<UInt8>) {
        guard bytes.count == 20 || bytes.count == 24 else { return nil }
        let bytes = Array(bytes)
        var words = [UInt32](repeating: 0, count: 5)
        for index in 0..<20 { words[index / 4] |= UInt32(bytes[index]) << UInt32(8 * (index % 4)) }
        guard words[3] == Self.markerSign else { return nil }
        self.init(uid: words[1], gid: words[2])
    }

    /// File capabilities as an image has them, VFS_CAP_REVISION_2: without the namespace for which revision 3 has them.
    package static func capability(ofImage bytes: [UInt8]) -> [UInt8] {
        guard bytes.count == 24, bytes[3] == 3 else { return bytes }
        return Array(bytes[..<3]) + [2] + Array(bytes[4..<20])
    }

    /// Whether there is anything to write down: what has no record is root's.
    package var isNeeded: Bool { uid != 0 || gid != 0 || node != nil }

    /// The record of a file in a directory; `nil` when it has none.
    package static func read(_ path: some PathName, in directory: Directory) throws(FileSystemError) -> OwnershipRecord?
    {
        try directory.attribute(path, attribute).flatMap { OwnershipRecord($0) }
    }
}
