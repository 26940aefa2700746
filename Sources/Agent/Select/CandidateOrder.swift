import OCI
package import RegistryPoller

/// The order in which the images of a repository that the agent itself builds were made.
///
/// Reproducible images are dated by their commit, not by the clock, so two of them can carry one date, or an older one than
/// an image of another builder. The agent knows better: it built from commits, and commits have an order. Images that
/// carry no commit of this branch come first, by their date; then those that do, by commit, then by the number in their tag.
package enum CandidateOrder {
    /// The images of a repository as a policy takes them, for a cycle as for a release: in the order of the branch's commits when
    /// some of them were made from it, else by what they say themselves.
    ///
    /// - Parameter position: as for `ranked`.
    package static func candidates(_ records: [TagRecord], position: (String) -> Int?) -> [TagCandidate] {
        let isOwn = records.contains { record in
            record.annotations[Annotation.contentKey] != nil
                && record.annotations[Annotation.revision].flatMap(position) != nil
        }
        return isOwn ? ranked(records, position: position) : records.map { TagCandidate($0) }
    }

    /// - Parameters:
    ///   - position: how many commits of the branch a revision has below it (a higher one is newer); `nil` when the branch
    ///     does not have it.
    package static func ranked(
        _ records: [TagRecord], position: (String) -> Int?
    ) -> [TagCandidate] {
        struct Key: Comparable {
            let position: Int
            let created: Int64
            let number: Int
            let tag: String

            static func < (left: Key, right: Key) -> Bool {
                (left.position, left.created, left.number, left.tag)
                    < (right.position, right.created, right.number, right.tag)
            }
        }
        let keyed = records.map { record in
            let commit = record.annotations[Annotation.revision].flatMap(position)
            return (
                key: Key(
                    position: commit ?? -1, created: commit == nil ? record.created ?? Int64.min : 0,
                    number: TagSeries(record.tag)?.number ?? 0, tag: record.tag),
                record: record
            )
        }
        return keyed.sorted { $0.key < $1.key }.enumerated().map { index, element in
            TagCandidate(element.record, rank: index)
        }
    }
}
