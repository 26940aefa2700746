import CLinux
import Glibc

/// The true owner of a file, kept in an extended attribute where the caller cannot give files away: `uid:gid`, and for
/// device nodes, which are then empty files, `uid:gid:mode:rdev`.
///
/// The archive module writes the same when it unpacks.
enum RecordedOwner {
    static let attribute = "user.slipway.owner"

    static func apply(to node: inout Node, at path: HostPath) {
        var buffer = [UInt8](repeating: 0, count: 64)
        let length = path.withCString { lgetxattr($0, attribute, &buffer, buffer.count) }
        // Without a record a file of the caller's own is root's in the image.
        node.uid = 0
        node.gid = 0
        guard length > 0 else { return }
        let parts = String(decoding: buffer[..<length], as: UTF8.self).split(separator: ":")
        guard parts.count >= 2, let uid = UInt32(parts[0]), let gid = UInt32(parts[1]) else { return }
        node.uid = uid
        node.gid = gid
        guard parts.count == 4, let mode = UInt32(parts[2]), let rdev = UInt64(parts[3]) else { return }
        switch mode & S_IFMT {
        case S_IFCHR: node.kind = .characterDevice
        case S_IFBLK: node.kind = .blockDevice
        default: return
        }
        node.mode = mode & 0o7777
        node.rdev = rdev
        node.size = 0
    }

    /// Links and special files can carry no such attribute: there the owner is lost, and root's in the image.
    static func write(_ node: Node, to path: HostPath) throws(BuildError) {
        switch node.kind {
        case .characterDevice, .blockDevice:
            let type = node.kind == .characterDevice ? S_IFCHR : S_IFBLK
            let text = "\(node.uid):\(node.gid):\(type | node.mode):\(node.rdev)"
            try FileCalls.setAttribute(path, attribute, Array(text.utf8))
        case .file, .directory:
            guard node.uid != 0 || node.gid != 0 else { return }
            try FileCalls.setAttribute(path, attribute, Array("\(node.uid):\(node.gid)".utf8))
        case .symlink, .fifo, .socket:
            return
        }
    }
}
