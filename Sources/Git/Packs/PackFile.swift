import FileSystem
import Glibc

/// A pack: objects one after the other, whole or as differences to others (git: Documentation/gitformat-pack.txt).
struct PackFile: ~Copyable {
    enum Kind: UInt8 {
        case commit = 1
        case tree = 2
        case blob = 3
        case tag = 4
        case offsetDelta = 6
        case referenceDelta = 7
    }

    /// What lies at a place of the pack.
    struct Entry {
        let kind: Kind
        /// Inflated; of a delta, the delta's own.
        let size: Int64
        /// Where the compressed bytes begin.
        let data: Int64
        /// Of a delta.
        let base: Int64?
    }

    let file: FileHandle
    private let index: PackIndex
    /// Where the objects end: the rest is the pack's checksum.
    let end: Int64

    var path: String { file.path }

    /// - Parameter path: without `.idx` and `.pack`. `nil` when it is not there any more, or not of a version that is known.
    static func open(_ path: String) throws(GitError) -> PackFile? {
        guard let index = try PackIndex.open(path + ".idx"),
            let file = try FileHandle.openUnlessGone(path + ".pack")
        else { return nil }
        var status = stat()
        var head = [UInt8](repeating: 0, count: 8)
        guard fstat(file.fd, &status) == 0, try file.readFully(&head, at: 0), head.starts(with: "PACK".utf8),
            (2...3).contains(head.bigEndian32(at: 4))
        else { throw .damagedObject(path, "it does not begin as a pack") }
        return PackFile(file: file, index: index, end: max(0, Int64(status.st_size) - 20))
    }

    private init(file: consuming FileHandle, index: consuming PackIndex, end: Int64) {
        self.file = file
        self.index = index
        self.end = end
    }

    func offset(of id: ObjectID) throws(GitError) -> Int64? { try index.offset(of: id) }

    func entry(at offset: Int64) throws(GitError) -> Entry {
        guard offset >= 12, offset < end else { throw damaged("an object lies outside of the pack") }
        // The longest header: a size of ten bytes and a name.
        var bytes = [UInt8](repeating: 0, count: Int(min(32, end - offset)))
        guard try file.readFully(&bytes, at: offset) else { throw damaged("it ends too early") }
        var rest = bytes[...]
        func next() throws(GitError) -> UInt8 {
            guard let byte = rest.popFirst() else { throw damaged("an object's header is not valid") }
            return byte
        }
        var byte = try next()
        guard let kind = Kind(rawValue: byte >> 4 & 7) else { throw damaged("an object is of no known kind") }
        var size = Int64(byte & 15)
        var shift: Int64 = 4
        while byte & 0x80 != 0 {
            byte = try next()
            guard shift <= 53 else { throw damaged("an object's size is not valid") }
            size |= Int64(byte & 0x7f) << shift
            shift += 7
        }
        var base: Int64?
        switch kind {
        case .commit, .tree, .blob, .tag: break
        case .offsetDelta:
            byte = try next()
            var distance = Int64(byte & 0x7f)
            while byte & 0x80 != 0 {
                byte = try next()
                guard distance < 1 << 50 else { throw damaged("a delta's base is not valid") }
                distance = (distance + 1) << 7 | Int64(byte & 0x7f)
            }
            guard distance > 0, distance < offset else { throw damaged("a delta's base lies outside of the pack") }
            base = offset - distance
        case .referenceDelta:
            guard rest.count >= 20, let place = try index.offset(of: ObjectID(name: rest.prefix(20))) else {
                throw damaged("a delta's base is not in the pack")
            }
            rest = rest.dropFirst(20)
            base = place
        }
        return Entry(kind: kind, size: size, data: offset + Int64(bytes.count - rest.count), base: base)
    }

    func inflated(_ entry: Entry, window: Int = 64 << 10) throws(GitError) -> InflatedBytes {
        try InflatedBytes(file.fd, from: entry.data, to: end, window: window, path: path)
    }

    func damaged(_ cause: String) -> GitError { .damagedObject(path, cause) }
}
