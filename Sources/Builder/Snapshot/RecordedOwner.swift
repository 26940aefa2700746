import Archive
import CLinux
import Glibc

/// Reads and writes the true owners of files that could not be given away: see `OwnershipRecord`.
enum RecordedOwner {
    static func apply(to node: inout Node, at path: HostPath) {
        // Without a record a file of the caller's own is root's in the image.
        node.uid = 0
        node.gid = 0
        guard node.kind == .file || node.kind == .directory else { return }
        var buffer = [UInt8](repeating: 0, count: 64)
        let length = path.withCString { lgetxattr($0, OwnershipRecord.attribute, &buffer, buffer.count) }
        guard length > 0, let record = OwnershipRecord(Array(buffer[..<length])) else { return }
        node.uid = record.uid
        node.gid = record.gid
        guard let special = record.node else { return }
        switch special.mode & S_IFMT {
        case S_IFCHR: node.kind = .characterDevice
        case S_IFBLK: node.kind = .blockDevice
        default: return
        }
        node.mode = special.mode & 0o7777
        node.rdev = special.rdev
        node.size = 0
    }

    /// Links and fifos can carry no record: their owner is lost, and root's in the image.
    static func write(_ node: Node, to path: HostPath) throws(BuildError) {
        var record = OwnershipRecord(uid: node.uid, gid: node.gid)
        switch node.kind {
        case .characterDevice: record.node = OwnershipRecord.Node(mode: S_IFCHR | node.mode, rdev: node.rdev)
        case .blockDevice: record.node = OwnershipRecord.Node(mode: S_IFBLK | node.mode, rdev: node.rdev)
        case .file, .directory: if node.uid == 0 && node.gid == 0 { return }
        case .symlink, .fifo, .socket: return
        }
        try FileCalls.setAttribute(path, OwnershipRecord.attribute, record.text)
    }
}
