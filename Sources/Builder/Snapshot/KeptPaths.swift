/// What stays as it is in a root that is filled in its own place: mounts, the state directory, what the build reads. It is
/// neither removed nor replaced, and is in no layer.
struct KeptPaths: Sendable {
    private var paths: Set<HostPath> = []
    private var above: Set<HostPath> = []

    static let none = KeptPaths()

    private init() {}

    /// - Parameters:
    ///   - root: as the tree's walk begins.
    ///   - paths: absolute, on this machine; those outside of the root do not count.
    init(in root: HostPath, of rootPath: String, _ paths: [String]) {
        let prefix = ImagePath(rootPath).components
        for path in paths {
            let names = ImagePath(path).components
            guard names.count > prefix.count, names.starts(with: prefix) else { continue }
            var host = root
            for name in names.dropFirst(prefix.count).dropLast() {
                host = host.appending(name)
                above.insert(host)
            }
            self.paths.insert(host.appending(names[names.count - 1]))
        }
    }

    var isEmpty: Bool { paths.isEmpty }

    func contains(_ path: HostPath) -> Bool { paths.contains(path) }

    /// Whether something below a directory stays.
    func isAbove(_ path: HostPath) -> Bool { above.contains(path) }

    /// Removes a file or directory with all that need not stay.
    func clear(_ path: HostPath) throws(BuildError) {
        if contains(path) { return }
        guard isAbove(path), try Node.read(path, .apply)?.kind == .directory else {
            return try FileCalls.removeTree(path)
        }
        try clearChildren(of: path)
    }

    func clearChildren(of directory: HostPath) throws(BuildError) {
        for name in try FileCalls.names(in: directory) { try clear(directory.appending(name)) }
    }
}
