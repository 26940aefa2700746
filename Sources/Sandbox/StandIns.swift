import CLinux
import CSandbox
import FileSystem
import Glibc

/// What a chroot needs and cannot mount: files and directories that stand in the root while the step runs, and are taken out
/// after it, so that none of them gets into a layer. What the root had under their names comes back as it was.
///
/// Every directory on the way is held open from before the step to after it. A step may put links where directories were;
/// nothing here goes through a path of the step's making.
final class StandIns {
    /// A directory of the root, open.
    private struct Folder {
        let descriptor: Int32
        /// Where it was made for the stand-in: its parent's place in `folders`, and its name.
        let made: (parent: Int, name: String)?
        let times: [timespec]
    }

    private struct Placed {
        let folder: Int
        let name: String
        /// What stood there before, under a name outside of the root.
        let saved: String?
        /// Where the stand-in goes back to; `nil`: it is removed.
        var origin: String?
    }

    private var folders: [Folder] = []
    private var placed: [Placed] = []
    /// A directory of ours beside the root, on the same file system.
    private let aside: String

    init(root: String) throws(SandboxError) {
        aside = Self.aside(of: root)
        guard mkdir(aside, 0o700) == 0 || errno == EEXIST else { throw SandboxError(.root, errno) }
        let descriptor = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SandboxError(.root, errno) }
        folders.append(Folder(descriptor: descriptor, made: nil, times: Self.times(descriptor)))
    }

    deinit { for folder in folders { close(folder.descriptor) } }

    /// Beside the root; of `/` itself, in it.
    static func aside(of root: String) -> String { root == "/" ? "/.slipway-aside" : root + ".aside" }

    private static func times(_ descriptor: Int32) -> [timespec] {
        var status = stat()
        fstat(descriptor, &status)
        return [status.st_atim, status.st_mtim]
    }

    /// Opens the directories of a path, and makes those that are not there.
    private func enter(_ path: [String]) throws(SandboxError) -> Int {
        var here = 0
        for name in path {
            let parent = folders[here].descriptor
            let isMade = mkdirat(parent, name, 0o755) == 0
            let descriptor = linux_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            guard descriptor >= 0 else { throw SandboxError(.mount, errno, subject: "/" + path.joined(separator: "/")) }
            folders.append(
                Folder(descriptor: descriptor, made: isMade ? (here, name) : nil, times: Self.times(descriptor)))
            here = folders.count - 1
        }
        return here
    }

    /// Clears a name of the root, and gives the directory that holds it.
    private func clear(_ path: String, returningTo origin: String?) throws(SandboxError) -> (Int32, String) {
        let names = path.split(separator: "/").map(String.init)
        guard let name = names.last else { throw SandboxError(.mount, EINVAL, subject: path) }
        let folder = try enter(names.dropLast())
        let descriptor = folders[folder].descriptor
        var status = stat()
        var saved: String?
        if fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 {
            let place = "\(aside)/before-\(placed.count)"
            guard renameat(descriptor, name, AT_FDCWD, place) == 0 else {
                throw SandboxError(.mount, errno, subject: path)
            }
            saved = place
        }
        placed.append(Placed(folder: folder, name: name, saved: saved, origin: origin))
        return (descriptor, name)
    }

    /// Moves a file or directory of the caller's to a path without links; `remove` moves it back.
    func lend(_ source: String, at path: String) throws(SandboxError) {
        let (descriptor, name) = try clear(path, returningTo: source)
        if renameat(AT_FDCWD, source, descriptor, name) == 0 { return }
        // Another file system, which a root in its own place sees.
        guard errno == EXDEV, symlinkat(source, descriptor, name) == 0 else {
            throw SandboxError(.mount, errno, subject: path)
        }
        placed[placed.count - 1].origin = nil
    }

    func makeDirectory(_ path: String, mode: mode_t) throws(SandboxError) {
        let (descriptor, name) = try clear(path, returningTo: nil)
        guard mkdirat(descriptor, name, 0o700) == 0, fchmodat(descriptor, name, mode, 0) == 0 else {
            throw SandboxError(.mount, errno, subject: path)
        }
    }

    /// An empty file, of nobody but root.
    func makeFile(_ path: String) throws(SandboxError) {
        let (descriptor, name) = try clear(path, returningTo: nil)
        let file = linux_openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SandboxError(.mount, errno, subject: path) }
        close(file)
    }

    /// A file with a text, unless the root has a directory of that name, or one that is mounted there (as a pod's are).
    func write(_ text: String, to path: String) throws(SandboxError) {
        guard !isDirectory(path) else { return }
        let (descriptor, name): (Int32, String)
        do { (descriptor, name) = try clear(path, returningTo: nil) } catch {
            // Nor through a link that an earlier step put where the directory was.
            if [EBUSY, ENOTDIR, ELOOP].contains(error.number) { return }
            throw error
        }
        let file = linux_openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw SandboxError(.root, errno) }
        defer { close(file) }
        fchmod(file, 0o644)
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw SandboxError(.root, errno) }
    }

    /// The devices of every container, as far as nodes may be made here and the root has none of that name.
    func makeDevices() throws(SandboxError) {
        let devices: [(name: String, major: UInt32, minor: UInt32)] = [
            ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
        ]
        guard let folder = try? enter(["dev"]) else { return }
        let descriptor = folders[folder].descriptor
        for device in devices {
            let number = linux_makedev(device.major, device.minor)
            guard linux_mknodat(descriptor, device.name, S_IFCHR | 0o666, number) == 0 else { continue }
            fchmodat(descriptor, device.name, 0o666, 0)
            placed.append(Placed(folder: folder, name: device.name, saved: nil, origin: nil))
        }
    }

    private func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return fstatat(folders[0].descriptor, String(path.drop { $0 == "/" }), &status, AT_SYMLINK_NOFOLLOW) == 0
            && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Puts everything back. What the step made of the stand-ins is lost, as it is with the mounts of a container; lent
    /// directories keep it.
    func remove() {
        for (index, item) in placed.enumerated().reversed() {
            let parent = folders[item.folder].descriptor
            let out = "\(aside)/after-\(index)"
            if renameat(parent, item.name, AT_FDCWD, out) == 0 {
                // The step may have put something else there: only a directory goes back for a directory.
                if let origin = item.origin, rename(out, origin) == 0 {
                } else {
                    try? removeTree(out)
                }
            }
            if let saved = item.saved { renameat(AT_FDCWD, saved, parent, item.name) }
        }
        placed = []
        for folder in folders.reversed() {
            if let made = folder.made, unlinkat(folders[made.parent].descriptor, made.name, AT_REMOVEDIR) == 0 {
                continue
            }
            if folder.made == nil { futimens(folder.descriptor, folder.times) }
        }
        try? removeTree(aside)
    }
}
