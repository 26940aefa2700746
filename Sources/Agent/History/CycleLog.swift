import FileSystem
import Glibc
import OCI

/// The cycles of one repository: a file with one JSON document a line, the newest last. A line that was cut off by the end of a
/// process is none.
struct CycleLog {
    /// How many are kept.
    static let limit = 500
    private static let sizeLimit = 64 << 20

    /// What is known of the file without reading it again.
    private struct End {
        var last: CycleEntry?
        var count: Int
    }

    let path: String
    private var end: End?
    /// Of the file, in bytes.
    private(set) var size: Int64

    init(path: String) {
        self.path = path
        size = HistoryFolder.size(path)
    }

    /// The oldest first.
    mutating func all() -> [CycleEntry] {
        let bytes = (try? FileHandle(path: path, flags: O_RDONLY | O_NOFOLLOW).readAll(limit: Self.sizeLimit)) ?? []
        let newline = UInt8(ascii: "\n")
        let whole = bytes.lastIndex(of: newline).map { bytes[...$0] } ?? []
        // What comes next must not be glued to it.
        if whole.count < bytes.count { truncate(path, off_t(whole.count)) }
        size = Int64(whole.count)
        let entries = whole.split(separator: newline).compactMap { line in
            try? CanonicalJSON.decode(CycleEntry.self, from: Array(line))
        }
        end = End(last: entries.last, count: entries.count)
        return entries
    }

    /// - Returns: whether it tells something new; else it is not kept.
    mutating func append(_ entry: CycleEntry) throws(FileSystemError) -> Bool {
        let entry = entry.bounded
        if end == nil { _ = all() }
        let known = end ?? End(count: 0)
        guard entry.isNews(after: known.last) else { return false }
        // Half a line may be there when this fails; then the file is looked at again.
        end = nil
        // Written anew when a quarter more than the limit is there.
        if known.count >= Self.limit + Self.limit / 4 {
            let kept = all().suffix(Self.limit - 1) + [entry]
            let bytes = kept.flatMap(Self.line)
            try AtomicFile.write(bytes, to: path, mode: 0o600, isDurable: false)
            size = Int64(bytes.count)
            end = End(last: entry, count: kept.count)
        } else {
            let line = Self.line(entry)
            let file = try FileHandle(path: path, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
            try file.write(all: line)
            size += Int64(line.count)
            end = End(last: entry, count: known.count + 1)
        }
        return true
    }

    private static func line(_ entry: CycleEntry) -> [UInt8] {
        ((try? CanonicalJSON.encode(entry)) ?? []) + [UInt8(ascii: "\n")]
    }
}
