import Blocking
import CGit2

/// A bare copy of one remote repository, and the way to write back to it.
///
/// The copy is a cache: it is made when missing, made anew when damaged, and follows a rewritten branch. One process uses
/// it at a time. All calls run one after another on a thread of their own, where libgit2 may block.
package actor Mirror {
    private let executor: BlockingExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Where the mirror is on disk.
    package nonisolated let path: String
    /// What it mirrors, without secrets.
    package nonisolated let url: RemoteURL
    private(set) var credentials: GitCredentials
    /// Where the programs are looked for that lead to a remote; `nil`: on PATH.
    let searchPath: String?
    private let lock: MirrorLock
    private var opened: Repository
    /// Whether `opened` is of nothing: the mirror has no file open until somebody reads or writes.
    private var isResting = false
    /// The head that the last fetch found, which is here.
    private var known: (branch: String, head: Commit)?
    /// How often something was added since it was last looked at how many files there are.
    private var additions = Mirror.additionsBetweenLooks
    /// A read met damage: the next fetch starts from nothing.
    private var isDamaged = false
    /// What the remote said last.
    private var advertisement: Advertisement?
    /// What the last fetch found.
    package private(set) var lastFetch: FetchReport?

    /// Opens the mirror at `path`, or makes it.
    ///
    /// - Parameters:
    ///   - path: a directory that is only used for this; `path` + ".lock" is used too.
    ///   - url: anything that `git clone` takes. Its user information is used and never shown.
    ///   - searchPath: where `git` and `ssh` are looked for, which lead to a remote that is a path or reached by SSH; `nil`: on PATH.
    package init(
        path: String, url: String, credentials: GitCredentials = GitCredentials(), searchPath: String? = nil
    ) throws(GitError) {
        executor = BlockingExecutor(label: "slipway.git")
        self.path = path
        self.url = try RemoteURL(url)
        self.credentials = credentials
        self.searchPath = searchPath
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        try Storage.makeDirectories(path.hasPrefix("/") ? "/" + parent : parent)
        lock = try MirrorLock(path: path)
        opened = try Self.open(path, origin: self.url)
    }

    var repository: Repository {
        _read {
            if isResting { wake() }
            yield opened
        }
    }

    /// Removes the mirror at a path, if nobody works with it.
    ///
    /// - Throws: `.locked` when somebody does.
    package static func remove(at path: String) throws(GitError) {
        let lock = try MirrorLock(path: path)
        try Storage.removeTree(path)
        try Storage.removeTree(path + ".lock")
        _ = consume lock
    }

    /// Takes other credentials from now on: those of a file that changed.
    package func use(_ credentials: GitCredentials) { self.credentials = credentials }

    /// The existing mirror when it is sound and of the same remote, otherwise a new one.
    private static func open(_ path: String, origin: RemoteURL) throws(GitError) -> Repository {
        let mark = path + "/slipway-origin"
        if Storage.read(mark, limit: 1 << 16) == Array(origin.description.utf8) {
            // What an interrupted fetch left behind; nobody else writes here.
            for name in Storage.names(in: path + "/objects/pack") where name.hasPrefix("pack_git2_") {
                try? Storage.removeTree(path + "/objects/pack/" + name)
            }
            // Locks and half-written objects of a process that was killed: the mirror's own lock says that nobody has them.
            for name in ["HEAD.lock", "config.lock", "packed-refs.lock"] { try? Storage.removeTree(path + "/" + name) }
            Storage.removeFiles(below: path + "/refs", depth: 32) { $0.hasSuffix(".lock") }
            // What a build of that process saw.
            try? Storage.removeTree(path + "/slipway-git-directories")
            Storage.removeFiles(below: path + "/objects", depth: 2) { $0.hasPrefix("tmp_object_git2_") }
            if let repository = try? Repository(opening: path) { return repository }
        }
        return try make(path, origin: origin)
    }

    private static func make(_ path: String, origin: RemoteURL) throws(GitError) -> Repository {
        try Storage.removeTree(path)
        let repository = try Repository.create(at: path)
        // Written last: a mirror without its mark was never finished.
        try Storage.write(Array(origin.description.utf8), to: path + "/slipway-origin")
        return repository
    }

    // MARK: Fetching

    /// Brings the mirror to the remote's state of one branch and returns that branch's head.
    ///
    /// With nothing new it costs one reference advertisement. A branch that was rewritten is followed; `lastFetch` tells.
    /// A damaged mirror is made anew.
    package func fetch(
        branch: String, progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) throws(GitError) -> Commit {
        if isDamaged { try remake() }
        do {
            return try fetchOnce(branch, progress: progress)
        } catch  where error.code == .corrupt {
            // Stays so until a new one is there: the disk may be full.
            isDamaged = true
            try remake()
            return try fetchOnce(branch, progress: progress)
        }
    }

    private func remake() throws(GitError) {
        known = nil
        opened = try Self.make(path, origin: url)
        isResting = false
        isDamaged = false
    }

    private func fetchOnce(_ branch: String, progress: ((FetchProgress) -> Void)?) throws(GitError) -> Commit {
        let reference = try Self.reference(branch)
        let known = known?.branch == branch ? known?.head : nil
        let previous: ObjectID? = if let known { known.id } else { try repository.reference(reference) }
        let (tip, isNew) = try download(reference, having: previous, known: known?.id, progress: progress) {
            (remote) throws(GitError) in try existing(branch, in: remote)
        }
        if let known, known.id == tip {
            lastFetch = FetchReport(previous: known.id, head: known.id, isRewritten: false, downloaded: false)
            rest()
            return known
        }
        self.known = nil
        guard let tip else { throw GitError(.branchNotFound, "the repository has no branch '\(branch)'") }
        let commit = try verified(tip)
        if previous != tip { try repository.setReference(reference, to: tip) }
        var isRewritten = false
        if let previous { isRewritten = try !repository.isAncestor(previous, of: tip) }
        lastFetch = FetchReport(previous: previous, head: tip, isRewritten: isRewritten, downloaded: isNew)
        if isNew { noteAddition() }
        joinFilesIfDue()
        self.known = (branch, commit)
        return commit
    }

    // MARK: Files

    /// Gives back files and memory that reading took: nothing is new, so nobody reads for a while. What others open beside it, a
    /// build's context say, is closed with them: libgit2 shares open packs in the process.
    private func rest() {
        joinFilesIfDue()
        guard !isResting, let nothing = try? Repository.nothing(in: path) else { return }
        opened = nothing
        isResting = true
        Library.giveBackMemory()
    }

    private func wake() {
        do throws(GitError) {
            opened = try Repository(opening: path)
            isResting = false
        } catch {
            // The reading says what is missing, and the next fetch makes the mirror anew.
            isDamaged = true
        }
    }

    private static let additionsBetweenLooks = 16

    /// Objects were added: a pack, or files of their own.
    func noteAddition() { additions += 1 }

    /// Each fetch brings a pack, and each commit some files: they become few again, now and then.
    private func joinFilesIfDue() {
        guard additions >= Self.additionsBetweenLooks else { return }
        additions = 0
        // What is not joined stays as it is; damage is found by who reads.
        guard (try? repository.joinObjectFiles()) == true, let nothing = try? Repository.nothing(in: path) else {
            return
        }
        opened = nothing
        isResting = true
    }

    /// Asks the remote what it has, and gets the objects that `choose` picks from a reference, when they are not here yet.
    private func download(
        _ reference: String, having previous: ObjectID?, known: ObjectID? = nil,
        progress: ((FetchProgress) -> Void)?, choose: (Advertisement) throws(GitError) -> ObjectID?
    ) throws(GitError) -> (ObjectID?, isNew: Bool) {
        let program = ServiceProgram.find(for: url, in: searchPath)
        if case .local(let remotePath) = url.transport {
            let remote = try LocalRemote(path: remotePath, url: url)
            advertisement = remote.advertisement
            guard let tip = try choose(remote.advertisement) else { return (nil, false) }
            if tip == known || repository.exists(tip) { return (tip, false) }
            guard program != nil, remote.isOwn else {
                try remote.download(tip, into: repository, having: previous.map { [$0] } ?? [])
                return (tip, true)
            }
        }
        let session = RemoteSession(url: url, credentials: credentials, progress: progress, program: program)
        let connection = try Connection(repository, session: session, direction: GIT_DIRECTION_FETCH)
        advertisement = connection.advertisement
        guard let tip = try choose(connection.advertisement) else { return (nil, false) }
        if tip == known || repository.exists(tip) { return (tip, false) }
        try connection.download(reference: reference)
        return (tip, true)
    }

    /// Where another branch of the remote is, with its commits in the mirror; `nil` when there is no such branch.
    ///
    /// It costs nothing when the remote, as last heard, has no such branch, or is where the mirror is.
    package func fetchIfPresent(branch: String) throws(GitError) -> Commit? {
        guard let tip = try fetchReference(try Self.reference(branch)) else { return nil }
        return try verified(tip)
    }

    /// The same for any reference.
    func fetchReference(_ reference: String, fresh: Bool = false) throws(GitError) -> ObjectID? {
        let previous = try repository.reference(reference)
        if !fresh, let advertisement {
            guard let known = advertisement.references[reference] else { return nil }
            if repository.exists(known) {
                if previous != known { try repository.setReference(reference, to: known) }
                return known
            }
        }
        let (tip, _) = try download(reference, having: previous, progress: nil) { $0.references[reference] }
        if let tip, previous != tip { try repository.setReference(reference, to: tip) }
        return tip
    }

    /// The remote's branches as last heard, by name.
    package var advertisedBranches: [String: ObjectID] {
        guard let advertisement else { return [:] }
        return Dictionary(
            uniqueKeysWithValues: advertisement.branches.compactMap { name in
                advertisement.branch(name).map { (name, $0) }
            })
    }

    /// What a push of ours has changed at the remote.
    func noteAdvertised(_ reference: String, _ target: ObjectID?) { advertisement?.references[reference] = target }

    /// The head of a branch that must exist.
    private func existing(_ branch: String, in advertisement: Advertisement) throws(GitError) -> ObjectID {
        if let id = advertisement.branch(branch) { return id }
        let branches = advertisement.branches
        let shown = branches.prefix(20).joined(separator: ", ") + (branches.count > 20 ? ", …" : "")
        throw GitError(
            .branchNotFound, "the repository has no branch '\(branch)'", place: url.description,
            hint: branches.isEmpty ? "the repository is empty: push a first commit" : "it has: \(shown)")
    }

    /// A commit that is fully here as far as a quick look tells.
    private func verified(_ id: ObjectID) throws(GitError) -> Commit {
        do {
            let commit = try repository.commit(id)
            _ = try repository.treeHandle(commit.tree)
            return commit
        } catch {
            throw GitError(.corrupt, "the mirror lacks the head \(id.short)", place: path, cause: error.cause)
        }
    }

    static func reference(_ branch: String) throws(GitError) -> String {
        try Library.start()
        let reference = "refs/heads/" + branch
        var isValid: Int32 = 0
        guard git_reference_name_is_valid(&isValid, reference) == 0, isValid == 1 else {
            throw GitError(.invalid, "'\(branch)' is not a branch name")
        }
        return reference
    }

    /// The branch that the remote's HEAD stands for; `nil` when the remote does not say.
    package func defaultBranch() throws(GitError) -> String? {
        let advertisement = try advertise()
        if let head = advertisement.head { return head }
        // Old servers name no symbolic HEAD: the branch that points at the same commit.
        guard let id = advertisement.references["HEAD"] else { return nil }
        return advertisement.branches.first { advertisement.branch($0) == id }
    }

    /// The remote's branches with their heads.
    package func remoteBranches() throws(GitError) -> [String: ObjectID] {
        let advertisement = try advertise()
        return Dictionary(
            uniqueKeysWithValues: advertisement.branches.compactMap { name in
                advertisement.branch(name).map { (name, $0) }
            })
    }

    /// The names of the tags that pointed at a commit when the remote was last asked, sorted.
    package func tags(at commit: ObjectID) throws(GitError) -> [String] {
        if advertisement == nil { _ = try advertise() }
        return (advertisement?.tags ?? [:]).filter { $0.value == commit }.map(\.key).sorted()
    }

    /// Where the remote's references are now.
    func advertise() throws(GitError) -> Advertisement {
        let fresh: Advertisement
        switch url.transport {
        case .local(let remotePath):
            fresh = try LocalRemote(path: remotePath, url: url).advertisement
        case .http, .ssh, .git:
            let session = RemoteSession(
                url: url, credentials: credentials, program: ServiceProgram.find(for: url, in: searchPath))
            fresh = try Connection(repository, session: session, direction: GIT_DIRECTION_FETCH).advertisement
        }
        advertisement = fresh
        return fresh
    }

    /// Runs a read, and remembers when it met damage.
    func reading<Result>(_ body: (borrowing Repository) throws(GitError) -> Result) throws(GitError) -> Result {
        do {
            return try body(repository)
        } catch {
            if error.code == .corrupt { isDamaged = true }
            throw error
        }
    }
}

/// What a fetch found.
package struct FetchReport: Hashable, Sendable {
    /// The branch's head before, as far as the mirror knew.
    package var previous: ObjectID?
    package var head: ObjectID
    /// The old head is not an ancestor of the new one: somebody rewrote the branch.
    package var isRewritten: Bool
    /// Whether objects had to be transferred.
    package var downloaded: Bool
}
