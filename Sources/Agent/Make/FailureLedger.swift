/// Which pipelines failed and when they are tried again: the arithmetic of ``FailureMemory``, without a disk.
struct FailureLedger: Sendable {
    /// Of one pipeline each. The oldest go when there are more.
    static let limit = 1_000

    private static let backoff = Backoff(base: 10, limit: 600)

    private(set) var records: [PipelineKey: FailureRecord] = [:]
    let version: String

    init(_ records: [FailureRecord] = [], version: String) {
        self.version = version
        self.records = Dictionary(records.map { ($0.key, $0) }) { _, last in last }
        bound()
    }

    func verdict(for key: PipelineKey, contentKey: String, now: Int64) -> FailureMemory.Verdict {
        guard let record = records[key], record.contentKey == contentKey else { return .go }
        guard record.kind == .world, let next = record.nextAt else {
            return record.version == version ? .stalled(record) : .go
        }
        // A clock that was set back must not make a minute into a month.
        let isDue = now >= next || now < record.lastAt - Int64(Self.backoff.limit)
        return isDue ? .go : .waiting(record)
    }

    /// - Parameter random: from 0 up to 1.
    @discardableResult
    mutating func record(
        _ kind: FailureKind, of key: PipelineKey, contentKey: String, _ reason: FailureRecord.Reason, now: Int64,
        random: Double
    ) -> FailureRecord {
        let last = records[key]
        // The world is the same one for other content.
        let goesOn = last?.kind == kind && (kind == .world || last?.contentKey == contentKey)
        let attempts = (goesOn ? last?.attempts ?? 0 : 0) + 1
        let delay = Self.backoff.delay(afterAttempts: attempts, random: random)
        let record = FailureRecord(
            key: key, kind: kind, contentKey: contentKey, attempts: attempts,
            firstAt: goesOn ? last?.firstAt ?? now : now, lastAt: now,
            nextAt: kind == .world ? now + Int64(delay.rounded(.up)) : nil, version: version, reason: reason)
        records[key] = record
        bound()
        return record
    }

    /// - Returns: whether there was anything to forget.
    mutating func forget(_ key: PipelineKey) -> Bool { records.removeValue(forKey: key) != nil }

    mutating func forget(where isGone: (PipelineKey) -> Bool) -> Bool {
        let before = records.count
        records = records.filter { !isGone($0.key) }
        return records.count != before
    }

    /// In the order of their names.
    var all: [FailureRecord] { records.values.sorted { $0.key < $1.key } }

    private mutating func bound() {
        guard records.count > Self.limit else { return }
        let kept = records.values.sorted { ($0.lastAt, $0.key) > ($1.lastAt, $1.key) }.prefix(Self.limit)
        records = Dictionary(kept.map { ($0.key, $0) }) { one, _ in one }
    }
}
