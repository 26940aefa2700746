import Archive
import CLinux
import Glibc

/// Reads and writes the true owners of files that could not be given away: see `OwnershipRecord`.
enum RecordedOwner {
    static func apply(to node: inout Node, at path: HostPath) {
        // Without a record a file of the caller's own is root's in the image.
        node.uid = 0
        node.gid = 0
        guard node.kind == .file || node.kind == .directory else {
            var marker = [UInt8](repeating: 0, count: 32)
            let length = path.withCString {
                lgetxattr($0, OwnershipRecord.markerAttribute, &marker, marker.count)
            }
            guard length > 0, let record = OwnershipRecord(marker: marker[..<length]) else { return }
            (node.uid, node.gid) = (record.uid, record.gid)
            return
        }
        guard let record = record(at: path) else { return }
        node.uid = record.uid
        node.gid = record.gid
        guard let special = record.node else { return }
        node.become(special)
        node.mode = special.mode & 0o7777
    }

    /// A device node that could not be made where owners are real: all but what it is, the file has itself.
    static func applyDevice(to node: inout Node, at path: HostPath) {
        if let special = record(at: path)?.node { node.become(special) }
    }

    private static func record(at path: HostPath) -> OwnershipRecord? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let length = path.withCString { lgetxattr($0, OwnershipRecord.attribute, &buffer, buffer.count) }
        return length > 0 ? OwnershipRecord(Array(buffer[..<length])) : nil
    }

    static func write(_ node: Node, to path: HostPath) throws(BuildError) {
        var record = OwnershipRecord(uid: node.uid, gid: node.gid)
        switch node.kind {
        case .characterDevice: record.node = OwnershipRecord.Node(mode: S_IFCHR | node.mode, rdev: node.rdev)
        case .blockDevice: record.node = OwnershipRecord.Node(mode: S_IFBLK | node.mode, rdev: node.rdev)
        case .file, .directory: if node.uid == 0 && node.gid == 0 { return }
        case .symlink, .fifo, .socket:
            if record.isNeeded { try setPrivileged(path, OwnershipRecord.markerAttribute, record.marker) }
            return
        }
        try FileCalls.setAttribute(path, OwnershipRecord.attribute, record.text)
    }

    /// As `write`, where there may be a record already.
    static func replace(by node: Node, at path: HostPath) throws(BuildError) {
        guard node.uid == 0 && node.gid == 0 else { return try write(node, to: path) }
        let record = OwnershipRecord(uid: 0, gid: 0)
        switch node.kind {
        case .characterDevice, .blockDevice: try write(node, to: path)
        case .file, .directory:
            guard has(OwnershipRecord.attribute, path) else { return }
            try FileCalls.setAttribute(path, OwnershipRecord.attribute, record.text)
        case .symlink, .fifo, .socket:
            guard has(OwnershipRecord.markerAttribute, path) else { return }
            try setPrivileged(path, OwnershipRecord.markerAttribute, record.marker)
        }
    }

    private static func has(_ name: String, _ path: HostPath) -> Bool {
        path.withCString { lgetxattr($0, name, nil, 0) } >= 0
    }

    /// Sets an attribute that only root may set. Where no user namespace can be made either, the build says so.
    static func setPrivileged(_ path: HostPath, _ name: String, _ value: [UInt8]) throws(BuildError) {
        let result = path.withCString { file in
            value.withUnsafeBytes { linux_set_attribute_in_namespace(AT_FDCWD, file, name, $0.baseAddress, $0.count) }
        }
        guard result == 0 else {
            throw path.failure("keep the owner or the capabilities of the file without root")
        }
    }
}

extension Node {
    fileprivate mutating func become(_ special: OwnershipRecord.Node) {
        switch special.mode & S_IFMT {
        case S_IFCHR: kind = .characterDevice
        case S_IFBLK: kind = .blockDevice
        default: return
        }
        rdev = special.rdev
        size = 0
    }
}
