/// Reads a tar archive from a source, entry by entry: ustar, pax headers (path, linkpath, size, uid, gid, mtime, xattrs) and
/// GNU's long names, binary numbers and sparse files. Memory is bounded whatever the archive says.
///
/// As a source, it is the current entry's content.
package struct TarReader<Source: ByteSource & ~Copyable>: ~Copyable, ByteSource {
    private var source: Source
    private let limits: TarLimits
    private var block = [UInt8](repeating: 0, count: 512)
    /// Bytes of the current entry's content that have not been read, and of its padding.
    private var remaining: Int64 = 0
    private var padding: Int64 = 0
    /// Of a sparse entry.
    private var sparse: SparseReading?
    private var global = PaxRecords()
    private var entries = 0

    package init(_ source: consuming Source, limits: TarLimits = .standard) {
        self.source = source
        self.limits = limits
    }

    /// The next entry; `nil` at the end. What was not read of the previous one is passed over.
    package mutating func next() throws(ArchiveError) -> TarEntry? {
        try skip()
        var local = PaxRecords()
        var longName: [UInt8]?
        var longLink: [UInt8]?
        while true {
            guard try readBlock() else { return nil }
            if block.allSatisfy({ $0 == 0 }) { return nil }
            entries += 1
            guard entries <= limits.entries else {
                throw ArchiveError(
                    .limit, "the archive has more than \(limits.entries) entries",
                    hint: "such an archive is most likely made to do harm")
            }
            let header = try TarHeader(block)
            switch header.type {
            case UInt8(ascii: "x"):
                local.apply(try PaxRecords(try readHeaderContent(header.size), limits: limits))
            case UInt8(ascii: "g"):
                global.apply(try PaxRecords(try readHeaderContent(header.size), limits: limits))
            case UInt8(ascii: "L"): longName = Self.text(try readHeaderContent(header.size))
            case UInt8(ascii: "K"): longLink = Self.text(try readHeaderContent(header.size))
            default:
                var records = global
                records.apply(local)
                var entry = try header.entry(records, longName: longName, longLink: longLink)
                guard let kind = header.kind(entry.name) else {
                    // A kind that nobody knows (GNU's volume labels and the like): passed over with its content.
                    remaining = try Self.checked(header.contentSize(records))
                    padding = (512 - remaining % 512) % 512
                    try skip()
                    local = PaxRecords()
                    (longName, longLink) = (nil, nil)
                    continue
                }
                entry.kind = kind
                // Only files have content; some writers note a size for links all the same.
                remaining = kind == .file ? try Self.checked(header.contentSize(records)) : 0
                entry.size = remaining
                padding = (512 - remaining % 512) % 512
                if kind == .file, let form = try header.sparse(records) {
                    do throws(ArchiveError) { entry.size = try beginSparse(form) } catch {
                        var told = error
                        told.place = error.place ?? entry.displayName
                        throw told
                    }
                }
                guard entry.name.count <= limits.nameLength, entry.linkName.count <= limits.nameLength else {
                    throw ArchiveError(
                        .limit, "an entry's name is longer than \(limits.nameLength) bytes", place: entry.displayName,
                        hint: "no file system has room for such a name")
                }
                return entry
            }
        }
    }

    /// A size that can still be added to: no file system holds files beyond it.
    private static func checked(_ size: Int64) throws(ArchiveError) -> Int64 {
        guard size <= 1 << 60 else {
            throw ArchiveError(.malformed, "an entry claims an impossible size", cause: "\(size) bytes")
        }
        return size
    }

    /// Reads of the current entry's content.
    ///
    /// - Returns: how many bytes; 0 at its end.
    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard let next = sparse?.next else { return sparse == nil ? try readStored(into: buffer) : 0 }
        guard buffer.count > 0 else { return 0 }
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(Int64(buffer.count), next.count))])
        var count = part.count
        if next.isHole {
            part.initializeMemory(as: UInt8.self, repeating: 0)
        } else {
            count = try readStored(into: part)
            guard count > 0 else { throw Self.cut }
        }
        sparse?.advance(by: count)
        return count
    }

    /// Reads the map of a sparse entry, and with it where its bytes are.
    ///
    /// - Returns: the size of the file.
    private mutating func beginSparse(_ form: TarHeader.Sparse) throws(ArchiveError) -> Int64 {
        let numbers: [Int64]
        let size: Int64
        switch form {
        case .records(let known, let whole): (numbers, size) = (known, whole)
        case .header(let first, let whole, var isContinued):
            var found = first
            // The blocks come before the content, and are not part of its size.
            while isContinued {
                guard try readBlock() else { throw Self.cut }
                found += try TarHeader.pieces(block, at: 0, count: 21)
                guard found.count <= 2 * SparseMap.limit else { throw SparseMap.malformed }
                isContinued = block[504] != 0
            }
            (numbers, size) = (found, whole)
        case .content(let whole): (numbers, size) = (try readMap(), whole)
        }
        guard try Self.checked(size) >= 0 else { throw SparseMap.malformed }
        sparse = SparseReading(try SparseMap(SparseMap.segments(numbers), size: size, stored: remaining))
        return size
    }

    /// The map of pax format 1.0: how many pieces there are, then their numbers, a line each, padded to whole blocks.
    private mutating func readMap() throws(ArchiveError) -> [Int64] {
        var numbers: [Int64] = []
        var wanted = 1
        var line: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 512)
        while numbers.count < wanted {
            var filled = 0
            while filled < piece.count {
                let outcome: Result<Int, ArchiveError> = piece.withUnsafeMutableBytes { bytes in
                    Result { () throws(ArchiveError) in
                        try readStored(into: UnsafeMutableRawBufferPointer(rebasing: bytes[filled...]))
                    }
                }
                let count = try outcome.get()
                guard count > 0 else { throw Self.cut }
                filled += count
            }
            for byte in piece where numbers.count < wanted {
                guard byte == 0x0a else {
                    line.append(byte)
                    guard line.count <= 20 else { throw SparseMap.malformed }
                    continue
                }
                guard let number = PaxRecords.integer(line), number >= 0 else { throw SparseMap.malformed }
                line = []
                numbers.append(number)
                guard numbers.count == 1 else { continue }
                guard number <= Int64(SparseMap.limit) else { throw SparseMap.malformed }
                wanted = 1 + 2 * Int(number)
            }
        }
        return Array(numbers.dropFirst())
    }

    /// Reads of what the archive holds of the current entry.
    private mutating func readStored(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard remaining > 0, buffer.count > 0 else { return 0 }
        let wanted = Int(min(Int64(buffer.count), remaining))
        let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
        guard count > 0 else { throw Self.cut }
        remaining -= Int64(count)
        return count
    }

    private static var cut: ArchiveError {
        ArchiveError(.malformed, "the archive ends in the middle of an entry", hint: "it was cut off; fetch it anew")
    }

    private mutating func skip() throws(ArchiveError) {
        var left = remaining + padding
        sparse = nil
        remaining = 0
        padding = 0
        guard left > 0 else { return }
        var buffer = [UInt8](repeating: 0, count: Int(min(left, 1 << 16)))
        while left > 0 {
            if Int64(buffer.count) > left { buffer.removeLast(buffer.count - Int(left)) }
            let count = try source.read(into: &buffer)
            guard count > 0 else { throw Self.cut }
            left -= Int64(count)
        }
    }

    /// - Returns: whether there was a block; an archive may end without its two blocks of zeros.
    private mutating func readBlock() throws(ArchiveError) -> Bool {
        let outcome: Result<Int, ArchiveError> = block.withUnsafeMutableBytes { bytes in
            Result { () throws(ArchiveError) in try source.fill(bytes) }
        }
        let count = try outcome.get()
        guard count == 0 || count == block.count else { throw Self.cut }
        return count > 0
    }

    private mutating func readHeaderContent(_ size: Int64) throws(ArchiveError) -> [UInt8] {
        guard size >= 0, size <= Int64(limits.headerSize) else {
            throw ArchiveError(
                .limit, "an extended header is larger than \(limits.headerSize) bytes",
                hint: "such an archive is most likely made to do harm")
        }
        var content: [UInt8] = []
        content.reserveCapacity(Int(size))
        remaining = size
        padding = (512 - size % 512) % 512
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while remaining > 0 {
            let outcome: Result<Int, ArchiveError> = buffer.withUnsafeMutableBytes { bytes in
                Result { () throws(ArchiveError) in try read(into: bytes) }
            }
            content += buffer[..<(try outcome.get())]
        }
        try skip()
        return content
    }

    private static func text(_ bytes: [UInt8]) -> [UInt8] { Array(bytes.prefix { $0 != 0 }) }
}

/// What an archive may have at most.
package struct TarLimits: Sendable, Hashable {
    package var entries: Int
    package var nameLength: Int
    /// Bytes of one extended header.
    package var headerSize: Int

    package init(entries: Int = 5_000_000, nameLength: Int = 4_096, headerSize: Int = 1 << 20) {
        self.entries = entries
        self.nameLength = nameLength
        self.headerSize = headerSize
    }

    package static let standard = TarLimits()
}
