import Blocking
import ContentStore
import FileSystem
import Glibc
import OCI

/// How much of what was built and pulled is kept.
package struct StoreLimits: Sendable, Hashable {
    /// What was not used for so long is removed.
    package var age: Duration
    /// In bytes: what was not used for longest is removed until the rest is smaller.
    package var size: Int64

    package init(age: Duration = .seconds(14 * 86_400), size: Int64 = 20_000_000_000) {
        self.age = age
        self.size = size
    }
}

/// Removes from the store what has not been used for long, least recently used first. Everything there can be made or
/// fetched again, so a wrong guess costs time only.
struct StoreCollector {
    let store: BuildStore
    let limits: StoreLimits
    /// Seconds since 1970.
    let now: Int64

    private struct Item {
        let path: HostPath
        let size: Int64
        let used: Int64
    }

    /// - Returns: the bytes that were freed.
    func collect() throws(BuildError) -> Int64 {
        var items = try layers() + blobs()
        items.sort { $0.used < $1.used }
        var total = items.reduce(0) { $0 + $1.size }
        let oldest = now - limits.age.components.seconds
        var freed: Int64 = 0
        let trash = try ScratchDirectory(in: store.buildsFolder)
        for (number, item) in items.enumerated() {
            guard item.used < oldest || total > limits.size else { break }
            // Renamed first: a directory is there as a whole or not at all, also when this process dies now.
            try FileCalls.move(item.path, to: trash.path.appending("\(number)"))
            total -= item.size
            freed += item.size
        }
        try forgetSteps(before: oldest)
        try CacheMounts.removeUnnamed(in: HostPath(store.cachesFolder))
        for name in ["contexts", "records", "dates", "indexes"] {
            try removeOld(in: HostPath(store.path + "/" + name), before: oldest)
        }
        return freed
    }

    private func layers() throws(BuildError) -> [Item] {
        var items: [Item] = []
        for name in try FileCalls.names(in: store.layers.folder) {
            let path = store.layers.folder.appending(name)
            guard let node = try Node.read(path, .apply), node.kind == .directory else { continue }
            items.append(Item(path: path, size: try store.layers.size(of: path), used: node.modified.seconds))
        }
        return items
    }

    private func blobs() throws(BuildError) -> [Item] {
        var items: [Item] = []
        let folder = HostPath(store.content.path + "/blobs")
        for algorithm in try FileCalls.names(in: folder) {
            let blobs = folder.appending(algorithm)
            for name in try FileCalls.names(in: blobs) {
                let path = blobs.appending(name)
                guard let node = try Node.read(path, .apply), node.kind == .file else { continue }
                items.append(Item(path: path, size: node.size, used: node.modified.seconds))
            }
        }
        return items
    }

    /// Entries whose layers are gone, and those that nobody asked for.
    private func forgetSteps(before oldest: Int64) throws(BuildError) {
        for name in try FileCalls.names(in: store.steps.folder) {
            let path = store.steps.folder.appending(name)
            guard let node = try Node.read(path, .apply) else { continue }
            if node.modified.seconds < oldest || !store.steps.isWhole(path) { try FileCalls.removeFile(path) }
        }
    }

    private func removeOld(in folder: HostPath, before oldest: Int64) throws(BuildError) {
        guard try Node.read(folder, .apply) != nil else { return }
        for name in try FileCalls.names(in: folder) {
            let path = folder.appending(name)
            guard let node = try Node.read(path, .apply), node.kind == .file, node.modified.seconds < oldest
            else { continue }
            try FileCalls.removeFile(path)
        }
    }
}

extension Builder {
    /// Removes what has not been used for long. Does nothing while a build runs, here or in another process.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - interval: does nothing when the last time was less than this ago.
    /// - Returns: the bytes that were freed.
    package func collect(
        _ limits: StoreLimits, now: Int64, every interval: Duration = .zero
    ) async throws(BuildError) -> Int64 {
        let store = store
        return try await runBlocking { () throws(BuildError) -> Int64 in
            var freed: Int64 = 0
            _ = try store.lease.alone { () throws(BuildError) in
                let marker = HostPath(store.path + "/collected")
                if let last = try Node.read(marker, .apply)?.modified.seconds, last <= now,
                    now - last < interval.components.seconds
                {
                    return
                }
                freed = try StoreCollector(store: store, limits: limits, now: now).collect()
                if try Node.read(marker, .apply) == nil { _ = try FileContent.create(marker) }
                FileCalls.touch(marker)
            }
            return freed
        }
    }
}
