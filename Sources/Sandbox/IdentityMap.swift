import Glibc

/// The user and group ids of user namespaces.
package enum IdentityMap {
    /// As root, every id stands for itself, so that owners in the image are owners on disk. Without root only the caller's own
    /// id can be mapped, and it is root's inside.
    static func write(for pid: pid_t, isRootless: Bool) throws(SandboxError) {
        if isRootless {
            try write("deny", to: "/proc/\(pid)/setgroups")
            try write("0 \(getegid()) 1\n", to: "/proc/\(pid)/gid_map")
            try write("0 \(geteuid()) 1\n", to: "/proc/\(pid)/uid_map")
        } else {
            try write(identity("/proc/self/gid_map"), to: "/proc/\(pid)/gid_map")
            try write(identity("/proc/self/uid_map"), to: "/proc/\(pid)/uid_map")
        }
    }

    /// The ranges that we have ourselves (in a pod with a user namespace not all of them), each onto itself.
    private static func identity(_ path: String) throws(SandboxError) -> String {
        guard let text = read(path) else { throw SandboxError(.mapIDs, errno) }
        var map = ""
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 3 else { continue }
            map += "\(fields[0]) \(fields[0]) \(fields[2])\n"
        }
        return map
    }

    /// A file of the kernel's, whole; of others no more than `limit` bytes.
    static func read(_ path: String, limit: Int = 16 << 10) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count >= 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// What a process's ids stand for outside, if that is not one piece of the machine's: what tells files that were made
    /// under one such map from those of another. Numbers and signs that may be in a file's name.
    package static var mark: String? {
        let maps = ["/proc/self/uid_map", "/proc/self/gid_map"].map { path in
            (read(path) ?? "").split(separator: "\n").map { line in
                line.split(separator: " ").dropFirst().joined(separator: "+")
            }
        }
        guard maps.contains(where: { $0.count > 1 }) else { return nil }
        return (maps[0] == maps[1] ? maps[0] : maps[0] + ["g"] + maps[1]).joined(separator: "-")
    }

    /// The kernel takes such a file in one write or not at all.
    private static func write(_ text: String, to path: String) throws(SandboxError) {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SandboxError(.mapIDs, errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw SandboxError(.mapIDs, errno) }
    }
}
