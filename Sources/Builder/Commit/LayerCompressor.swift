import Archive
import OCI

/// The compression of a new layer on its way into the store.
struct LayerCompressor: ~Copyable, ByteSink {
    private var gzip: GzipSink<BlobSink>?
    private var zstd: ZstdSink<BlobSink>?

    init(_ sink: BlobSink, _ compression: BuildRequest.LayerCompression) throws(ArchiveError) {
        switch compression {
        case .gzip(nil): gzip = try GzipSink(sink)
        case .gzip(let level?): gzip = try GzipSink(sink, level: level)
        case .zstd(nil): zstd = try ZstdSink(sink)
        case .zstd(let level?): zstd = try ZstdSink(sink, level: level)
        }
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        try gzip?.write(bytes)
        try zstd?.write(bytes)
    }

    mutating func finish() throws(ArchiveError) {
        try gzip?.finish()
        try zstd?.finish()
    }
}

extension BuildRequest.LayerCompression {
    var mediaType: MediaType {
        switch self {
        case .gzip: .ociLayerGzip
        case .zstd: .ociLayerZstd
        }
    }

    /// What is part of a step's key; `nil` for the usual, so that the keys of old stay.
    var keyText: String? { self == .gzip(level: nil) ? nil : "\(self)" }
}
