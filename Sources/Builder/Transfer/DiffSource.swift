import Archive
import ContentStore
import OCI

/// The uncompressed tar of a layer. Decompressing and hashing run beside what is done with it, each on a thread of its own:
/// both take about as long.
final class DiffSource: ByteSource {
    private let ahead: ReadAhead<(diffID: Digest, size: Int64)>

    init(of layer: BuiltImage.Layer, in content: ContentStore, limit: UnpackLimit) {
        let path = content.path(of: layer.descriptor.digest)
        let bytes = layer.unpackLimit(limit)
        ahead = Self.hashing { (feed) throws(ArchiveError) in
            var source = try DecompressingSource(try FileSource(path: path), limit: bytes)
            try feed.fill(from: &source)
        }
    }

    /// The same of a blob that is not in the store yet. It ends when the blob is verified.
    init(of layer: BuiltImage.Layer, arriving arrival: BlobArrival, limit: UnpackLimit) {
        let bytes = layer.unpackLimit(limit)
        ahead = Self.hashing { (feed) throws(ArchiveError) in
            var source = try DecompressingSource(ArrivingSource(arrival), limit: bytes)
            try feed.fill(from: &source)
            try arrival.waitUntilWhole()
        }
    }

    private static func hashing(
        _ decompress: @escaping @Sendable (Feed) throws(ArchiveError) -> Void
    ) -> ReadAhead<(diffID: Digest, size: Int64)> {
        ReadAhead { (feed) throws(ArchiveError) in
            var source = HashingSource(ReadAhead(decompress))
            try feed.fill(from: &source)
            return source.finish()
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int { try ahead.read(into: buffer) }

    /// Reads what lies behind the archive's end, which the digest covers as well.
    func finish() throws(ArchiveError) -> (diffID: Digest, size: Int64) { try ahead.outcome() }
}

/// Hashes and counts what is read.
private struct HashingSource: ~Copyable, ByteSource {
    private let source: ReadAhead<Void>
    private var hasher: SHA256Hasher
    private var count: Int64 = 0

    init(_ source: ReadAhead<Void>) {
        self.source = source
        hasher = SHA256Hasher()
    }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        let count = try source.read(into: buffer)
        hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        self.count += Int64(count)
        return count
    }

    consuming func finish() -> (diffID: Digest, size: Int64) {
        let count = count
        return (hasher.finalize(), count)
    }
}
