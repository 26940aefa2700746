import FileSystem
import Glibc
import OCI
import Synchronization

/// What the files of a directory held when they were last read, by what the kernel says of them: a file whose inode, size
/// and times are the same holds the same. So a context that did not change costs one look at each file.
///
/// The change time cannot be set by programs. A file that changed so shortly before it was read that a later change may
/// have got the same time is not remembered.
final class ContextIndex: Sendable {
    /// What has to be the same.
    struct State: Hashable, Sendable {
        let inode: UInt64
        let device: UInt64
        let size: Int64
        let modified: Int64
        let changed: Int64

        init(_ node: Node) {
            inode = node.inode
            device = node.device
            size = node.size
            modified = Self.nanoseconds(node.modified)
            changed = Self.nanoseconds(node.changed)
        }

        fileprivate var words: [UInt64] {
            [inode, device, UInt64(bitPattern: size), UInt64(bitPattern: modified), UInt64(bitPattern: changed)]
        }

        private static func nanoseconds(_ time: Timestamp) -> Int64 {
            time.seconds &* 1_000_000_000 &+ time.nanoseconds
        }
    }

    struct Record: Sendable {
        /// What `ContentIdentity` names.
        let digest: [UInt8]
        let hasAttributes: Bool
    }

    private struct Content: Sendable {
        /// The file as it was read: records sorted by inode.
        var stored: [UInt8]?
        /// Which of them were asked for, and are remembered on.
        var isUsed: [Bool] = []
        /// What is new, in the form of the file, and in no order.
        var fresh: [UInt8] = []
        /// Whether the file has nothing but what was asked for or found here.
        var isOwn = false
    }

    private let path: String
    private let content = Mutex(Content())

    private static let magic = Array("slipway.context.2\n".utf8)
    private static let recordSize = 5 * 8 + ContentHasher.byteCount + 8
    /// Files that changed within this time before they are read are not remembered: coarser than any file system's clock.
    private static let clockTick: Int64 = 1_000_000_000

    /// - Parameter folder: of the state directory.
    init(folder: String, context: String) {
        path = "\(folder)/\(Digest.sha256(of: Array(context.utf8)).encoded.prefix(32))"
    }

    func record(for state: State) -> Record? {
        content.withLock { content in
            if content.stored == nil {
                let stored = Self.load(path)
                content.stored = stored
                content.isUsed = Array(repeating: content.isOwn, count: stored.count / Self.recordSize)
            }
            guard let stored = content.stored, let place = Self.find(state, in: stored) else { return nil }
            content.isUsed[place] = true
            return Self.record(at: place, in: stored)
        }
    }

    /// It is found again when it is saved.
    func remember(_ record: Record, for state: State, readAt now: Timestamp) {
        guard state.changed < now.seconds * 1_000_000_000 + now.nanoseconds - Self.clockTick else { return }
        content.withLock { content in
            for word in state.words { Self.append(word, to: &content.fresh) }
            content.fresh += record.digest
            Self.append(record.hasAttributes ? 1 : 0, to: &content.fresh)
        }
    }

    /// Writes what is new. An index that cannot be written costs the next build time, and nothing else.
    func save() {
        let bytes = content.withLock { content -> [UInt8]? in
            guard !content.fresh.isEmpty else { return nil }
            let bytes = Self.file(of: content)
            // What is wanted of it again is read again: a list of many files is not for the memory of a build.
            content = Content(isOwn: true)
            return bytes
        }
        if let bytes { try? AtomicFile.write(bytes, to: path, mode: 0o600) }
    }

    // MARK: The file

    private static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// What is new, and what is there and was asked for.
    private static func file(of content: Content) -> [UInt8] {
        let stored = content.stored ?? []
        let places =
            stride(from: 0, to: content.fresh.count, by: recordSize).map {
                Place(of: content.fresh, at: $0, isNew: true)
            }
            + content.isUsed.indices.filter { content.isUsed[$0] }
            .map { Place(of: stored, at: $0 * recordSize, isNew: false) }
        var bytes = magic
        bytes.reserveCapacity(magic.count + places.count * recordSize + ContentHasher.byteCount)
        var last: Place?
        for place in places.sorted() {
            // Of a file that changed, what is new.
            if let last, last.inode == place.inode, last.device == place.device { continue }
            bytes += (place.isNew ? content.fresh : stored)[place.start..<place.start + recordSize]
            last = place
        }
        bytes += checksum(bytes[...])
        return bytes
    }

    /// Where a record is.
    private struct Place: Comparable {
        let inode: UInt64
        let device: UInt64
        let start: Int
        let isNew: Bool

        init(of records: [UInt8], at start: Int, isNew: Bool) {
            self.start = start
            self.isNew = isNew
            (inode, device) = records.withUnsafeBytes { records in
                let record = start / ContextIndex.recordSize
                return (ContextIndex.word(0, of: record, in: records), ContextIndex.word(1, of: record, in: records))
            }
        }

        static func < (left: Place, right: Place) -> Bool {
            // Of two that are new, the later one counts.
            (left.inode, left.device, left.isNew ? 0 : 1, -left.start)
                < (right.inode, right.device, right.isNew ? 0 : 1, -right.start)
        }
    }

    /// The records of an index that is whole; nothing of any other.
    private static func load(_ path: String) -> [UInt8] {
        guard var bytes = try? FileContent.read(HostPath(path), limit: 1 << 30),
            bytes.count >= magic.count + ContentHasher.byteCount, bytes.starts(with: magic)
        else { return [] }
        let end = bytes.count - ContentHasher.byteCount
        guard (end - magic.count) % recordSize == 0, bytes[end...].elementsEqual(checksum(bytes[..<end])) else {
            return []
        }
        bytes.removeSubrange(end...)
        bytes.removeFirst(magic.count)
        return bytes
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var hasher = ContentHasher()
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.finalize()
    }

    private static func word(_ index: Int, of record: Int, in records: UnsafeRawBufferPointer) -> UInt64 {
        UInt64(littleEndian: records.loadUnaligned(fromByteOffset: record * recordSize + index * 8, as: UInt64.self))
    }

    private static func record(at place: Int, in records: [UInt8]) -> Record {
        let start = place * recordSize + 40
        return records.withUnsafeBytes { bytes in
            Record(
                digest: Array(bytes[start..<start + ContentHasher.byteCount]),
                hasAttributes: word(9, of: place, in: bytes) != 0)
        }
    }

    /// The place of the record of a state.
    private static func find(_ state: State, in records: [UInt8]) -> Int? {
        records.withUnsafeBytes { records in
            var low = 0
            var high = records.count / recordSize
            while low < high {
                let middle = (low + high) / 2
                let inode = word(0, of: middle, in: records)
                if inode < state.inode || inode == state.inode && word(1, of: middle, in: records) < state.device {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            guard low < records.count / recordSize, word(0, of: low, in: records) == state.inode,
                word(1, of: low, in: records) == state.device,
                word(2, of: low, in: records) == UInt64(bitPattern: state.size),
                word(3, of: low, in: records) == UInt64(bitPattern: state.modified),
                word(4, of: low, in: records) == UInt64(bitPattern: state.changed)
            else { return nil }
            return low
        }
    }
}
