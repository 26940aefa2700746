import Git
import ManifestUpdater

/// Tells what of a commit is the agent's own: the values that its trailers name, in the files that they name. All else is a person's.
///
/// A commit that the agent itself made holds nothing else. One with the same trailers that somebody else committed (a squashed pull
/// request, an amended or rebased commit) may hold a person's change besides, so its files are compared.
actor CommitAuthorship {
    /// The paths that a commit changed, by whose change it is.
    struct Paths: Sendable, Equatable {
        var own: Set<String> = []
        var others: Set<String> = []
    }

    private let remote: any GitRemote
    /// The agent's committer.
    private let name: String
    private let email: String
    /// Of commits with trailers that somebody else committed.
    private var known: [ObjectID: Paths] = [:]
    /// Of the branch as it was asked about last.
    private var lastSource: (head: ObjectID?, commit: Commit?)?

    private static let limit = 1_000

    init(remote: any GitRemote, settings: AgentConfiguration.GitConfiguration) {
        self.remote = remote
        name = settings.committerName ?? settings.authorName
        email = settings.committerEmail ?? settings.authorEmail
    }

    /// Whether nothing in a commit is a person's.
    func isOwn(_ commit: Commit) async throws(AgentError) -> Bool {
        guard CommitTrailer.isOwn(commit.message) else { return false }
        if isByAgent(commit) { return true }
        return try await paths(of: commit).others.isEmpty
    }

    /// The newest commit that holds something of a person's: what images are made from and named after.
    func source(of history: BranchHistory) async throws(AgentError) -> Commit? {
        if let lastSource, lastSource.head == history.head { return lastSource.commit }
        var source = history.newestOfOthers
        for id in history.ownOnTop {
            let commit = try await explained { try await remote.commit(id) }
            guard try await isOwn(commit) else {
                source = commit
                break
            }
        }
        lastSource = (history.head, source)
        return source
    }

    func paths(of commit: Commit) async throws(AgentError) -> Paths {
        if let paths = known[commit.id] { return paths }
        guard let parent = commit.parents.first else { return Paths() }
        let paths = try await explained {
            var changed = Set(try await remote.changedPaths(from: parent, to: commit.id))
            // What a merge brings in is told by the commits that it merges: of its own are only the paths that differ
            // from all parents. So the agent's own commits stay its own when a person merges their branch.
            for other in commit.parents.dropFirst() {
                changed.formIntersection(try await remote.changedPaths(from: other, to: commit.id))
            }
            return try await divided(changed, of: commit, after: parent)
        }
        if CommitTrailer.isOwn(commit.message), !isByAgent(commit) {
            if known.count >= Self.limit { known = [:] }
            known[commit.id] = paths
        }
        return paths
    }

    private func isByAgent(_ commit: Commit) -> Bool {
        commit.committer.name == name && commit.committer.email == email
    }

    private func divided(
        _ changed: Set<String>, of commit: Commit, after parent: ObjectID
    ) async throws -> Paths {
        let named = Dictionary(grouping: CommitTrailer.changes(in: commit.message), by: \.file)
        var paths = Paths()
        for path in changed {
            guard let changes = named[path] else {
                paths.others.insert(path)
                continue
            }
            var isOwn = isByAgent(commit)
            if !isOwn {
                isOwn = OwnChange.accounts(
                    for: try await content(of: path, in: parent), becoming: try await content(of: path, in: commit.id),
                    by: changes)
            }
            if isOwn { paths.own.insert(path) } else { paths.others.insert(path) }
        }
        return paths
    }

    private func content(of path: String, in revision: ObjectID) async throws -> [UInt8]? {
        guard let entry = try await remote.entry(at: path, in: revision) else { return nil }
        return try await remote.read(entry)
    }
}

/// Whether a file changed by nothing but what trailers tell.
enum OwnChange {
    /// - Returns: `false` also where lines came or went: trailers name values, and those have places in both.
    static func accounts(
        for old: [UInt8]?, becoming new: [UInt8]?, by changes: [CommitTrailer.Change]
    ) -> Bool {
        guard let old, let new else { return false }
        let (before, after) = (words(of: old), words(of: new))
        guard before.count == after.count else { return false }
        let told = Set(changes.flatMap(replacements))
        return zip(before, after).allSatisfy { word, other in
            word.elementsEqual(other)
                || told.contains(
                    Replacement(old: String(decoding: word, as: UTF8.self), new: String(decoding: other, as: UTF8.self))
                )
        }
    }

    private struct Replacement: Hashable {
        let old: String
        let new: String
    }

    /// What a change may look like in a file: the whole value, or a part of it in a place of its own.
    private static func replacements(_ change: CommitTrailer.Change) -> [Replacement] {
        let (old, new) = (WrittenReference(change.old), WrittenReference(change.new))
        func part(_ text: (WrittenReference) -> String?) -> Replacement? {
            guard let old = text(old), let new = text(new) else { return nil }
            return Replacement(old: old, new: new)
        }
        return [
            Replacement(old: change.old, new: change.new), part(\.name), part(\.tag), part(\.digest),
            part { image in image.tag.map { "\(image.name):\($0)" } },
            part { image in image.digest.map { "\(image.tag ?? "")@\($0)" } },
        ].compactMap(\.self)
    }

    /// Images, their parts, and all else between: words and what separates them. Quotes are left out, which a value may need that its
    /// predecessor did not.
    private static func words(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var words: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }
        while start < bytes.endIndex {
            var end = start + 1
            if isQuote(bytes[start]) {
                start = end
                continue
            }
            let isWord = isOfImage(bytes[start])
            while end < bytes.endIndex, !isQuote(bytes[end]), isOfImage(bytes[end]) == isWord { end += 1 }
            words.append(bytes[start..<end])
            start = end
        }
        return words
    }

    private static func isOfImage(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || Self.marks.contains(byte)
    }

    private static let marks = Set("._-/:@+".utf8)
}
