import FileSystem
import OCI

/// The records of the steps in the local store, under the names of their keys.
struct StepRecords: Sendable {
    let folder: HostPath

    /// How many are looked through for the nearest.
    private static let limit = 4_000
    private static let sizeLimit = 16 << 20

    /// A record that cannot be written costs an explanation, and nothing else.
    func remember(_ record: StepRecord, for key: StepKey) {
        try? AtomicFile.write(Array(record.text.utf8), to: folder.appending(key.digest.encoded).text, mode: 0o600)
    }

    /// Keeps a record from being collected.
    func touch(_ key: StepKey) { FileCalls.touch(folder.appending(key.digest.encoded)) }

    func record(for key: StepKey) -> StepRecord? { read(folder.appending(key.digest.encoded)) }

    private func read(_ path: HostPath) -> StepRecord? {
        guard let bytes = try? FileContent.read(path, limit: Self.sizeLimit) else { return nil }
        return StepRecord(text: String(decoding: bytes, as: UTF8.self))
    }

    /// The most alike of the newest records; of equals, the newest.
    func nearest(to record: StepRecord) -> StepRecord? {
        var files: [(path: HostPath, time: Timestamp)] = []
        for name in (try? FileCalls.names(in: folder)) ?? [] {
            let path = folder.appending(name)
            guard let node = try? Node.read(path, .apply), node.kind == .file, name.first != 0x2e else { continue }
            files.append((path, node.modified))
        }
        files.sort { $0.time > $1.time }
        var best: (likeness: Int, record: StepRecord)?
        for file in files.prefix(Self.limit) {
            guard let known = read(file.path), known != record else { continue }
            let likeness = record.likeness(to: known)
            if likeness > best?.likeness ?? 0 { best = (likeness, known) }
        }
        return best?.record
    }
}
