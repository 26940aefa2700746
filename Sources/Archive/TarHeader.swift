/// The 512 bytes before each entry, checked and split into fields.
struct TarHeader {
    let type: UInt8
    let size: Int64
    private let block: [UInt8]

    init(_ block: [UInt8]) throws(ArchiveError) {
        self.block = block
        // The checksum counts its own field as blanks; old writers summed signed bytes.
        var unsigned: Int64 = 0
        var signed: Int64 = 0
        for (index, byte) in block.enumerated() {
            let counted = (148..<156).contains(index) ? 0x20 : byte
            unsigned += Int64(counted)
            signed += Int64(Int8(bitPattern: counted))
        }
        let stated = try Self.number(block[148..<156], "checksum")
        guard stated == unsigned || stated == signed else {
            throw ArchiveError(
                .malformed, "this is no tar archive, or it is damaged", cause: "a header's checksum is wrong")
        }
        type = block[156]
        size = try Self.number(block[124..<136], "size")
        guard size >= 0 else { throw ArchiveError(.malformed, "an entry has a negative size") }
    }

    /// What the entry is; `nil` for kinds that are not known.
    func kind(_ name: [UInt8]) -> TarEntry.Kind? {
        switch type {
        case UInt8(ascii: "0"), 0, UInt8(ascii: "7"), UInt8(ascii: "S"):
            // Before ustar a directory was a file whose name ends in a slash.
            type == UInt8(ascii: "0") || type == 0 ? (name.last == UInt8(ascii: "/") ? .directory : .file) : .file
        case UInt8(ascii: "1"): .hardLink
        case UInt8(ascii: "2"): .symlink
        case UInt8(ascii: "3"): .characterDevice
        case UInt8(ascii: "4"): .blockDevice
        case UInt8(ascii: "5"): .directory
        case UInt8(ascii: "6"): .fifo
        default: nil
        }
    }

    /// Where the map of a sparse entry is.
    enum Sparse {
        /// In this header, and in blocks after it where there are more pieces.
        case header(numbers: [Int64], size: Int64, isContinued: Bool)
        /// In the pax header.
        case records(numbers: [Int64], size: Int64)
        /// In front of the content.
        case content(size: Int64)
    }

    /// - Returns: `nil` for an entry that is not sparse.
    func sparse(_ records: PaxRecords) throws(ArchiveError) -> Sparse? {
        if type == UInt8(ascii: "S") {
            return .header(
                numbers: try Self.pieces(block, at: 386, count: 4),
                size: try Self.number(block[483..<495], "size of a sparse entry"), isContinued: block[482] != 0)
        }
        guard records.sparse.isPresent else { return nil }
        guard let size = records.sparse.size else { throw SparseMap.malformed }
        return records.sparse.major == 1 ? .content(size: size) : .records(numbers: records.sparse.numbers, size: size)
    }

    /// Pieces of the old GNU format, 24 bytes each; one that begins with a NUL ends them.
    static func pieces(_ block: [UInt8], at start: Int, count: Int) throws(ArchiveError) -> [Int64] {
        var numbers: [Int64] = []
        for index in 0..<count {
            let place = start + 24 * index
            guard block[place] != 0 || block[place + 12] != 0 else { break }
            numbers.append(try number(block[place..<(place + 12)], "offset of a sparse entry"))
            numbers.append(try number(block[(place + 12)..<(place + 24)], "size of a sparse entry"))
        }
        return numbers
    }

    func contentSize(_ records: PaxRecords) -> Int64 { records.size ?? size }

    func entry(
        _ records: PaxRecords, longName: [UInt8]?, longLink: [UInt8]?
    ) throws(ArchiveError) -> TarEntry {
        var entry = TarEntry(name: records.sparse.name ?? records.path ?? longName ?? name, kind: .file)
        entry.linkName = records.linkPath ?? longLink ?? Self.text(block[157..<257])
        entry.mode = UInt32(truncatingIfNeeded: try Self.number(block[100..<108], "mode")) & 0o7777
        let (uid, gid) = (try Self.number(block[108..<116], "uid"), try Self.number(block[116..<124], "gid"))
        entry.uid = try Self.identifier(records.uid ?? uid)
        entry.gid = try Self.identifier(records.gid ?? gid)
        let modified = TarEntry.Time(seconds: try Self.number(block[136..<148], "mtime"))
        entry.modified = records.modified ?? modified
        if type == UInt8(ascii: "3") || type == UInt8(ascii: "4") {
            entry.major = try Self.identifier(Self.number(block[329..<337], "device"))
            entry.minor = try Self.identifier(Self.number(block[337..<345], "device"))
        }
        entry.xattrs = records.xattrs
        if entry.name.contains(0) || entry.linkName.contains(0) {
            throw ArchiveError(.malformed, "an entry's name holds a NUL byte", place: entry.displayName)
        }
        return entry
    }

    private var name: [UInt8] {
        let name = Self.text(block[0..<100])
        // ustar splits long names; GNU's own format ("ustar  ") uses the prefix field for something else.
        guard block[257..<263].elementsEqual("ustar\0".utf8) else { return name }
        let prefix = Self.text(block[345..<500])
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    private static func text(_ field: ArraySlice<UInt8>) -> [UInt8] { Array(field.prefix { $0 != 0 }) }

    private static func identifier(_ number: Int64) throws(ArchiveError) -> UInt32 {
        guard let value = UInt32(exactly: number) else {
            throw ArchiveError(.malformed, "an entry's owner or device number is out of range", cause: "\(number)")
        }
        return value
    }

    /// Octal digits with blanks or NULs around them, or GNU's big-endian binary with the top bit set.
    static func number(_ field: ArraySlice<UInt8>, _ what: String) throws(ArchiveError) -> Int64 {
        guard let first = field.first else { return 0 }
        if first & 0x80 != 0 {
            var value: Int64 = first & 0x40 != 0 ? -1 : 0
            for (index, byte) in field.enumerated() {
                let byte = index == 0 ? (first & 0x40 != 0 ? byte : byte & 0x3f) : byte
                let (shifted, overflow) = value.multipliedReportingOverflow(by: 256)
                guard !overflow else {
                    throw ArchiveError(.malformed, "a number in a header is too large", cause: what)
                }
                value = shifted | Int64(byte)
            }
            return value
        }
        var value: Int64 = 0
        var isInside = false
        for byte in field {
            switch byte {
            case 0x30...0x37:
                isInside = true
                value = value << 3 | Int64(byte - 0x30)
            case 0x20, 0:
                if isInside { return value }
            default:
                throw ArchiveError(
                    .malformed, "this is no tar archive, or it is damaged", cause: "a wrong \(what) field")
            }
        }
        return value
    }
}

/// The records of pax headers that matter here; the last one of a name wins.
struct PaxRecords {
    private(set) var path: [UInt8]?
    private(set) var linkPath: [UInt8]?
    private(set) var size: Int64?
    private(set) var uid: Int64?
    private(set) var gid: Int64?
    private(set) var modified: TarEntry.Time?
    private(set) var xattrs: [String: [UInt8]] = [:]
    private(set) var sparse = Sparse()

    /// The records of a sparse file in pax format, 0.0, 0.1 and 1.0.
    struct Sparse {
        var isPresent = false
        var major = 0
        var name: [UInt8]?
        /// Of the file.
        var size: Int64?
        /// Offset, size, offset, size …
        var numbers: [Int64] = []
    }

    init() {}

    /// Parses `LENGTH KEY=VALUE\n` records.
    init(_ bytes: [UInt8], limits: TarLimits) throws(ArchiveError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty, digits.count <= 8, let length = Int(String(decoding: digits, as: UTF8.self)),
                length > digits.count + 2, length <= rest.count,
                rest[digits.endIndex] == 0x20, rest[rest.startIndex + length - 1] == 0x0a
            else { throw Self.malformed }
            let record = rest[(digits.endIndex + 1)..<(rest.startIndex + length - 1)]
            rest = rest[(rest.startIndex + length)...]
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { throw Self.malformed }
            let key = String(decoding: record[..<equals], as: UTF8.self)
            try set(key, Array(record[(equals + 1)...]))
        }
    }

    private static var malformed: ArchiveError { ArchiveError(.malformed, "an extended header is malformed") }

    private mutating func set(_ key: String, _ value: [UInt8]) throws(ArchiveError) {
        switch key {
        case "path": path = value.isEmpty ? nil : value
        case "linkpath": linkPath = value.isEmpty ? nil : value
        case "size":
            guard let number = Self.integer(value), number >= 0 else { throw Self.malformed }
            size = number
        case "uid": uid = try Self.required(value)
        case "gid": gid = try Self.required(value)
        case "mtime": modified = try Self.time(value)
        case let key where key.hasPrefix("GNU.sparse."):
            try setSparse(String(key.dropFirst("GNU.sparse.".count)), value)
        case let key where key.hasPrefix("SCHILY.xattr."):
            let name = String(key.dropFirst("SCHILY.xattr.".count))
            guard !name.isEmpty, name.utf8.count <= 255, value.count <= 65_536, xattrs.count < 1_024 else {
                throw ArchiveError(.limit, "an entry has too many or too large extended attributes")
            }
            xattrs[name] = value
        default: break
        }
    }

    private mutating func setSparse(_ key: String, _ value: [UInt8]) throws(ArchiveError) {
        sparse.isPresent = true
        func number(_ text: [UInt8]) throws(ArchiveError) -> Int64 {
            guard let number = Self.integer(text), number >= 0 else { throw SparseMap.malformed }
            return number
        }
        switch key {
        case "major": sparse.major = Int(clamping: try number(value))
        case "name": sparse.name = value.isEmpty ? nil : value
        case "size", "realsize": sparse.size = try number(value)
        case "offset", "numbytes": sparse.numbers.append(try number(value))
        case "map":
            sparse.numbers = []
            for text in value.split(separator: UInt8(ascii: ",")) { sparse.numbers.append(try number(Array(text))) }
        default: break
        }
        guard sparse.numbers.count <= 2 * SparseMap.limit else { throw SparseMap.malformed }
    }

    static func integer(_ value: [UInt8]) -> Int64? {
        guard value.count <= 20 else { return nil }
        return Int64(String(decoding: value, as: UTF8.self))
    }

    private static func required(_ value: [UInt8]) throws(ArchiveError) -> Int64 {
        guard let number = integer(value) else { throw malformed }
        return number
    }

    /// Seconds with any number of decimals; a negative time counts its fraction backwards.
    private static func time(_ value: [UInt8]) throws(ArchiveError) -> TarEntry.Time {
        let parts = value.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, var seconds = integer(Array(whole)) else { throw malformed }
        guard parts.count == 2 else { return TarEntry.Time(seconds: seconds) }
        guard parts[1].allSatisfy({ (0x30...0x39).contains($0) }) else { throw malformed }
        var fraction = Array(parts[1].prefix(9))
        while fraction.count < 9 { fraction.append(UInt8(ascii: "0")) }
        guard var nanoseconds = Int32(String(decoding: fraction, as: UTF8.self)) else { throw malformed }
        if whole.first == UInt8(ascii: "-"), nanoseconds > 0, seconds > Int64.min {
            seconds -= 1
            nanoseconds = 1_000_000_000 - nanoseconds
        }
        return TarEntry.Time(seconds: seconds, nanoseconds: nanoseconds)
    }

    /// Lays other records over these.
    mutating func apply(_ other: PaxRecords) {
        path = other.path ?? path
        linkPath = other.linkPath ?? linkPath
        size = other.size ?? size
        uid = other.uid ?? uid
        gid = other.gid ?? gid
        modified = other.modified ?? modified
        if other.sparse.isPresent { sparse = other.sparse }
        xattrs.merge(other.xattrs) { $1 }
    }
}
