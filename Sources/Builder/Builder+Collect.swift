import Blocking
import ContentStore
import Glibc

extension Builder {
    /// Removes what has not been used for long. While builds run, here or in other processes, what they may use stays.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - interval: does nothing when the last time was less than this ago.
    /// - Returns: the bytes that were freed.
    package func collect(
        _ limits: StoreLimits, now: Int64, every interval: Duration = .zero
    ) async throws(BuildError) -> Int64 {
        try await collection(limits, now: now, every: interval)?.freed ?? 0
    }

    /// The same, and what is left.
    ///
    /// - Returns: `nil` when the last time was less than the interval ago.
    package func collection(
        _ limits: StoreLimits, now: Int64, every interval: Duration = .zero
    ) async throws(BuildError) -> StoreCollection? {
        let store = store
        return try await runBlocking { () throws(BuildError) -> StoreCollection? in
            let marker = HostPath(store.path + "/collected")
            if let last = try Node.read(marker, .apply)?.modified.seconds, last <= now,
                now - last < interval.components.seconds
            {
                return nil
            }
            let outcome = try StoreCollector.run(store, limits, now: now)
            if try Node.read(marker, .apply) == nil { _ = try FileContent.create(marker) }
            FileCalls.touch(marker)
            return StoreCollection(freed: outcome.bytes, left: outcome.left)
        }
    }

    /// Removes what was not used for longest where less of the disk is free than the limits want.
    ///
    /// - Returns: what was removed.
    @discardableResult
    func makeRoom(_ limits: StoreLimits) async throws(BuildError) -> StoreCollector.Outcome {
        let store = store
        return try await runBlocking { () throws(BuildError) in
            guard FreeSpace(of: store.path)?.isShort(of: limits) == true else { return StoreCollector.Outcome() }
            return try StoreCollector.run(store, limits, now: Int64(time(nil)), onlyForSpace: true)
        }
    }

    /// Makes room before a build, and after one that found the disk full, which is then tried once more.
    func withRoom<Value: Sendable>(
        _ progress: @Sendable (BuildEvent) -> Void, _ body: () async throws(BuildError) -> Value
    ) async throws(BuildError) -> Value {
        // A failure to make room is no failure of the build.
        _ = try? await makeRoom(limits)
        return try await retryingWithRoom(progress, body)
    }

    /// Makes room where the disk was found full, and tries once more.
    func retryingWithRoom<Value: Sendable>(
        _ progress: @Sendable (BuildEvent) -> Void, _ body: () async throws(BuildError) -> Value
    ) async throws(BuildError) -> Value {
        do throws(BuildError) { return try await body() } catch {
            guard error.isOutOfSpace else { throw error }
            let freed = await roomAfterFullDisk()
            guard freed.count > 0 else { throw error }
            progress(
                .note(
                    "the disk is full (\(error.fullDisk)); \(freed.count == 1 ? "1 thing" : "\(freed.count) things") of "
                        + "\(freed.bytes >> 20) MiB were removed from the cache, and the build is tried once more"
                ))
            return try await body()
        }
    }

    /// Twice what is kept free otherwise, and a tenth of the disk more than there is: the build has shown that it needs more.
    private func roomAfterFullDisk() async -> StoreCollector.Outcome {
        guard let space = FreeSpace(of: store.path) else { return StoreCollector.Outcome() }
        var wanted = limits
        wanted.minFree = max(2 * space.wantedBytes(limits), space.bytes + max(64 << 20, space.totalBytes / 10))
        wanted.minFreeInodes =
            space.inodes == .max
            ? 0 : max(2 * space.wantedInodes(limits), space.inodes + max(1_000, space.totalInodes / 10))
        return (try? await makeRoom(wanted)) ?? StoreCollector.Outcome()
    }
}

extension StoreCollector {
    /// Collects with nobody beside it where that is possible, else around those who build.
    static func run(
        _ store: BuildStore, _ limits: StoreLimits, now: Int64, onlyForSpace: Bool = false
    ) throws(BuildError) -> Outcome {
        var outcome = Outcome()
        let isAlone = try store.lease.alone { () throws(BuildError) in
            _ = try store.lease.usedSince()
            outcome = try StoreCollector(store: store, limits: limits, now: now, usedSince: nil)
                .collect(onlyForSpace: onlyForSpace)
        }
        if isAlone { return outcome }
        return try StoreCollector(store: store, limits: limits, now: now, usedSince: store.lease.usedSince())
            .collect(onlyForSpace: onlyForSpace)
    }
}

extension BuildError {
    /// Whether the disk had no room, or none that the user may have.
    var isOutOfSpace: Bool {
        guard code != .cancelled else { return false }
        if lacksSpace { return true }
        let words = [DiskShortage.bytes, .quota].map(\.words)
        return words.contains { text in summary.contains(text) || (code != .step && cause?.contains(text) == true) }
    }

    /// What was found of the full disk, in few words.
    fileprivate var fullDisk: String {
        guard code != .step, let cause, cause.utf8.count <= 200 else { return summary }
        return "\(summary): \(cause)"
    }
}
