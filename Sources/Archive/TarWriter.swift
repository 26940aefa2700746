/// Writes a tar archive to a sink: ustar where that is enough, pax headers where it is not. The same entries give the same
/// bytes: no user names, no access times, records in a fixed order.
package struct TarWriter<Sink: ByteSink & ~Copyable>: ~Copyable {
    package var sink: Sink
    private var remaining: Int64 = 0
    private var padding = 0

    package init(_ sink: consuming Sink) { self.sink = sink }

    /// Begins an entry. A file's content follows by `write`, all `size` bytes of it.
    package mutating func append(_ entry: TarEntry) throws(ArchiveError) {
        try checkComplete()
        var entry = entry
        if entry.kind == .directory, entry.name.last != UInt8(ascii: "/") { entry.name.append(UInt8(ascii: "/")) }
        if entry.kind != .file { entry.size = 0 }
        let records = Self.paxRecords(entry)
        if !records.isEmpty {
            var header = TarEntry(name: Array("PaxHeaders/entry".utf8), kind: .file)
            header.size = Int64(records.count)
            try sink.write(UstarHeader.encode(header, type: UInt8(ascii: "x")))
            try sink.write(records)
            try sink.write([UInt8](repeating: 0, count: (512 - records.count % 512) % 512))
        }
        try sink.write(UstarHeader.encode(entry, type: Self.type(entry.kind)))
        remaining = entry.size
        padding = Int((512 - entry.size % 512) % 512)
    }

    /// Content of the file that was begun last.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        guard Int64(bytes.count) <= remaining else {
            throw ArchiveError(.stream, "a file grew while it was put into the archive")
        }
        remaining -= Int64(bytes.count)
        try sink.write(bytes)
        if remaining == 0, padding > 0 {
            try sink.write([UInt8](repeating: 0, count: padding))
            padding = 0
        }
    }

    /// Writes the two blocks of zeros that end an archive, and finishes the sink.
    package mutating func finish() throws(ArchiveError) {
        try checkComplete()
        try sink.write([UInt8](repeating: 0, count: 1_024))
        try sink.finish()
    }

    private func checkComplete() throws(ArchiveError) {
        guard remaining == 0 else {
            throw ArchiveError(.stream, "a file shrank while it was put into the archive")
        }
    }

    private static func type(_ kind: TarEntry.Kind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symlink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }

    // MARK: Headers

    /// What does not fit into a ustar header.
    private static func paxRecords(_ entry: TarEntry) -> [UInt8] {
        var records: [UInt8] = []
        func add(_ key: String, _ value: [UInt8]) { records += record(key, value) }
        if entry.gid > UstarHeader.largestIdentifier { add("gid", Array(String(entry.gid).utf8)) }
        if entry.linkName.count > 100 || !isASCII(entry.linkName) { add("linkpath", entry.linkName) }
        if entry.modified.seconds < 0 || entry.modified.seconds > UstarHeader.largestOctal
            || entry.modified.nanoseconds != 0
        {
            add("mtime", time(entry.modified))
        }
        if entry.name.count > 100 || !isASCII(entry.name) { add("path", entry.name) }
        if entry.size > UstarHeader.largestOctal { add("size", Array(String(entry.size).utf8)) }
        if entry.uid > UstarHeader.largestIdentifier { add("uid", Array(String(entry.uid).utf8)) }
        for (name, value) in entry.xattrs.sorted(by: { $0.key < $1.key }) { add("SCHILY.xattr.\(name)", value) }
        return records
    }

    private static func isASCII(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy { $0 < 0x80 } }

    private static func time(_ time: TarEntry.Time) -> [UInt8] {
        guard time.nanoseconds != 0 else { return Array(String(time.seconds).utf8) }
        // A negative time is written as the decimal number that it is.
        var (seconds, nanoseconds) = (time.seconds, time.nanoseconds)
        var sign = ""
        if seconds < 0 {
            seconds += 1
            nanoseconds = 1_000_000_000 - nanoseconds
            if seconds == 0 { sign = "-" }
        }
        let digits = String(nanoseconds)
        return Array("\(sign)\(seconds).\(String(repeating: "0", count: 9 - digits.count))\(digits)".utf8)
    }

    /// `LENGTH KEY=VALUE\n`, where the length counts itself.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let size = key.utf8.count + value.count + 3
        var length = size + String(size).utf8.count
        length = size + String(length).utf8.count
        return Array("\(length) \(key)=".utf8) + value + [0x0a]
    }
}
