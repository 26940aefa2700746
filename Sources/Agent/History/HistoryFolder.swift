import FileSystem
import Glibc
import OCI

/// The files of one repository's builds.
///
/// - `ID.run`: the record of a build that is not over
/// - `ID.json`: the record of one that is
/// - `ID.log`: its lines
/// - `cycles.jsonl`: what the cycles did
struct HistoryFolder: Sendable {
    let path: String

    private static let recordLimit = 64 << 20

    /// The name of a repository's folder. Names are of any letters; a folder's are few.
    static func name(of repository: String) -> String {
        var result = ""
        for byte in repository.utf8 {
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || byte == 0x2d || byte == 0x5f || byte == 0x2e && !result.isEmpty
            if isPlain {
                result.append(Character(UnicodeScalar(byte)))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        guard result.utf8.count > 150 else { return result.isEmpty ? "%" : result }
        // A percent sign is in no other name before anything but digits.
        return "\(result.prefix(80))%-\(Digest.sha256(of: Array(repository.utf8)).encoded.prefix(24))"
    }

    var cycles: String { "\(path)/cycles.jsonl" }
    func log(_ id: BuildID) -> String { "\(path)/\(id).log" }
    private func running(_ id: BuildID) -> String { "\(path)/\(id).run" }
    private func over(_ id: BuildID) -> String { "\(path)/\(id).json" }

    /// - Returns: bytes of its files.
    @discardableResult
    func write(_ record: BuildRecord) throws(FileSystemError) -> Int64 {
        let bytes = (try? CanonicalJSON.encode(record)) ?? []
        let target = record.state.isOver ? over(record.id) : running(record.id)
        try AtomicFile.write(bytes, to: target, mode: 0o600, isDurable: false)
        if record.state.isOver { unlink(running(record.id)) }
        return Int64(bytes.count) + Self.size(log(record.id))
    }

    func record(_ id: BuildID) -> BuildRecord? { Self.read(over(id)) ?? Self.read(running(id)) }

    func remove(_ id: BuildID) { for path in [over(id), running(id), log(id)] { unlink(path) } }

    /// What is there. What a process left that is gone is put in order: its builds become interrupted ones, half lines and half files
    /// go.
    func open(living: Set<String>) -> [HistoryIndex.Entry] {
        var kinds: [BuildID: Set<String>] = [:]
        for entry in (try? Directory(path: path).entries()) ?? [] {
            let name = String(decoding: entry.name, as: UTF8.self)
            if name.hasPrefix("."), name.hasSuffix(".tmp") { unlink("\(path)/\(name)") }
            guard let dot = name.lastIndex(of: "."), let id = BuildID(String(name[..<dot])) else { continue }
            kinds[id, default: []].insert(String(name[name.index(after: dot)...]))
        }
        return kinds.compactMap { id, kinds in
            if kinds.contains("json") {
                if kinds.contains("run") { unlink(running(id)) }
                return HistoryIndex.Entry(id: id, bytes: Self.size(over(id)) + Self.size(log(id)), isOver: true)
            }
            guard let record: BuildRecord = Self.read(running(id)), record.id == id else {
                remove(id)
                return nil
            }
            if let owner = record.owner, living.contains(owner) {
                return HistoryIndex.Entry(id: id, bytes: Self.size(log(id)), isOver: false)
            }
            return interrupt(record).map { HistoryIndex.Entry(id: id, bytes: $0, isOver: true) }
        }
    }

    private func interrupt(_ record: BuildRecord) -> Int64? {
        var record = record
        record.state = .interrupted
        record.owner = nil
        var status = stat()
        record.endedAt =
            stat(log(record.id), &status) == 0 && status.st_size > 0
            ? max(Int64(status.st_mtim.tv_sec), record.queuedAt) : record.startedAt ?? record.queuedAt
        cutTornLine(log(record.id))
        return try? write(record)
    }

    private func cutTornLine(_ path: String) {
        guard let file = try? FileHandle(path: path, flags: O_RDWR | O_NOFOLLOW) else { return }
        let size = lseek(file.fd, 0, SEEK_END)
        let start = max(0, size - (64 << 10))
        lseek(file.fd, start, SEEK_SET)
        guard let tail = try? file.readAll(limit: 128 << 10), tail.last != UInt8(ascii: "\n") else { return }
        let whole = tail.lastIndex(of: UInt8(ascii: "\n")).map { off_t($0 + 1) } ?? 0
        ftruncate(file.fd, start + whole)
    }

    private static func read(_ path: String) -> BuildRecord? {
        guard let file = try? FileHandle(path: path, flags: O_RDONLY | O_NOFOLLOW),
            let bytes = try? file.readAll(limit: recordLimit)
        else { return nil }
        return try? CanonicalJSON.decode(BuildRecord.self, from: bytes)
    }

    static func size(_ path: String) -> Int64 {
        var status = stat()
        return lstat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}
