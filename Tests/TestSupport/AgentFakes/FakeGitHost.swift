package import Git
import OCI
import Synchronization

/// A git host in memory: branches, commits with whole trees, and people who push.
package final class FakeGitHost: Sendable {
    struct Stored: Sendable {
        var commit: Commit
        var files: [String: [UInt8]]
        var isSigned: Bool
    }

    struct State: Sendable {
        var commits: [ObjectID: Stored] = [:]
        var blobs: [ObjectID: [UInt8]] = [:]
        var branches: [String: ObjectID] = [:]
        var notes: [ObjectID: String] = [:]
        var count = 0
        /// What a person does right before the agent's next pushes, one each.
        var races: [@Sendable () -> Void] = []
        var fetches = 0
        /// Answers of the host that fail, by the verb.
        var failures: [String: [GitError]] = [:]
    }

    let state = Mutex(State())

    package init() {}

    static func id(_ text: String) -> ObjectID {
        let digest = Digest.sha256(of: Array(text.utf8)).encoded.prefix(40)
        guard let id = try? ObjectID(hex: String(digest)) else { preconditionFailure("40 hexadecimal digits") }
        return id
    }

    // MARK: What people do

    /// A person's commit on top of a branch; `nil` removes a file.
    @discardableResult
    package func commit(
        _ changes: [String: String?], to branch: String = "main", message: String = "a person's change",
        signed: Bool = false, at time: Int64 = 1_700_000_000
    ) -> ObjectID {
        state.withLock { state in
            let parent = state.branches[branch]
            var files = parent.flatMap { state.commits[$0]?.files } ?? [:]
            for (path, text) in changes { files[path] = text.map { Array($0.utf8) } }
            let person = Signature(name: "Ann", email: "ann@example.com", time: time)
            let id = state.store(
                files: files, parents: parent.map { [$0] } ?? [], message: message, author: person, committer: person,
                isSigned: signed)
            state.branches[branch] = id
            return id
        }
    }

    /// `git revert` of a branch's head, made and pushed by a person.
    @discardableResult
    package func revertHead(of branch: String = "main") -> ObjectID {
        let (old, subject) = state.withLock { state -> ([String: [UInt8]?], String) in
            guard let head = state.branches[branch].flatMap({ state.commits[$0] }),
                let parent = head.commit.parents.first.flatMap({ state.commits[$0] })
            else { return ([:], "") }
            let paths = Set(head.files.keys).union(parent.files.keys)
            let changed = paths.filter { head.files[$0] != parent.files[$0] }
            return (
                Dictionary(uniqueKeysWithValues: changed.map { ($0, parent.files[$0]) }), head.commit.subject
            )
        }
        return commit(
            old.mapValues { $0.map { String(decoding: $0, as: UTF8.self) } }, to: branch,
            message: "Revert \"\(subject)\"\n\nThis reverts a commit.\n")
    }

    /// A person merges a branch into another one.
    package func merge(_ branch: String, into target: String = "main") {
        state.withLock { state in
            guard let tip = state.branches[branch], let head = state.branches[target],
                let theirs = state.commits[tip], let ours = state.commits[head]
            else { return }
            let base = theirs.commit.parents.first.flatMap { state.commits[$0] }?.files ?? [:]
            var files = ours.files
            for (path, bytes) in theirs.files where base[path] != bytes { files[path] = bytes }
            let person = Signature(name: "Ann", email: "ann@example.com", time: 1_700_000_000)
            state.branches[target] = state.store(
                files: files, parents: [head, tip], message: "Merge branch '\(branch)'", author: person,
                committer: person, isSigned: false)
        }
    }

    /// What somebody does right before the agent's next push.
    package func beforeNextPush(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.races.append(action) }
    }

    /// Lets the next call of a kind fail: `fetch`, `push`, `log`.
    package func fail(_ verb: String, with error: GitError) {
        state.withLock { $0.failures[verb, default: []].append(error) }
    }

    // MARK: What can be looked at

    package func head(_ branch: String = "main") -> Commit? {
        state.withLock { state in state.branches[branch].flatMap { state.commits[$0]?.commit } }
    }

    package func text(_ path: String, on branch: String = "main") -> String? {
        state.withLock { state in
            state.branches[branch].flatMap { state.commits[$0]?.files[path] }
                .map { String(decoding: $0, as: UTF8.self) }
        }
    }

    package var branches: [String] { state.withLock { $0.branches.keys.sorted() } }
    package var notes: [String] { state.withLock { $0.notes.values.sorted() } }
    /// How often the branch was asked for.
    package var fetches: Int { state.withLock { $0.fetches } }

    /// The messages of a branch along its first parents, newest first.
    package func messages(_ branch: String = "main") -> [String] {
        state.withLock { state in
            var messages: [String] = []
            var next = state.branches[branch]
            while let id = next, let stored = state.commits[id] {
                messages.append(stored.commit.message)
                next = stored.commit.parents.first
            }
            return messages
        }
    }
}

extension FakeGitHost.State {
    mutating func store(
        files: [String: [UInt8]], parents: [ObjectID], message: String, author: Signature, committer: Signature,
        isSigned: Bool
    ) -> ObjectID {
        count += 1
        for bytes in files.values { blobs[Self.blob(bytes)] = bytes }
        let id = FakeGitHost.id("commit \(count)")
        commits[id] = FakeGitHost.Stored(
            commit: Commit(
                id: id, tree: FakeGitHost.id("tree \(count)"), parents: parents, author: author, committer: committer,
                message: message), files: files, isSigned: isSigned)
        return id
    }

    static func blob(_ bytes: [UInt8]) -> ObjectID {
        FakeGitHost.id("blob " + Digest.sha256(of: bytes).encoded)
    }

    /// Commits that are reachable from one, newest first.
    func log(from id: ObjectID, limit: Int, notReachableFrom old: ObjectID?) -> [Commit] {
        let hidden = old.map { Set(reachable(from: $0)) } ?? []
        return reachable(from: id).filter { !hidden.contains($0) }.compactMap { commits[$0]?.commit }
            .prefix(limit).map(\.self)
    }

    private func reachable(from id: ObjectID) -> [ObjectID] {
        var seen: Set<ObjectID> = []
        var order: [ObjectID] = []
        func visit(_ id: ObjectID) {
            guard let stored = commits[id], seen.insert(id).inserted else { return }
            for parent in stored.commit.parents { visit(parent) }
            order.append(id)
        }
        visit(id)
        return order.reversed()
    }
}
