import OCI
import Registry

/// What is known of a repository from earlier scans.
struct RepositoryMemory: Sendable {
    struct Known: Sendable, Hashable {
        var record: TagRecord
        /// Of the digest; 0 when nothing was read yet.
        var fingerprint: UInt64 = 0
        var schedule = RefreshSchedule.unread
    }

    /// Sorted by tag.
    private(set) var tags: [Known]

    /// Bytes of memory that it takes, about: the records, and once more in the inventory that is made of them.
    var size: Int { tags.reduce(0) { $0 + 200 + $1.record.annotations.size } }

    /// What the list of tags was; `nil` when it has to be read whole.
    var stamp: TagListStamp?
    /// When all tags of a small repository were looked at last, in seconds since 1970; not later than this program's start.
    private var wholeAt: Int64?

    init(tags: [Known] = [], stamp: TagListStamp? = nil) {
        self.tags = tags
        self.stamp = stamp
    }

    /// Enough of a digest to see that it is another one. What a policy chooses is looked at again, whole.
    static func fingerprint(_ digest: Digest) -> UInt64 {
        max(UInt64(digest.encoded.prefix(16), radix: 16) ?? 1, 1)
    }

    /// Takes over a new list: tags that are gone are forgotten, new ones are to be read.
    ///
    /// - Returns: whether there is a difference.
    mutating func replaceNames(_ names: [String]) -> Bool {
        var next: [Known] = []
        next.reserveCapacity(names.count)
        var index = 0
        var isChanged = names.count != tags.count
        for name in names {
            while index < tags.count, tags[index].record.tag < name { index += 1 }
            if index < tags.count, tags[index].record.tag == name {
                next.append(tags[index])
                index += 1
            } else {
                isChanged = true
                next.append(Known(record: TagRecord(tag: name)))
            }
        }
        if isChanged { tags = next }
        return isChanged
    }

    /// The tags to look at in a scan, by their place.
    mutating func due(at now: Int64, _ scope: ScanScope) -> [Int] {
        let due: [Int]
        if tags.count <= RefreshSchedule.small,
            scope.isThorough || wholeAt.map({ now < $0 || now - $0 >= RefreshSchedule.wholeInterval }) ?? false
        {
            due = Array(tags.indices)
        } else {
            due = tags.indices.filter { tags[$0].schedule.due <= now || RefreshSchedule.isMoving(tags[$0].record.tag) }
        }
        if wholeAt == nil || due.count == tags.count { wholeAt = now }
        guard case .matching(let interest) = scope.images else { return due }
        return interest.places(in: due.map { tags[$0].record.tag }).map { due[$0] }
    }

    /// Takes over what a look at a tag showed.
    ///
    /// - Returns: whether it is worth to be written to disk.
    mutating func update(_ index: Int, _ record: TagRecord, at now: Int64) -> Bool {
        let before = tags[index]
        tags[index].record = record
        let fingerprint = record.digest.map(Self.fingerprint) ?? 0
        tags[index].fingerprint = fingerprint
        if fingerprint == 0 {
            // The registry lists a tag and cannot say what it is: it may in the next scan.
            tags[index].schedule = .unread
        } else {
            tags[index].schedule.looked(
                hasMoved: before.fingerprint != 0 && before.fingerprint != fingerprint, at: now, seed: fingerprint)
        }
        return before.fingerprint != fingerprint || before.record.problem != record.problem
            || before.record.created != record.created
    }

    /// The next scan looks at a tag, whenever it was looked at last.
    mutating func expire(_ tag: String) {
        if let index = index(of: tag) { tags[index].schedule = .unread }
    }

    /// The place of a tag.
    func index(of tag: String) -> Int? {
        var low = 0
        var high = tags.count
        while low < high {
            let middle = (low + high) / 2
            if tags[middle].record.tag < tag { low = middle + 1 } else { high = middle }
        }
        return low < tags.count && tags[low].record.tag == tag ? low : nil
    }
}
