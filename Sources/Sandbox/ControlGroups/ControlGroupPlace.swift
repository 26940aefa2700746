import Glibc

/// Where a process is in the machine's hierarchy of control groups of version 2, as directories go.
///
/// https://docs.kernel.org/admin-guide/cgroup-v2.html
struct ControlGroupPlace: Equatable {
    let path: String

    /// - Parameters:
    ///   - membership: `/proc/self/cgroup`; the line of version 2 is `0::PATH`.
    ///   - mounts: `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
    /// - Returns: `nil` where there is no such hierarchy, or no mount of it shows the group.
    init?(membership: String, mounts: String) {
        guard let line = membership.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return nil }
        let group = line.dropFirst("0::".count)
        for line in mounts.split(separator: "\n") {
            // id, parent, device, root, mount point, options, optional fields, "-", type, source, options
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, dash + 1 < fields.count,
                fields[dash + 1] == "cgroup2"
            else { continue }
            let (root, point) = (fields[3], fields[4])
            // A mount of a part of the hierarchy shows what is below that part.
            let inside =
                root == "/" ? group : group.hasPrefix("\(root)/") || group == root ? group.dropFirst(root.count) : nil
            guard let inside, !inside.split(separator: "/").contains("..") else { continue }
            let rest = inside.split(separator: "/").map { "/\($0)" }.joined()
            path = (point == "/" ? "" : String(point)) + rest
            return
        }
        return nil
    }

    /// This process's.
    static var own: ControlGroupPlace? {
        guard let membership = KernelFile.read("/proc/self/cgroup"),
            let mounts = KernelFile.read("/proc/self/mountinfo")
        else { return nil }
        return ControlGroupPlace(membership: membership, mounts: mounts)
    }
}
