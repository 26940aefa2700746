import CGit2
import Glibc

/// An open bare repository: the synchronous half of everything that `Mirror` and `ObjectReader` do.
///
/// Used from one thread at a time; its owner sees to that.
struct Repository: ~Copyable {
    let handle: Handle<RepositoryKind>
    let database: Handle<DatabaseKind>
    let path: String

    /// Opens the repository at exactly this path, without looking further up.
    init(opening path: String) throws(GitError) {
        try Library.start()
        let repository = try Handle<RepositoryKind>("cannot open the git repository", place: path) {
            git_repository_open_ext(&$0, path, GIT_REPOSITORY_OPEN_NO_SEARCH.rawValue, nil)
        }
        let pointer = repository.pointer
        let objects = try Handle<DatabaseKind>("cannot open the object database", place: path) {
            git_repository_odb(&$0, pointer)
        }
        handle = repository
        database = objects
        self.path = path
    }

    private init(_ handle: consuming Handle<RepositoryKind>, _ database: consuming Handle<DatabaseKind>, path: String) {
        self.handle = handle
        self.database = database
        self.path = path
    }

    /// A repository of nothing, which has no files: what stands where another one is to be closed.
    static func nothing(in path: String) throws(GitError) -> Repository {
        Repository(
            try Handle<RepositoryKind>("cannot close the git repository", place: path) { git_repository_new(&$0) },
            try Handle<DatabaseKind>("cannot close the git repository", place: path) { git_odb_new(&$0) }, path: path)
    }

    /// Makes an empty bare repository.
    static func create(at path: String) throws(GitError) -> Repository {
        try Library.start()
        try Storage.makeDirectories(path)
        var options = git_repository_init_options()
        git_repository_init_options_init(&options, UInt32(GIT_REPOSITORY_INIT_OPTIONS_VERSION))
        options.flags =
            GIT_REPOSITORY_INIT_BARE.rawValue | GIT_REPOSITORY_INIT_MKPATH.rawValue
            | GIT_REPOSITORY_INIT_NO_REINIT.rawValue
        options.mode = 0o700
        do {
            _ = try Handle<RepositoryKind>("cannot make the git mirror", place: path) {
                git_repository_init_ext(&$0, path, &options)
            }
        }
        return try Repository(opening: path)
    }

    /// Where packs are stored.
    var packDirectory: String {
        let common = git_repository_commondir(handle.pointer).map { String(cString: $0) } ?? path + "/"
        return common + "objects/pack"
    }

    func exists(_ id: ObjectID) -> Bool {
        var oid = id.oid
        return git_odb_exists(database.pointer, &oid) == 1
    }

    /// What a reference points at, after following symbolic ones; `nil` when there is none.
    func reference(_ name: String) throws(GitError) -> ObjectID? {
        var oid = git_oid()
        let status = git_reference_name_to_id(&oid, handle.pointer, name)
        if status == GIT_ENOTFOUND.rawValue { return nil }
        guard status >= 0 else { throw .last(status, "cannot read the reference \(name)", place: path) }
        return ObjectID(oid)
    }

    func setReference(_ name: String, to id: ObjectID) throws(GitError) {
        var oid = id.oid
        _ = try Handle<ReferenceKind>("cannot set the reference \(name)", place: path) {
            git_reference_create(&$0, handle.pointer, name, &oid, 1, nil)
        }
    }

    func removeReference(_ name: String) {
        _ = git_reference_remove(handle.pointer, name)
    }

    /// Writes all objects of `tip` that are not reachable from `known` into another repository's pack directory.
    func copyObjects(
        of tip: ObjectID, excluding known: [ObjectID], toPackDirectory directory: String,
        failure: String
    ) throws(GitError) {
        let repository = handle.pointer
        let walk = try Handle<WalkKind>(failure, place: path) { git_revwalk_new(&$0, repository) }
        var oid = tip.oid
        try check(failure, place: path) { git_revwalk_push(walk.pointer, &oid) }
        for id in known where exists(id) {
            var oid = id.oid
            try check(failure, place: path) { git_revwalk_hide(walk.pointer, &oid) }
        }
        let builder = try Handle<PackBuilderKind>(failure, place: path) { git_packbuilder_new(&$0, repository) }
        _ = git_packbuilder_set_threads(builder.pointer, 0)
        try check(failure, place: path) { git_packbuilder_insert_walk(builder.pointer, walk.pointer) }
        guard git_packbuilder_object_count(builder.pointer) > 0 else { return }
        try PackSink.store(builder, of: self, in: directory, failure: failure)
    }
}
