import Glibc

/// What files take of the disk.
enum DiskUse {
    /// The blocks of a file, or of a directory with all below it, in bytes; follows no links. What cannot be read counts as nothing.
    static func bytes(of path: HostPath) -> Int64 {
        var status = stat()
        guard lstat(path.text, &status) == 0 else { return 0 }
        let own = Int64(status.st_blocks) * 512
        return status.st_mode & S_IFMT == S_IFDIR ? own + bytes(below: path.text) : own
    }

    private static func bytes(below path: String) -> Int64 {
        var total: Int64 = 0
        // What has several names takes its blocks once.
        var linked: Set<UInt64> = []
        var pending = [path]
        while let folder = pending.popLast() {
            guard let directory = opendir(folder) else { continue }
            defer { closedir(directory) }
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                var status = stat()
                guard fstatat(dirfd(directory), name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
                let isDirectory = status.st_mode & S_IFMT == S_IFDIR
                if isDirectory { pending.append(folder + "/" + name) }
                guard isDirectory || status.st_nlink < 2 || linked.insert(UInt64(status.st_ino)).inserted else {
                    continue
                }
                total += Int64(status.st_blocks) * 512
            }
        }
        return total
    }
}
