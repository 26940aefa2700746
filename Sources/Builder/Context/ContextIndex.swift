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
    struct State: Hashable, Sendable, Comparable {
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

        fileprivate init(words: [UInt64]) {
            (inode, device) = (words[0], words[1])
            (size, modified) = (Int64(bitPattern: words[2]), Int64(bitPattern: words[3]))
            changed = Int64(bitPattern: words[4])
        }

        fileprivate var words: [UInt64] {
            [inode, device, UInt64(bitPattern: size), UInt64(bitPattern: modified), UInt64(bitPattern: changed)]
        }

        static func < (left: State, right: State) -> Bool {
            (left.inode, left.device) < (right.inode, right.device)
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
        /// What is new.
        var current: [State: Record] = [:]
        var isChanged = false
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
                content.isUsed = Array(repeating: false, count: stored.count / Self.recordSize)
            }
            if !content.current.isEmpty, let known = content.current[state] { return known }
            guard let stored = content.stored, let place = Self.find(state, in: stored) else { return nil }
            content.isUsed[place] = true
            return Self.record(at: place, in: stored)
        }
    }

    func remember(_ record: Record, for state: State, readAt now: Timestamp) {
        guard state.changed < now.seconds * 1_000_000_000 + now.nanoseconds - Self.clockTick else { return }
        content.withLock { content in
            content.current[state] = record
            content.isChanged = true
        }
    }

    /// Writes what is new. An index that cannot be written costs the next build time, and nothing else.
    func save() {
        let bytes = content.withLock { content -> [UInt8]? in
            guard content.isChanged else { return nil }
            content.isChanged = false
            var records = content.current
            if let stored = content.stored {
                for (place, isUsed) in content.isUsed.enumerated() where isUsed {
                    let state = Self.state(at: place, in: stored)
                    if records[state] == nil { records[state] = Self.record(at: place, in: stored) }
                }
            }
            return Self.encode(records)
        }
        if let bytes { try? AtomicFile.write(bytes, to: path, mode: 0o600) }
    }

    // MARK: The file

    private static func encode(_ records: [State: Record]) -> [UInt8] {
        var bytes = magic
        bytes.reserveCapacity(magic.count + records.count * recordSize + ContentHasher.byteCount)
        func append(_ word: UInt64) { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
        for (state, record) in records.sorted(by: { $0.key < $1.key }) {
            for word in state.words { append(word) }
            bytes += record.digest
            append(record.hasAttributes ? 1 : 0)
        }
        return bytes + checksum(bytes[...])
    }

    /// The records of an index that is whole; nothing of any other.
    private static func load(_ path: String) -> [UInt8] {
        guard let bytes = try? FileContent.read(HostPath(path), limit: 1 << 30),
            bytes.count >= magic.count + ContentHasher.byteCount, bytes.starts(with: magic)
        else { return [] }
        let end = bytes.count - ContentHasher.byteCount
        guard (end - magic.count) % recordSize == 0, bytes[end...].elementsEqual(checksum(bytes[..<end])) else {
            return []
        }
        return Array(bytes[magic.count..<end])
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var hasher = ContentHasher()
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.finalize()
    }

    private static func word(_ index: Int, of record: Int, in records: UnsafeRawBufferPointer) -> UInt64 {
        UInt64(littleEndian: records.loadUnaligned(fromByteOffset: record * recordSize + index * 8, as: UInt64.self))
    }

    private static func state(at place: Int, in records: [UInt8]) -> State {
        records.withUnsafeBytes { records in State(words: (0..<5).map { word($0, of: place, in: records) }) }
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
