/// A mounted file system as this process sees it: proc_pid_mountinfo(5).
package struct MountPoint: Sendable, Equatable {
    package let path: String
    /// `ext4`, `overlay`, `tmpfs`, …
    package let type: String
    /// `noexec` among them.
    package let options: Set<String>

    /// The mount that a path, absolute and without links, lies on.
    package static func of(_ path: String) -> MountPoint? {
        find(path, in: KernelFile.read("/proc/self/mountinfo") ?? "")
    }

    /// Of several mounts over one another, the last one counts.
    static func find(_ path: String, in text: String) -> MountPoint? {
        var found: MountPoint?
        for line in text.split(separator: "\n") {
            // id, parent, device, root, mount point, options, optional fields, "-", type, source, options
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, dash + 1 < fields.count else { continue }
            let point = ThrowAwayRoot.unescaped(fields[4])
            guard point == "/" || path == point || path.hasPrefix(point + "/") else { continue }
            if let found, found.path.utf8.count > point.utf8.count { continue }
            found = MountPoint(
                path: point, type: String(fields[dash + 1]),
                options: Set(fields[5].split(separator: ",").map(String.init)))
        }
        return found
    }
}
