import Archive
import ContentStore
import OCI

/// The times that a layer's files had when it was made, in the order of its archive. An archive tells whole seconds, and that of a
/// reproducible image older times than the files have; whoever unpacks the layer to run further steps on it needs the true ones:
/// to a program that goes by times, what was written later is newer, also within one second.
///
/// A blob of the store, kept beside the layer in the step cache: a magic number, then for each entry that is not a mark of a removed
/// file the nanoseconds since 1970, 8 bytes each, the lowest first.
struct LayerTimes {
    static let mediaType = MediaType("application/vnd.dev.slipway.layer-times.v1")
    private static let magic = Array("slipway times 1\n".utf8)
    private static let second: Int64 = 1_000_000_000
    /// Of five million entries, as many as an archive may have.
    private static let limit = 5_000_000 * 8 + magic.count

    private var bytes = magic
    private var isNeeded = false

    /// - Parameter told: the seconds that the archive has for it.
    mutating func append(_ time: Timestamp, told: Int64) {
        if time != Timestamp(seconds: told) { isNeeded = true }
        // Beyond the years 1677 to 2262 nobody asks what is newer.
        let (product, overflow) = time.seconds.multipliedReportingOverflow(by: Self.second)
        let nanoseconds = overflow ? (time.seconds < 0 ? .min : .max - Self.second) : product
        withUnsafeBytes(of: (nanoseconds &+ time.nanoseconds).littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Puts them into the store.
    ///
    /// - Returns: `nil` when the archive tells all there is to tell.
    func keep(in store: ContentStore) throws(ContentStoreError) -> Descriptor? {
        guard isNeeded else { return nil }
        let digest = try store.add(bytes)
        return Descriptor(mediaType: Self.mediaType, digest: digest, size: Int64(bytes.count))
    }

    /// What `keep` put there, for the extraction of the layer.
    static func read(_ descriptor: Descriptor, from store: ContentStore) throws(BuildError) -> [TarEntry.Time] {
        let bytes: [UInt8]
        do throws(ContentStoreError) { bytes = try store.read(descriptor.digest, limit: limit) } catch {
            throw BuildError(.cache, "cannot read the times of a layer", from: error)
        }
        guard bytes.starts(with: magic), (bytes.count - magic.count) % 8 == 0 else {
            throw BuildError(.cache, "the times of a layer cannot be read", place: "\(descriptor.digest)")
        }
        return stride(from: magic.count, to: bytes.count, by: 8).map { start in
            let nanoseconds = (0..<8).reduce(Int64(0)) { $0 | Int64(bytes[start + $1]) << (8 * Int64($1)) }
            let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: second)
            return remainder < 0
                ? TarEntry.Time(seconds: quotient - 1, nanoseconds: Int32(remainder + second))
                : TarEntry.Time(seconds: quotient, nanoseconds: Int32(remainder))
        }
    }
}
