import FileSystem
import Glibc

/// What steps were shown while they used a cache: a file for each that may still matter, beside the cache.
///
/// A program that goes by times keeps what it made in the cache as long as that is newer than what it was made of. That is wrong where
/// the step that made it saw other files than the one that finds it: another commit's, another pipeline's, those of before a revert, whose
/// layers were made long ago. So each step that uses a cache is shown its files with times which say how they differ
/// (`SourceView.outdo`), and leaves a note of that to the next. Where all is as it was, nothing is changed.
struct CacheViews {
    private let folder: HostPath
    private let lock: Int32
    /// Notes of steps that have ended: what the step that comes now is shown says the same, and more.
    private var satisfied: [HostPath] = []

    /// Opens the notes of a cache, and keeps others from them until `end`.
    init(in folder: HostPath) throws(BuildError) {
        if folder.withCString({ mkdir($0, 0o700) }) != 0, errno != EEXIST { throw folder.failure("make the directory") }
        let path = folder.appending("lock")
        guard let lock = FileLock.hold(path, blocking: true) else { throw path.failure("lock the file") }
        self.folder = folder
        self.lock = lock
    }

    func end() { close(lock) }

    /// Changes the times that a step is shown, for what its predecessors left in the cache.
    ///
    /// - Parameter base: what the files of the base image are known by.
    /// - Returns: whether all of them stood on that base.
    mutating func outdo(
        with view: inout SourceView, on base: String, in root: LayeredRoot, now: Int64
    ) throws(BuildError) -> Bool {
        var isSameBase = true
        for name in try FileCalls.names(in: folder) where name.text.hasSuffix(".view") {
            let path = folder.appending(name)
            let note = CacheNote.read(path)
            let other = note?.view ?? SourceView()
            if note?.base != base { isSameBase = false }
            try view.addUncovered(of: other, in: root)
            view.outdo(other, end: note?.end, now: now)
            if note?.end != nil || !CacheNote.isHeld(path) { satisfied.append(path) }
        }
        return isSameBase
    }

    /// Writes down what the step is shown, instead of what others were who have ended.
    func begin(_ view: SourceView, on base: String) throws(BuildError) -> CacheNote {
        let note = try CacheNote(
            folder.appending(String(UInt64.random(in: .min ... .max), radix: 36) + ".view"), view, base)
        for path in satisfied { CacheNote.remove(path) }
        return note
    }
}

/// One step's note. Its lock says that the step runs; the kernel drops that with the process.
final class CacheNote: Sendable {
    let view: SourceView
    /// What the base image's files are known by.
    let base: String
    /// When the step ended, in nanoseconds since 1970; `nil`: it runs, or was cut off.
    let end: Int64?
    private let path: HostPath
    private let lock: Int32

    private static let magic = Array("slipway view 3 ".utf8)

    fileprivate init(_ path: HostPath, _ view: SourceView, _ base: String) throws(BuildError) {
        let lockPath = HostPath(path.text + ".lock")
        guard let lock = FileLock.hold(lockPath, blocking: true) else { throw lockPath.failure("lock the file") }
        self.path = path
        self.view = view
        self.base = base
        self.lock = lock
        end = nil
        do throws(BuildError) { try Self.write(view, base, end: nil, to: path) } catch {
            close(lock)
            throw error
        }
    }

    private init(_ path: HostPath, _ view: SourceView, _ base: String, end: Int64?) {
        self.path = path
        self.base = base
        self.view = view
        self.end = end
        lock = -1
    }

    deinit { if lock >= 0 { close(lock) } }

    /// Says that nothing is written any more. A note without an end costs time, and nothing else.
    func finish() { try? Self.write(view, base, end: Timestamp.now.nanosecondsSince1970, to: path) }

    private static func write(
        _ view: SourceView, _ base: String, end: Int64?, to path: HostPath
    ) throws(BuildError) {
        let bytes = magic + Array("\(end.map { "\($0)" } ?? "-") \(base)\n".utf8) + view.bytes
        do { try AtomicFile.write(bytes, to: path.text, mode: 0o600) } catch {
            throw BuildError(.storage, "cannot write what a step is shown", from: error)
        }
    }

    /// - Returns: `nil` for what cannot be read.
    fileprivate static func read(_ path: HostPath) -> CacheNote? {
        guard let bytes = try? FileContent.read(path, limit: 1 << 30), bytes.starts(with: magic),
            let line = bytes.firstIndex(of: 0x0a), let view = SourceView(bytes: bytes[(line + 1)...])
        else { return nil }
        let words = String(decoding: bytes[magic.count..<line], as: UTF8.self).split(separator: " ")
        guard words.count == 2, let time = words[0] == "-" ? .some(nil) : Int64(words[0]).map(Optional.some) else {
            return nil
        }
        return CacheNote(path, view, String(words[1]), end: time)
    }

    fileprivate static func isHeld(_ path: HostPath) -> Bool {
        guard let lock = FileLock.hold(HostPath(path.text + ".lock"), blocking: false) else { return true }
        close(lock)
        return false
    }

    fileprivate static func remove(_ path: HostPath) {
        unlink(path.text)
        unlink(path.text + ".lock")
    }
}
