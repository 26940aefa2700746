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

    private let directory: String
    private var path: String { HistoryFolder(path: directory).cycles }
    private var end: End?
    /// The time that the file has, as far as this process knows.
    private var marked: Int64?
    /// Of the file, in bytes.
    private(set) var size: Int64

    /// - Parameter directory: the repository's; made with the first entry.
    init(in directory: String) {
        self.directory = directory
        size = HistoryFolder.size(HistoryFolder(path: directory).cycles)
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
        guard entry.isNews(after: known.last) else {
            mark(entry)
            return false
        }
        _ = try Directory.create(path: directory, mode: 0o700)
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
        marked = nil
        mark(entry)
        return true
    }

    /// A commit beside the cycles: a command's.
    mutating func append(_ commit: CycleReport.Published, at now: Int64) throws(FileSystemError) -> Bool {
        if end == nil { _ = all() }
        var entry = end?.last ?? CycleEntry(at: now, seconds: 0)
        (entry.at, entry.seconds) = (now, 0)
        (entry.images, entry.updates, entry.commits) = ([], [], [commit])
        return try append(entry)
    }

    // MARK: The last look

    /// How often a cycle that says nothing new leaves its time, in seconds.
    private static let markInterval: Int64 = 60

    /// The file's own time is that of the last cycle that ended as its last line says: a line for each would wear the disk.
    private mutating func mark(_ entry: CycleEntry) {
        if let marked, entry.at < marked + Self.markInterval, entry.at >= marked { return }
        marked = entry.at
        let time = timespec(tv_sec: Int(entry.at), tv_nsec: 0)
        utimensat(AT_FDCWD, path, [time, time], AT_SYMLINK_NOFOLLOW)
    }

    /// The newest entries, the oldest first, without reading a long file as a whole; and when the last cycle ended, in seconds since
    /// 1970.
    func recent() -> (entries: [CycleEntry], lastLook: Int64?) {
        guard let file = try? FileHandle(path: path, flags: O_RDONLY | O_NOFOLLOW) else { return ([], nil) }
        var status = stat()
        guard fstat(file.fd, &status) == 0 else { return ([], nil) }
        let start = max(0, off_t(status.st_size) - Self.recentBytes)
        lseek(file.fd, start, SEEK_SET)
        let bytes = (try? file.readAll(limit: Int(Self.recentBytes) * 2)) ?? []
        // A line that is not whole is none.
        let entries = bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            try? CanonicalJSON.decode(CycleEntry.self, from: Array(line))
        }
        return (entries, Int64(status.st_mtim.tv_sec))
    }

    private static let recentBytes: off_t = 256 << 10

    private static func line(_ entry: CycleEntry) -> [UInt8] {
        ((try? CanonicalJSON.encode(entry)) ?? []) + [UInt8(ascii: "\n")]
    }
}
