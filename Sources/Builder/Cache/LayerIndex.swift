import Archive
import ContentStore
import FileSystem
import OCI

/// What a layer's files are called, without what is in them: a tar of the layer's entries whose files are empty, in the
/// store of blobs, found by the digest of the layer's uncompressed tar.
///
/// COPY and WORKDIR need no more of what is below them: which paths exist, and folders with their owners, modes and
/// times. The two files that names of users are looked up in keep their content.
struct LayerIndex: Sendable {
    let folder: HostPath
    let content: ContentStore

    static let names: [ImagePath] = [ImagePath("/etc/passwd"), ImagePath("/etc/group")]
    private static let nameLimit: Int64 = 1 << 20

    /// The tag that the shared cache has for it.
    static func tag(of diffID: Digest) -> String { "files-\(diffID.encoded)" }

    private func path(_ diffID: Digest) -> HostPath { folder.appending(diffID.encoded) }

    /// The blob of a layer's index; `nil` when there is none.
    func known(_ diffID: Digest) -> Descriptor? {
        guard let bytes = try? FileContent.read(path(diffID), limit: 64 << 10),
            let descriptor = try? CanonicalJSON.decode(Descriptor.self, from: bytes),
            content.size(of: descriptor.digest) == descriptor.size
        else { return nil }
        FileCalls.touch(path(diffID))
        return descriptor
    }

    func remember(_ descriptor: Descriptor, of diffID: Digest) throws(BuildError) {
        do {
            try AtomicFile.write(try CanonicalJSON.encode(descriptor), to: path(diffID).text, mode: 0o600)
        } catch let error as FileSystemError {
            throw BuildError(.storage, "cannot write the index of a layer", from: error)
        } catch {
            throw BuildError(.storage, "cannot write the index of a layer", cause: "\(error)")
        }
    }

    /// The index of a layer whose blob is in the store; made when it is not known.
    func index(
        of layer: BuiltImage.Layer, content: ContentStore, limit: UnpackLimit = .none
    ) throws(BuildError) -> Descriptor {
        if let known = known(layer.diffID) { return known }
        do {
            let diff = DiffSource(of: layer, in: content, limit: limit)
            let blob = BlobSink(content)
            var reader = TarReader(diff)
            var tar = TarWriter(try GzipSink(blob))
            while let entry = try reader.next() { try Self.append(entry, from: &reader, to: &tar) }
            try tar.finish()
            let diffID = try diff.finish().diffID
            guard diffID == layer.diffID else { throw layer.mismatch(diffID) }
            let (digest, size) = try blob.commit()
            let descriptor = Descriptor(mediaType: .ociLayerGzip, digest: digest, size: size)
            try remember(descriptor, of: layer.diffID)
            return descriptor
        } catch let error as BuildError {
            throw error
        } catch let error as ArchiveError {
            throw BuildError(layer.errorCode, "cannot read the layer \(layer.descriptor.digest)", from: error)
        } catch let error as ContentStoreError {
            throw BuildError(.storage, "cannot write the index of a layer", from: error)
        } catch {
            throw BuildError(.storage, "cannot write the index of a layer", cause: "\(error)")
        }
    }

    private static func append(
        _ entry: TarEntry, from reader: inout TarReader<DiffSource>, to tar: inout TarWriter<GzipSink<BlobSink>>
    ) throws {
        var shown = entry
        switch entry.kind {
        case .file:
            let isKept = entry.size <= nameLimit && names.contains(ImagePath(entry.name))
            guard isKept else {
                shown.size = 0
                break
            }
            try tar.append(shown)
            var left = entry.size
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
            defer { buffer.deallocate() }
            while left > 0 {
                let count = try reader.read(into: buffer)
                guard count > 0 else { break }
                try tar.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                left -= Int64(count)
            }
            return
        case .hardLink:
            // What it is linked to does not matter, only that it is there.
            shown.kind = .file
            shown.linkName = []
            shown.size = 0
        case .directory, .symlink, .characterDevice, .blockDevice, .fifo: break
        }
        try tar.append(shown)
    }
}
