package import Git

/// The branch's commits, newest first, as far back as order matters.
///
/// An agent keeps one for each repository, so it holds of a commit no more than its id, its place, and whose it is.
package struct BranchHistory: Sendable {
    /// The newest first.
    private let ids: [ObjectID]
    /// Places in `ids`, in the order of the ids.
    private let order: [UInt32]
    /// The places of commits with the agent's trailers.
    private let own: Set<UInt32>
    /// The newest commit without the agent's trailers; where all have them, the newest of all.
    let newestOfOthers: Commit?
    /// What the agent wrote where, as its commits tell it.
    let written: WrittenValues

    /// Commits that are looked at.
    static let limit = 5_000
    /// Commits that may come on top before all are read anew, which forgets the oldest.
    static let slack = 200

    /// - Parameter commits: the newest first.
    package init(_ commits: [Commit]) {
        let ids = commits.map(\.id)
        self.ids = ids
        order = ids.indices.map(UInt32.init).sorted { ids[Int($0)] < ids[Int($1)] }
        own = Set(commits.indices.lazy.filter { CommitTrailer.isOwn(commits[$0].message) }.map(UInt32.init))
        newestOfOthers =
            commits.indices.first { [own] in !own.contains(UInt32($0)) }.map { commits[$0] } ?? commits.first
        written = WrittenValues(commits)
    }

    /// The same history with commits on top of it, each the parent of the one before, so that a look at a branch costs what is new
    /// there.
    ///
    /// - Parameter newer: the newest first, on top of `before`'s head.
    init(_ newer: [Commit], onTopOf before: BranchHistory) {
        let count = UInt32(newer.count)
        let ids = newer.map(\.id) + before.ids
        self.ids = ids
        order = ids.indices.map(UInt32.init).sorted { ids[Int($0)] < ids[Int($1)] }
        let added = Set(newer.indices.lazy.filter { CommitTrailer.isOwn(newer[$0].message) }.map(UInt32.init))
        own = added.union(before.own.map { $0 + count })
        let hasOthers = before.own.count < before.ids.count
        newestOfOthers =
            newer.indices.first { !added.contains(UInt32($0)) }.map { newer[$0] }
            ?? (hasOthers ? before.newestOfOthers : newer.first ?? before.newestOfOthers)
        written = WrittenValues(newer, onTopOf: before.written)
    }

    /// How many commits are known.
    var count: Int { ids.count }

    /// How far up a revision is; higher is newer. `nil` when it is not of this branch.
    func position(_ revision: String) -> Int? { place(revision).map { ids.count - $0 } }

    /// The newest commit.
    var head: ObjectID? { ids.first }

    /// The commits with the agent's trailers that are newer than all others, newest first.
    var ownOnTop: ArraySlice<ObjectID> {
        ids[..<(ids.indices.first { !own.contains(UInt32($0)) } ?? ids.endIndex)]
    }

    /// The commits after `revision`, newest first, and whether they have the agent's trailers; `nil` when it is not of this branch.
    func since(_ revision: String) -> [(id: ObjectID, isOwn: Bool)]? {
        place(revision).map { place in ids[..<place].indices.map { (ids[$0], own.contains(UInt32($0))) } }
    }

    private func place(_ revision: String) -> Int? {
        guard let id = try? ObjectID(hex: revision) else { return nil }
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if ids[Int(order[middle])] < id { low = middle + 1 } else { high = middle }
        }
        guard low < order.count, ids[Int(order[low])] == id else { return nil }
        return Int(order[low])
    }
}
