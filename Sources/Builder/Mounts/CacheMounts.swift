import Glibc
import OCI

/// The directories of `RUN --mount=type=cache`: `caches/<namespace>/<identity>`, both as hashes.
///
/// A cache is known by its id. As in BuildKit, owner and mode that the mount asks for belong to the identity of a cache that begins empty:
/// a step never finds one that it may not write to because another step made it. A cache that begins with files of a stage, an
/// image or a context is another one than the empty one.
struct CacheMounts {
    let folder: HostPath
    private let namespace: String

    init(in folder: String, namespace: String) {
        self.folder = HostPath(folder)
        // Not 32 digits long, as were the names of caches before there were namespaces.
        self.namespace = String(Digest.sha256(of: Array(namespace.utf8)).encoded.prefix(24))
    }

    /// What stands for a mount's cache within the namespace. Mounts of one name share a directory.
    static func name(of cache: CacheMount, seed: (from: CopyOrigin, source: String)?) -> String {
        var hasher = KeyHasher()
        hasher.add(cache.id)
        if let seed {
            hasher.add(["from", "\(seed.from)", seed.source])
        } else {
            hasher.add(["\(cache.uid)", "\(cache.gid)", "\(cache.mode)"])
        }
        return String(hasher.finish().encoded.prefix(32))
    }

    /// Where a cache is, or would be.
    func directory(_ name: String) -> HostPath { folder.appending(namespace).appending(name) }

    /// Waits until nobody else has a cache's lock.
    ///
    /// - Returns: the lock, to be closed by the caller.
    func lock(_ name: String, for purpose: Purpose) throws(BuildError) -> Int32 {
        try makeNamespace()
        let path = folder.appending(namespace).appending(name + purpose.rawValue)
        guard let lock = FileLock.hold(path, blocking: true) else { throw path.failure("lock the file") }
        // The cache is used from here on, also by those that lock it no further.
        if purpose == .making { futimens(lock, nil) }
        return lock
    }

    /// The file that tells when a cache was used last.
    static func mark(of directory: HostPath) -> HostPath { HostPath(directory.text + Purpose.making.rawValue) }

    /// What the steps that used a cache were shown.
    func views(_ name: String) throws(BuildError) -> CacheViews {
        try makeNamespace()
        return try CacheViews(in: folder.appending(namespace).appending(name + ".views"))
    }

    enum Purpose: String {
        /// One step at a time has the cache.
        case use = ".lock"
        /// It is being made: another stage, or another build, may want the same one at this moment.
        case making = ".making"
    }

    private func makeNamespace() throws(BuildError) {
        let path = folder.appending(namespace)
        guard path.withCString({ mkdir($0, 0o700) }) != 0, errno != EEXIST else { return }
        throw path.failure("make the directory")
    }

    /// Removes caches of the time before there were namespaces: nobody is given them any more.
    static func removeUnnamed(in folder: HostPath) throws(BuildError) {
        for name in try FileCalls.names(in: folder) where name.text.prefix(while: \.isHexDigit).count == 32 {
            try FileCalls.removeTree(folder.appending(name))
        }
    }
}
