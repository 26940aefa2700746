import ContentStore
import FileSystem
import OCI

/// Layers by the keys of the steps that made them, as small files in the state directory. An entry only names a layer: it
/// counts while the layer's blob is in the store.
struct StepCache: Sendable {
    let folder: HostPath
    let content: ContentStore

    struct Entry: Codable, Sendable {
        let descriptor: Descriptor
        let diffID: Digest
        /// The true times of its files (`LayerTimes`), where the layer tells others.
        var times: Descriptor?
    }

    private func path(_ key: StepKey) -> HostPath { folder.appending(key.digest.encoded) }

    /// Whether no step was ever done here.
    var isEmpty: Bool { FileCalls.isEmpty(folder) }

    /// The layer that the step made before. Being asked for keeps it from being collected.
    func layer(for key: StepKey) -> Entry? {
        let path = path(key)
        guard let entry = entry(at: path, size: content.size) else { return nil }
        FileCalls.touch(path)
        return entry
    }

    /// Whether the layer that the entry names is there; it is not used by that.
    func isWhole(_ path: HostPath) -> Bool { entry(at: path, size: content.storedSize) != nil }

    private func entry(at path: HostPath, size: (Digest) -> Int64?) -> Entry? {
        guard let bytes = try? FileContent.read(path, limit: 64 << 10),
            let entry = try? CanonicalJSON.decode(Entry.self, from: bytes),
            size(entry.descriptor.digest) == entry.descriptor.size,
            entry.times.map({ size($0.digest) == $0.size }) ?? true
        else { return nil }
        return entry
    }

    /// An entry that cannot be written costs the next build time, and nothing else.
    func remember(_ entry: Entry, for key: StepKey) {
        guard let bytes = try? CanonicalJSON.encode(entry) else { return }
        try? AtomicFile.write(bytes, to: path(key).text, mode: 0o600)
    }
}
