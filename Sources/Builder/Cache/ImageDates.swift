import FileSystem
import OCI

/// When images were made, by what they are made from. An image that is found whole in the cache is the one that was made
/// then: it has that date, and so that digest.
struct ImageDates: Sendable {
    let folder: HostPath

    private func path(_ key: ContentKey) -> HostPath { folder.appending(key.digest.encoded) }

    /// Seconds since 1970. Being asked for keeps it from being collected.
    func date(of key: ContentKey) -> Int64? {
        guard let bytes = try? FileContent.read(path(key), limit: 32),
            let date = Int64(String(decoding: bytes, as: UTF8.self))
        else { return nil }
        FileCalls.touch(path(key))
        return date
    }

    /// A date that cannot be written costs the next image its digest, and nothing else.
    func remember(_ date: Int64, of key: ContentKey) {
        try? AtomicFile.write(Array("\(date)".utf8), to: path(key).text, mode: 0o600)
    }
}
