import ContentStore
import FileSystem
import Glibc

/// Something in the store that can be made or fetched again.
struct StoreItem: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        /// An unpacked layer.
        case layer
        case blob
        /// What `RUN --mount=type=cache` keeps.
        case cacheMount = "cache-mount"
        /// A mirror of a repository that a build took files from.
        case gitSource = "git-source"
    }

    let kind: Kind
    let path: HostPath
    /// What it takes of the disk, in bytes: a small file takes a block.
    let size: Int64
    /// Seconds since 1970.
    let used: Int64
}

/// Lists what is in the store.
struct StoreItems {
    let store: BuildStore

    func all() throws(BuildError) -> [StoreItem] { try layers() + blobs() + cacheMounts() + gitSources() }

    func layers() throws(BuildError) -> [StoreItem] {
        var items: [StoreItem] = []
        for name in try FileCalls.names(in: store.layers.folder) {
            let path = store.layers.folder.appending(name)
            guard let node = try Node.read(path, .apply), node.kind == .directory else { continue }
            items.append(
                StoreItem(
                    kind: .layer, path: path, size: store.layers.size(of: path), used: node.modified.seconds))
        }
        return items
    }

    func blobs() throws(BuildError) -> [StoreItem] {
        var items: [StoreItem] = []
        let folder = HostPath(store.content.path + "/blobs")
        for algorithm in try FileCalls.names(in: folder) {
            let blobs = folder.appending(algorithm)
            for name in try FileCalls.names(in: blobs) {
                let path = blobs.appending(name)
                guard let node = try Node.read(path, .apply), node.kind == .file else { continue }
                items.append(
                    StoreItem(kind: .blob, path: path, size: DiskUse.bytes(of: path), used: node.modified.seconds))
            }
        }
        return items
    }

    private func cacheMounts() throws(BuildError) -> [StoreItem] {
        var items: [StoreItem] = []
        let folder = HostPath(store.cachesFolder)
        for namespace in try FileCalls.names(in: folder) {
            let caches = folder.appending(namespace)
            guard try Node.read(caches, .apply)?.kind == .directory else { continue }
            for name in try FileCalls.names(in: caches) where name.text.utf8.count == 32 {
                let path = caches.appending(name)
                guard let node = try Node.read(path, .apply), node.kind == .directory else { continue }
                let mark = try Node.read(CacheMounts.mark(of: path), .apply) ?? node
                items.append(
                    StoreItem(
                        kind: .cacheMount, path: path, size: measured(path, mark.modified),
                        used: mark.modified.seconds))
            }
        }
        return items
    }

    private func gitSources() throws(BuildError) -> [StoreItem] {
        let folder = HostPath(store.gitSourcesFolder)
        guard try Node.read(folder, .apply) != nil else { return [] }
        var items: [StoreItem] = []
        for name in try FileCalls.names(in: folder) {
            let path = folder.appending(name)
            guard let node = try Node.read(path, .apply), node.kind == .directory else { continue }
            // A fetch writes there.
            let mark = try Node.read(HostPath(path.text + "/FETCH_HEAD"), .apply) ?? node
            let used = max(mark.modified.seconds, node.modified.seconds)
            items.append(StoreItem(kind: .gitSource, path: path, size: DiskUse.bytes(of: path), used: used))
        }
        return items
    }

    /// A cache's size is counted once after each use: it may have a million files.
    private func measured(_ path: HostPath, _ mark: Timestamp) -> Int64 {
        let note = HostPath(path.text + ".size")
        let stamp = "\(mark.seconds).\(mark.nanoseconds)"
        if let bytes = try? FileContent.read(note, limit: 128) {
            let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            if words.count == 2, words[1] == stamp, let size = Int64(words[0]) { return size }
        }
        let size = DiskUse.bytes(of: path)
        try? AtomicFile.write(Array("\(size) \(stamp)".utf8), to: note.text, mode: 0o600)
        return size
    }
}
