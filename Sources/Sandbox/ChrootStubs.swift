import Glibc

/// What a chroot needs and cannot mount: device nodes, name resolution. Put into the root before the step and taken out after
/// it, so that none of it gets into a layer; the root's own files of those names come back as they were.
///
/// Only for roots that are the caller's own copy: the paths are opened without following links, one directory deep.
package struct ChrootStubs {
    /// Paths below the root that are not to be compared: what stood there before the step stands there after it.
    package static let paths = devices.map { "dev/\($0.name)" } + ["etc/resolv.conf", "etc/hosts"]
    /// The directories around them, whose change time says nothing.
    package static let directories = ["dev", "etc"]

    private static let devices: [(name: String, minor: UInt32, major: UInt32)] = [
        ("null", 3, 1), ("zero", 5, 1), ("full", 7, 1), ("random", 8, 1), ("urandom", 9, 1), ("tty", 0, 5),
    ]

    private var directories: [(path: String, wasMade: Bool, times: [timespec])] = []
    private var files: [(path: String, saved: String?)] = []

    init(root: String, resolvConf: String?, hosts: String?) throws(SandboxError) {
        do throws(SandboxError) {
            // Making and removing names changes the time of the directory that holds them.
            _ = try enter(root)
            if let dev = try enter("\(root)/dev") {
                for device in Self.devices where access("\(dev)/\(device.name)", F_OK) != 0 {
                    // Where nodes may not be made, an image's own are all there is.
                    let number = dev_t(device.major) << 8 | dev_t(device.minor)
                    let path = "\(dev)/\(device.name)"
                    guard mknod(path, S_IFCHR | 0o666, number) == 0 else { continue }
                    chmod(path, 0o666)
                    files.append((path, nil))
                }
            }
            let contents = [("resolv.conf", resolvConf), ("hosts", hosts)]
            guard contents.contains(where: { $0.1 != nil }), let etc = try enter("\(root)/etc") else { return }
            for (name, source) in contents {
                guard let source, let bytes = IdentityMap.read(source) else { continue }
                try place(bytes, at: "\(etc)/\(name)", saving: "\(root).saved-\(name)")
            }
        } catch {
            remove()
            throw error
        }
    }

    /// - Returns: the directory, made when the root has nothing there; `nil` when something else is there.
    private mutating func enter(_ path: String) throws(SandboxError) -> String? {
        let wasMade = mkdir(path, 0o755) == 0
        var status = stat()
        guard lstat(path, &status) == 0 else { throw SandboxError(.root, errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else { return nil }
        directories.append((path, wasMade, [status.st_atim, status.st_mtim]))
        return path
    }

    private mutating func place(_ text: String, at path: String, saving saved: String) throws(SandboxError) {
        var status = stat()
        if lstat(path, &status) == 0 {
            guard status.st_mode & S_IFMT != S_IFDIR else { return }
            guard rename(path, saved) == 0 else { throw SandboxError(.root, errno) }
            files.append((path, saved))
        } else {
            files.append((path, nil))
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SandboxError(.root, errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else { throw SandboxError(.root, errno) }
    }

    /// Puts everything back. What the step made of the stubs is lost, as it is with the mounts of a container.
    func remove() {
        for (path, saved) in files.reversed() {
            unlink(path)
            if let saved { rename(saved, path) }
        }
        for (path, wasMade, times) in directories.reversed() {
            if wasMade && rmdir(path) == 0 { continue }
            if !wasMade { utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) }
        }
    }
}
