package import Git
import ManifestUpdater

/// What the agent wrote where, as the trailers of a branch's commits tell it, and what people took back of it.
///
/// Nothing else is remembered: an agent that is started anew with an empty disk holds back the same values.
package struct WrittenValues: Sendable {
    /// A place that holds an image.
    struct Place: Hashable, Sendable {
        var file: String
        var workload: String
        var container: String
    }

    /// What one commit changed at a place; a file may name a place twice.
    private struct Change: Sendable {
        var old: [String]
        var new: [String]
        /// Seconds since 1970.
        let time: Int64
        let commit: ObjectID
        /// By a person's command.
        let isCommand: Bool
    }

    /// The newest change first.
    private var changes: [Place: [Change]] = [:]
    /// The places of a container, whichever files it was in.
    private var files: [Place: Set<String>] = [:]

    /// - Parameter commits: the newest first.
    package init(_ commits: [Commit]) {
        for commit in commits where commit.message.contains(CommitTrailer.key) {
            let isCommand = CommitTrailer.isCommand(commit.message)
            var own: [Place: Change] = [:]
            for change in CommitTrailer.changes(in: commit.message) {
                let place = Place(file: change.file, workload: change.workload, container: change.container)
                own[
                    place,
                    default: Change(
                        old: [], new: [], time: commit.committer.time, commit: commit.id, isCommand: isCommand)
                ].old.append(change.old)
                own[place]?.new.append(change.new)
            }
            for (place, change) in own {
                changes[place, default: []].append(change)
                files[Self.anywhere(place), default: []].insert(place.file)
            }
        }
    }

    /// The same with commits that are newer than all others.
    init(_ newer: [Commit], onTopOf before: WrittenValues) {
        self = WrittenValues(newer)
        changes.merge(before.changes) { $0 + $1 }
        files.merge(before.files) { $0.union($1) }
    }

    private static func anywhere(_ place: Place) -> Place {
        Place(file: "", workload: place.workload, container: place.container)
    }

    /// What people took back at a place; `nil` when nothing.
    ///
    /// The agent wrote a value, and what came next at that place does not follow from it: a person's revert, another
    /// value, or a command.
    ///
    /// - Parameters:
    ///   - current: what the place says now.
    ///   - isGone: whether a file is not there any more; a container that moved to another file takes its past along.
    func takenBack(at place: Place, current: String, isGone: (String) -> Bool) -> TakenBack? {
        var known = changes[place]
        if known == nil {
            let past = (files[Self.anywhere(place)] ?? []).filter { $0 != place.file && isGone($0) }
            // Of several, none says which one it was.
            if past.count == 1, let file = past.first {
                known = changes[Place(file: file, workload: place.workload, container: place.container)]
            }
        }
        guard let known, !known.isEmpty else { return nil }
        var values: [TakenBack.Value] = []
        var isNewest = false
        for index in known.indices.reversed() {
            let change = known[index]
            let next = index == 0 ? [current] : known[index - 1].old
            if change.isCommand {
                // A person's word for this value, and against the one that was there.
                values.removeAll { value in change.new.contains { Self.says($0, value.text) } }
                for old in change.old where index + 1 < known.count && Self.says(old, in: known[index + 1].new) {
                    values.append(TakenBack.Value(text: old, time: change.time, commit: change.commit))
                }
                isNewest = true
            } else {
                isNewest = false
            }
            guard !change.new.contains(where: { Self.says($0, in: next) }) else { continue }
            for text in change.new where !values.contains(where: { Self.says($0.text, text) }) {
                values.append(TakenBack.Value(text: text, time: change.time, commit: change.commit))
            }
            isNewest = true
        }
        guard !values.isEmpty else { return nil }
        return TakenBack(values: values, isCurrent: isNewest)
    }

    /// Whether two texts name the same image version, however its name is written.
    static func says(_ left: String, _ right: String) -> Bool {
        if left == right { return true }
        let (left, right) = (ImageVersion(left), ImageVersion(right))
        return left.tag != nil && left == right
    }

    private static func says(_ text: String, in others: [String]) -> Bool { others.contains { says(text, $0) } }
}

/// Tag and digest of an image text; a text without a name is a tag.
struct ImageVersion: Hashable {
    let tag: String?
    let digest: String?

    init(_ text: String) {
        let image = WrittenReference(text)
        digest = image.digest
        tag = image.tag ?? (image.digest == nil && !text.contains("/") && !text.isEmpty ? text : nil)
    }

    /// Whether this version is meant by one that may leave the digest out.
    func isCovered(by other: ImageVersion) -> Bool {
        tag == other.tag && (other.digest == nil || digest == nil || digest == other.digest)
    }
}

/// Values that the agent wrote at a place and a person took back.
struct TakenBack: Sendable, Hashable {
    struct Value: Sendable, Hashable {
        let text: String
        /// Seconds since 1970: when it was written.
        let time: Int64
        /// The commit that wrote it, or that put another one in its place.
        let commit: ObjectID
    }

    /// The newest last.
    let values: [Value]
    /// Whether a person's value stands at the place now; else only the values themselves must not come again.
    let isCurrent: Bool

    var newest: Value? { values.last }

    /// The value that a choice would bring back.
    func value(broughtBackBy text: String) -> Value? {
        let version = ImageVersion(text)
        return values.last { value in
            value.text == text || version.tag != nil && version.isCovered(by: ImageVersion(value.text))
        }
    }
}
