import Blocking
import CGit2
import Glibc

/// A repository on this machine as a remote.
///
/// libgit2's own local transport copies the objects of every branch at each fetch and overwrites the remote's reference
/// without comparing it first; this one copies what a branch needs, and compares and swaps.
struct LocalRemote: ~Copyable {
    private let repository: Repository
    private let url: RemoteURL
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
        self.url = url
    }

    private static func open(_ path: String) throws(GitError) -> Repository {
        do {
            return try Repository(opening: path)
        } catch {
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

    /// Copies a commit there and moves the reference, if that still is where it was expected.
    ///
    /// - Parameter target: `nil` removes the reference.
    /// - Returns: whether the reference was moved.
    func upload(
        _ target: ObjectID?, from mirror: borrowing Repository, to reference: String, expecting: ObjectID?
    ) throws(GitError) -> Bool {
        if !repository.isBare, repository.headBranch.map({ "refs/heads/" + $0 }) == reference {
            throw GitError(
                .refused,
                "'\(Advertisement.short(reference))' is checked out in a repository with a work tree; it is not pushed to",
                place: url.description, hint: "use a bare repository (git clone --bare), or another branch")
        }
        guard let target else { return try remove(reference, expecting: expecting) }
        try mirror.copyObjects(
            of: target, excluding: Array(advertisement.references.values), toPackDirectory: repository.packDirectory,
            failure: "cannot push to the repository")
        var new = target.oid
        var old = (expecting ?? ObjectID(git_oid())).oid
        var made: OpaquePointer?
        let status = git_reference_create_matching(
            &made, repository.handle.pointer, reference, &new, 1, &old, "push")
        git_reference_free(made)
        switch status {
        case 0: return true
        case GIT_EMODIFIED.rawValue, GIT_ELOCKED.rawValue, GIT_ENOTFOUND.rawValue: return false
        default:
            throw .last(status, "cannot move '\(Advertisement.short(reference))'", place: url.description)
        }
    }

    private func remove(_ reference: String, expecting: ObjectID?) throws(GitError) -> Bool {
        var found: OpaquePointer?
        let status = git_reference_lookup(&found, repository.handle.pointer, reference)
        if status == GIT_ENOTFOUND.rawValue { return expecting == nil }
        guard status >= 0, let found else {
            throw .last(status, "cannot remove '\(Advertisement.short(reference))'", place: url.description)
        }
        defer { git_reference_free(found) }
        guard let target = git_reference_target(found), ObjectID(target.pointee) == expecting else { return false }
        // Compares once more with what was looked up, under the reference's lock.
        let removed = git_reference_delete(found)
        switch removed {
        case 0: return true
        case GIT_EMODIFIED.rawValue, GIT_ELOCKED.rawValue, GIT_ENOTFOUND.rawValue: return false
        default:
            throw .last(removed, "cannot remove '\(Advertisement.short(reference))'", place: url.description)
        }
    }

    /// Where a reference is now.
    func current(_ reference: String) throws(GitError) -> ObjectID? { try repository.reference(reference) }
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
