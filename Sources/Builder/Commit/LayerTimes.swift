import Archive
import ContentStore
import OCI

/// The times that a layer's files had when it was made, in the order of its archive. An archive tells whole seconds, and that of a
/// reproducible image older times than the files have; whoever unpacks the layer to run further steps on it needs the true ones:
/// to a program that goes by times, what was written later is newer, also within one second.
///
/// A blob of the store, kept beside the layer in the step cache: a magic number and the count of entries that are no marks of removed
/// files; for each the nanoseconds since 1970, 8 bytes, the lowest first; then the files that the layer has with another time in them
/// (`BytecodeTimes`): the four bytes that were there, the length of the path in four bytes, and the path.
struct LayerTimes {
    static let mediaType = MediaType("application/vnd.dev.slipway.layer-times.v1")
    fileprivate static let magic = Array("slipway times 1\n".utf8)
    private static let second: Int64 = 1_000_000_000
    /// More than five million entries take, as many as an archive may have.
    private static let limit = 256 << 20

    private var times: [UInt8] = []
    private var bytecode: [UInt8] = []
    private var isNeeded = false

    /// What was kept of a layer.
    struct Record {
        var times: [TarEntry.Time] = []
        var bytecode: [(path: [UInt8], own: [UInt8])] = []
    }

    /// - Parameter told: the seconds that the archive has for it.
    mutating func append(_ time: Timestamp, told: Int64) {
        if time != Timestamp(seconds: told) { isNeeded = true }
        // Beyond the years 1677 to 2262 nobody asks what is newer.
        let (product, overflow) = time.seconds.multipliedReportingOverflow(by: Self.second)
        let nanoseconds = overflow ? (time.seconds < 0 ? .min : .max - Self.second) : product
        withUnsafeBytes(of: (nanoseconds &+ time.nanoseconds).littleEndian) { times.append(contentsOf: $0) }
    }

    /// - Parameter own: the time in the file, which the layer has otherwise.
    mutating func append(bytecode path: [UInt8], own: [UInt8]) {
        isNeeded = true
        bytecode += own
        withUnsafeBytes(of: UInt32(path.count).littleEndian) { bytecode.append(contentsOf: $0) }
        bytecode += path
    }

    /// Puts them into the store.
    ///
    /// - Returns: `nil` when the archive tells all there is to tell.
    func keep(in store: ContentStore) throws(ContentStoreError) -> Descriptor? {
        guard isNeeded else { return nil }
        var bytes = Self.magic
        withUnsafeBytes(of: Int64(times.count / 8).littleEndian) { bytes.append(contentsOf: $0) }
        bytes += times
        bytes += bytecode
        let digest = try store.add(bytes)
        return Descriptor(mediaType: Self.mediaType, digest: digest, size: Int64(bytes.count))
    }

    /// What `keep` put there, for the extraction of the layer.
    static func read(_ descriptor: Descriptor, from store: ContentStore) throws(BuildError) -> Record {
        let bytes: [UInt8]
        do throws(ContentStoreError) { bytes = try store.read(descriptor.digest, limit: limit) } catch {
            throw BuildError(.cache, "cannot read the times of a layer", from: error)
        }
        guard let record = Record(bytes) else {
            throw BuildError(.cache, "the times of a layer cannot be read", place: "\(descriptor.digest)")
        }
        return record
    }
}

extension LayerTimes.Record {
    /// - Returns: `nil` for what is no such blob.
    fileprivate init?(_ bytes: [UInt8]) {
        guard bytes.starts(with: LayerTimes.magic) else { return nil }
        var rest = bytes[LayerTimes.magic.count...]
        func number(_ size: Int) -> Int64? {
            guard rest.count >= size else { return nil }
            defer { rest = rest.dropFirst(size) }
            return rest.prefix(size).reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
        }
        guard let count = number(8), count >= 0, count <= rest.count / 8 else { return nil }
        times.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let nanoseconds = number(8) else { return nil }
            let time = Timestamp(nanosecondsSince1970: nanoseconds)
            times.append(TarEntry.Time(seconds: time.seconds, nanoseconds: Int32(time.nanoseconds)))
        }
        while !rest.isEmpty {
            let own = Array(rest.prefix(4))
            rest = rest.dropFirst(4)
            guard let length = number(4), length <= rest.count else { return nil }
            bytecode.append((Array(rest.prefix(Int(length))), own))
            rest = rest.dropFirst(Int(length))
        }
    }
}
