import Blocking
import ContentStore
import FileSystem
import Glibc
import OCI

/// How much of what was built and pulled is kept.
package struct StoreLimits: Sendable, Hashable {
    /// What was not used for so long is removed.
    package var age: Duration
    /// In bytes of the disk: what was not used for longest is removed until the rest takes less.
    package var size: Int64
    /// Bytes that stay free on the disk; `nil`: a tenth of it, 2 GiB at most.
    package var minFree: Int64?
    /// Files that can still be made on the disk; `nil`: a twentieth of what it can hold.
    package var minFreeInodes: Int64?

    package init(
        age: Duration = .seconds(14 * 86_400), size: Int64 = 20_000_000_000, minFree: Int64? = nil,
        minFreeInodes: Int64? = nil
    ) {
        self.age = age
        self.size = size
        self.minFree = minFree
        self.minFreeInodes = minFreeInodes
    }
}

/// What was removed from the store and what is left, in bytes of the disk.
package struct StoreCollection: Sendable {
    package let freed: Int64
    package let left: Int64
}

/// Removes from the store what has not been used for long, least recently used first. Everything there can be made or
/// fetched again, so a wrong guess costs time only.
///
/// Killed anywhere, it leaves each thing whole or gone: directories are renamed away before they are removed, and the next process
/// removes what was renamed.
struct StoreCollector {
    let store: BuildStore
    let limits: StoreLimits
    /// Seconds since 1970.
    let now: Int64
    /// What was used since then may be in use; `nil`: nobody uses anything.
    let usedSince: Int64?

    /// What was removed.
    struct Outcome: Sendable {
        var bytes: Int64 = 0
        var count = 0
        /// Bytes of the disk that the rest takes.
        var left: Int64 = 0
    }

    /// - Parameter onlyForSpace: whether nothing is removed while enough of the disk is free.
    func collect(onlyForSpace: Bool = false) throws(BuildError) -> Outcome {
        var outcome = Outcome()
        var items = try StoreItems(store: store).all()
        items.sort { $0.used < $1.used }
        var total = items.reduce(0) { $0 + $1.size }
        let before = total
        let oldest = now - limits.age.components.seconds
        var rest = items[...]
        while !rest.isEmpty {
            let isShort = FreeSpace(of: store.path)?.isShort(of: limits) ?? false
            // The disk is looked at again after some were removed.
            var batch: [StoreItem] = []
            var bytes: Int64 = 0
            while let item = rest.first, batch.count < 64, bytes < 256 << 20,
                isShort || !onlyForSpace && (item.used < oldest || total > limits.size),
                usedSince.map({ item.used < $0 }) ?? true
            {
                rest.removeFirst()
                batch.append(item)
                bytes += item.size
                total -= item.size
            }
            if batch.isEmpty { break }
            let removed = try remove(batch)
            outcome.bytes += removed.bytes
            outcome.count += removed.count
        }
        outcome.left = before - outcome.bytes
        if outcome.count > 0 || !onlyForSpace { try forgetSteps(before: oldest) }
        guard !onlyForSpace else { return outcome }
        if usedSince == nil { try removeLocks() }
        try CacheMounts.removeUnnamed(in: HostPath(store.cachesFolder))
        for name in ["contexts", "records", "dates", "indexes"] {
            try removeOld(in: HostPath(store.path + "/" + name), before: oldest)
        }
        return outcome
    }

    /// Removes things unless they were used meanwhile.
    private func remove(_ items: [StoreItem]) throws(BuildError) -> Outcome {
        var trash: ScratchDirectory?
        var outcome = Outcome()
        for (number, item) in items.enumerated() {
            // On a full disk a directory cannot be made before a blob is gone.
            if trash == nil, item.kind != .blob { trash = try? ScratchDirectory(in: store.buildsFolder) }
            let place = trash?.path.appending("\(number)")
            let isTaken =
                switch item.kind {
                case .blob: try take(item, to: nil)
                case .layer: try take(item, to: place)
                case .cacheMount: try takeLocked(item, [".making", ".lock"], to: place)
                case .gitSource: try takeLocked(item, [".lock"], to: place)
                }
            guard isTaken else { continue }
            outcome.bytes += item.size
            outcome.count += 1
            if let place { try? FileCalls.removeTree(place) }
        }
        return outcome
    }

    /// - Parameter place: where a directory is renamed to; `nil` for files, and where there is no such place.
    private func take(_ item: StoreItem, to place: HostPath?) throws(BuildError) -> Bool {
        if item.kind != .blob, place == nil { return false }
        return try store.content.use.withoutMarks { () throws(BuildError) in
            guard let node = try Node.read(item.path, .apply),
                usedSince == nil || node.modified.seconds < (usedSince ?? 0)
            else { return false }
            if let place { try FileCalls.move(item.path, to: place) } else { try FileCalls.removeFile(item.path) }
            return true
        }
    }

    /// What is used under locks of its own, whose files stay: somebody may wait for them.
    private func takeLocked(_ item: StoreItem, _ locks: [String], to place: HostPath?) throws(BuildError) -> Bool {
        guard let place else { return false }
        var held: [Int32] = []
        defer { for lock in held { close(lock) } }
        for suffix in locks {
            guard let lock = FileLock.hold(HostPath(item.path.text + suffix), blocking: false) else { return false }
            held.append(lock)
        }
        if item.kind == .cacheMount, let usedSince,
            let mark = try Node.read(CacheMounts.mark(of: item.path), .apply), mark.modified.seconds >= usedSince
        {
            return false
        }
        guard try Node.read(item.path, .apply) != nil else { return false }
        try FileCalls.move(item.path, to: place)
        if item.kind == .cacheMount { try? FileCalls.removeFile(HostPath(item.path.text + ".size")) }
        return true
    }

    /// The locks of layers that are gone: nobody waits for them, as nobody builds.
    private func removeLocks() throws(BuildError) {
        let folder = store.layers.folder
        for name in try FileCalls.names(in: folder) where name.text.hasSuffix(".lock") {
            guard try Node.read(folder.appending(String(name.text.dropLast(5))), .apply) == nil else { continue }
            try? FileCalls.removeFile(folder.appending(name))
        }
    }

    /// Entries whose layers are gone, and those that nobody asked for.
    private func forgetSteps(before oldest: Int64) throws(BuildError) {
        for name in try FileCalls.names(in: store.steps.folder) {
            let path = store.steps.folder.appending(name)
            guard let node = try Node.read(path, .apply) else { continue }
            if node.modified.seconds < oldest || !store.steps.isWhole(path) { try? FileCalls.removeFile(path) }
        }
    }

    /// How many small notes of one kind are kept at most: each takes a block and an inode, together not more than an eighth of the
    /// store's size.
    static func notes(below size: Int64) -> Int { max(64, Int(min(4_096, size / 8 / 4_096))) }

    /// Removes old notes, and the oldest of too many.
    private func removeOld(in folder: HostPath, before oldest: Int64) throws(BuildError) {
        guard try Node.read(folder, .apply) != nil else { return }
        var kept: [(path: HostPath, modified: Timestamp)] = []
        for name in try FileCalls.names(in: folder) {
            let path = folder.appending(name)
            guard let node = try Node.read(path, .apply), node.kind == .file else { continue }
            if node.modified.seconds < oldest {
                try? FileCalls.removeFile(path)
            } else {
                kept.append((path, node.modified))
            }
        }
        let most = Self.notes(below: limits.size)
        guard kept.count > most else { return }
        kept.sort { $0.modified < $1.modified }
        for note in kept.dropLast(most) { try? FileCalls.removeFile(note.path) }
    }
}
