import CGit2
import Glibc

/// The files that the objects of a repository lie in.
struct ObjectFiles {
    /// A pack by its path without `.pack`, with its size in bytes.
    struct Pack: Hashable {
        let path: String
        let size: Int64
    }

    /// The smallest first.
    private(set) var packs: [Pack] = []
    /// Objects that have a file of their own.
    private(set) var loose: [ObjectID] = []

    /// - Parameter directory: `objects` of the repository.
    init(in directory: String) {
        for name in Storage.names(in: directory + "/pack") where name.hasPrefix("pack-") && name.hasSuffix(".pack") {
            let path = "\(directory)/pack/\(name.dropLast(5))"
            var status = stat()
            guard access(path + ".idx", F_OK) == 0, lstat(path + ".pack", &status) == 0 else { continue }
            packs.append(Pack(path: path, size: Int64(status.st_size)))
        }
        packs.sort { ($0.size, $0.path) < ($1.size, $1.path) }
        for folder in Storage.names(in: directory) where folder.utf8.count == 2 {
            for name in Storage.names(in: "\(directory)/\(folder)") {
                if let id = try? ObjectID(hex: folder + name) { loose.append(id) }
            }
        }
    }

    /// More of them than this are joined.
    static let packLimit = 24
    static let looseLimit = 256
    /// Larger packs stay as they are, as with git's `gc.bigPackThreshold`: to write them again takes long.
    static let sizeLimit: Int64 = 64 << 20

    var areMany: Bool { packs.count > Self.packLimit || loose.count > Self.looseLimit }

    /// The packs to be joined: the smallest ones, so many that each of the others is twice as large as all of them together. So an
    /// object is written again as often as the repository doubles, not each time (git-repack(1), `--geometric`).
    var toJoin: ArraySlice<Pack> {
        let candidates = packs.prefix { $0.size <= Self.sizeLimit }
        // The largest one that is not twice as large as all smaller ones together goes with these.
        var (count, sum): (Int, Int64) = (0, 0)
        for (index, pack) in candidates.enumerated() {
            if pack.size < 2 * sum { count = index + 1 }
            sum += pack.size
        }
        return candidates.prefix(count)
    }
}

extension Repository {
    /// Joins small packs and single objects to one pack when there are many, each of which costs inodes, and an open file while
    /// it is read from. No object goes.
    ///
    /// Whoever reads meanwhile goes on: open files stay readable, and libgit2 looks again for packs when it misses an object.
    ///
    /// - Returns: whether anything was joined. A handle that was open before still lists the old packs.
    func joinObjectFiles() throws(GitError) -> Bool {
        let directory = String(packDirectory.dropLast("/pack".count))
        let files = ObjectFiles(in: directory)
        guard files.areMany else { return false }
        let old = Array(files.toJoin)
        var ids = Set(files.loose)
        for pack in old { ids.formUnion(try Self.objects(inPack: pack.path)) }
        guard old.count > 1 || !files.loose.isEmpty, !ids.isEmpty else { return false }
        // On a handle of its own: what it opens and keeps goes with it.
        let workshop = try Repository(opening: path)
        try workshop.writePack(of: ids.sorted())
        let known = Set(files.packs)
        let new = ObjectFiles(in: directory).packs.filter { !known.contains($0) }
        // It is there as a whole, or nothing is removed.
        guard new.count == 1, Set(try Self.objects(inPack: new[0].path)) == ids else { return false }
        for pack in old {
            unlink(pack.path + ".pack")
            unlink(pack.path + ".idx")
        }
        for id in files.loose {
            let name = id.description
            unlink("\(directory)/\(name.prefix(2))/\(name.dropFirst(2))")
            rmdir("\(directory)/\(name.prefix(2))")
        }
        return true
    }

    /// The objects of one pack.
    ///
    /// - Parameter path: without `.idx`.
    private static func objects(inPack path: String) throws(GitError) -> [ObjectID] {
        let failure = "cannot read the pack"
        let database = try Handle<DatabaseKind>(failure, place: path) { git_odb_new(&$0) }
        var backend: OpaquePointer?
        let made = git_odb_backend_one_pack(&backend, path + ".idx")
        guard made >= 0 else { throw .last(made, failure, place: path) }
        // It belongs to the database from here on.
        let added = git_odb_add_backend(database.pointer, backend, 1)
        guard added >= 0 else { throw .last(added, failure, place: path) }
        var ids: [ObjectID] = []
        let listed = withUnsafeMutablePointer(to: &ids) { list in
            git_odb_foreach(
                database.pointer,
                { id, payload in
                    guard let id, let payload else { return GIT_EUSER.rawValue }
                    payload.assumingMemoryBound(to: [ObjectID].self).pointee.append(ObjectID(id.pointee))
                    return 0
                }, list)
        }
        guard listed >= 0 else { throw .last(listed, failure, place: path) }
        return ids
    }
}
