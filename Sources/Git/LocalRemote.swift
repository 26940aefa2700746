import Blocking
import CGit2
import Glibc

/// A repository on this machine, as far as it can be read without the program git: its references, at each cycle, and its
/// objects where that program is missing or does not serve it.
///
/// libgit2's own local transport is for neither reading nor writing: it copies the objects of every branch at each fetch, runs
/// no hooks, and leaves its locks in a person's repository when we are killed.
struct LocalRemote: ~Copyable {
    private let repository: Repository
    /// Whether it belongs to this user. Git's programs serve no other without being told to (git-config(1), `safe.directory`), and
    /// we run nothing of it.
    let isOwn: Bool
    let advertisement: Advertisement

    init(path: String, url: RemoteURL) throws(GitError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw GitError(
                .notFound, "there is no such repository", place: path, cause: String(cString: strerror(errno)),
                hint: "check the path")
        }
        let opened = try Self.open(path)
        advertisement = try Self.list(opened)
        repository = opened
        isOwn = status.st_uid == geteuid()
    }

    private static func open(_ path: String) throws(GitError) -> Repository {
        do {
            return try Repository(opening: path)
        } catch {
            if error.cause?.contains("objectformat") == true { throw .sha256(place: path) }
            throw GitError(
                .notFound, "this is not a git repository", place: path, cause: error.cause,
                hint: "a path as remote must name a (bare) repository")
        }
    }

    private static func list(_ repository: borrowing Repository) throws(GitError) -> Advertisement {
        var advertisement = Advertisement()
        let path = repository.path
        let pointer = repository.handle.pointer
        let iterator = try Handle<ReferenceIteratorKind>("cannot list the branches", place: path) {
            git_reference_iterator_new(&$0, pointer)
        }
        while true {
            var name: UnsafePointer<CChar>?
            let status = git_reference_next_name(&name, iterator.pointer)
            if status == GIT_ITEROVER.rawValue { break }
            guard status >= 0, let name else { throw .last(status, "cannot list the branches", place: path) }
            let text = String(cString: name)
            guard let id = try repository.reference(text) else { continue }
            advertisement.references[text] = id
            if text.hasPrefix("refs/tags/"), let target = repository.peeled(id), target != id {
                advertisement.references[text + "^{}"] = target
            }
        }
        advertisement.head = repository.headBranch
        return advertisement
    }

    /// How many mirrors copy at once: an agent that starts anew has hundreds to fill.
    private static let places: Blocking.Semaphore = {
        let places = Blocking.Semaphore()
        for _ in 0..<max(1, ProcessorCount.value) { places.signal() }
        return places
    }()

    /// Copies what `tip` needs into the mirror.
    func download(_ tip: ObjectID, into mirror: borrowing Repository, having known: [ObjectID]) throws(GitError) {
        // To pack takes processors and memory, and a network's latency is not waited for.
        Self.places.wait()
        defer { Self.places.signal() }
        try repository.copyObjects(
            of: tip, excluding: known, toPackDirectory: mirror.packDirectory,
            failure: "cannot fetch from the repository")
    }

    func copyObjects(_ ids: [ObjectID], to directory: String) throws(GitError) {
        try repository.copyObjects(ids, toPackDirectory: directory, failure: "cannot fetch from the repository")
    }
}

extension Repository {
    /// The branch that HEAD names, whether it exists or not.
    var headBranch: String? {
        var made: OpaquePointer?
        guard git_reference_lookup(&made, handle.pointer, "HEAD") == 0, let made else { return nil }
        defer { git_reference_free(made) }
        guard let target = git_reference_symbolic_target(made) else { return nil }
        let name = String(cString: target)
        return name.hasPrefix("refs/heads/") ? String(name.dropFirst(11)) : nil
    }

    /// What a tag object finally points at; the object itself when it is no tag.
    func peeled(_ id: ObjectID) -> ObjectID? {
        var oid = id.oid
        var object: OpaquePointer?
        guard git_object_lookup(&object, handle.pointer, &oid, GIT_OBJECT_ANY) == 0 else { return nil }
        defer { git_object_free(object) }
        var target: OpaquePointer?
        guard git_object_type(object) == GIT_OBJECT_TAG, git_object_peel(&target, object, GIT_OBJECT_ANY) == 0 else {
            return id
        }
        defer { git_object_free(target) }
        return git_object_id(target).map { ObjectID($0.pointee) }
    }
}
