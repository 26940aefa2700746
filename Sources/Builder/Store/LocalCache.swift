import Blocking
import Glibc

/// What builds left in a state directory, for people who want to see or empty it.
package struct LocalCache: Sendable {
    package struct Item: Sendable {
        /// `layer`, `blob`, `cache-mount` or `git-source`.
        package let kind: String
        /// Its name on the disk, from the state directory on.
        package let name: String
        /// In bytes.
        package let size: Int64
        /// Seconds since 1970.
        package let used: Int64
        /// Whether a running build may need it.
        package let isInUse: Bool
    }

    /// What is removed.
    package struct Pruning: Sendable {
        /// What was not used for so long; `nil`: whatever its age.
        package var olderThan: Duration?
        /// Bytes that may stay; what was not used for longest goes first. `nil`: any number.
        package var maxSize: Int64?
        /// Whatever its age and size.
        package static let everything = Pruning(olderThan: .seconds(-1 << 32), maxSize: 0)

        package init(olderThan: Duration? = nil, maxSize: Int64? = nil) {
            self.olderThan = olderThan
            self.maxSize = maxSize
        }
    }

    private let store: BuildStore

    package init(of builder: Builder) { store = builder.store }

    /// The least recently used first.
    package func items() async throws(BuildError) -> [Item] {
        let store = store
        return try await runBlocking { () throws(BuildError) -> [Item] in
            var since: Int64 = .max
            let isFree = try store.lease.alone { () throws(BuildError) in }
            if !isFree { since = try store.lease.usedSince() }
            let prefix = store.path + "/"
            return try StoreItems(store: store).all().sorted { $0.used < $1.used }.map { item in
                let text = item.path.text
                return Item(
                    kind: item.kind.rawValue,
                    name: text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text, size: item.size,
                    used: item.used, isInUse: item.used >= since)
            }
        }
    }

    /// - Parameter now: seconds since 1970.
    /// - Returns: what was removed; what running builds may need is not.
    package func prune(_ pruning: Pruning, now: Int64) async throws(BuildError) -> (count: Int, bytes: Int64) {
        let store = store
        let limits = StoreLimits(
            age: pruning.olderThan ?? .seconds(now), size: pruning.maxSize ?? .max, minFree: 0, minFreeInodes: 0)
        return try await runBlocking { () throws(BuildError) -> (count: Int, bytes: Int64) in
            let outcome = try StoreCollector.run(store, limits, now: now)
            return (outcome.count, outcome.bytes)
        }
    }
}
