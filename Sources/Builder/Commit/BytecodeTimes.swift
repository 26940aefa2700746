import Archive
import FileSystem
import Glibc

/// Keeps Python's compiled files valid where a layer tells other times than files have.
///
/// A `.pyc` file holds the time of its source, and counts only as long as the source has it (PEP 552; the check by hash needs nothing).
/// Who cannot write to the image's files, as most users of a service, would compile the source at each start. So the layer's copy gets the
/// time that the layers tell of the source; the file that further steps see stays as it is.
struct BytecodeTimes {
    /// The newest time that the layers tell, in seconds since 1970.
    let limit: Int64
    /// The new layer's directory, then those of the layers below that tell such times, the uppermost first.
    let layers: [HostPath]

    /// Where the time is, in a header of 16 bytes: magic number, flags, time, size of the source; the lowest byte first.
    static let place = 8..<12
    static let headerSize = 16

    /// The time's four bytes in the layer, and those in the file; `nil` for a file that stays as it is.
    func rewritten(_ entry: LayerEntries.Entry) throws(BuildError) -> (told: [UInt8], own: [UInt8])? {
        guard entry.node.kind == .file, entry.node.size >= Self.headerSize, entry.name.suffix(4) == Array(".pyc".utf8),
            let source = Self.source(of: ImagePath(entry.path)), let time = try time(of: source), time > limit
        else { return nil }
        let header = try Self.header(of: entry)
        let own = Self.bytes(time)
        // A flag says that the source is known by its hash.
        guard header.count == Self.headerSize, header[4..<8].allSatisfy({ $0 == 0 }),
            header[Self.place].elementsEqual(own)
        else { return nil }
        return (Self.bytes(limit), own)
    }

    /// `d/__pycache__/x.cpython-312.opt-1.pyc` and `d/x.pyc` are made from `d/x.py`.
    static func source(of path: ImagePath) -> ImagePath? {
        guard let name = path.last else { return nil }
        let folder = path.parent
        let suffix = Array(".py".utf8)
        guard folder.last == FileName("__pycache__".utf8) else { return folder.appending(name.dropLast(4) + suffix) }
        return folder.parent.appending(name.prefix { $0 != 0x2e } + suffix)
    }

    private func time(of source: ImagePath) throws(BuildError) -> Int64? {
        for layer in layers {
            guard let node = try Node.read(layer.appending(source), .apply) else { continue }
            return node.kind == .file ? node.modified.seconds : nil
        }
        return nil
    }

    private static func header(of entry: LayerEntries.Entry) throws(BuildError) -> [UInt8] {
        if let content = entry.content { return Array(content.prefix(headerSize)) }
        let file = try FileContent.open(entry.host)
        var bytes = [UInt8](repeating: 0, count: headerSize)
        return pread(file.raw, &bytes, headerSize, 0) == headerSize ? bytes : []
    }

    private static func bytes(_ seconds: Int64) -> [UInt8] {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: seconds).littleEndian) { Array($0) }
    }

    /// Gives files of an unpacked layer back what they had. One that cannot be changed costs its program a compilation.
    static func restore(_ files: [(path: [UInt8], own: [UInt8])], in directory: Directory) {
        for (path, own) in files where own.count == place.count {
            guard let file = try? directory.openFile(path, flags: O_WRONLY | O_NOFOLLOW) else { continue }
            var status = stat()
            guard fstat(file.fd, &status) == 0 else { continue }
            if pwrite(file.fd, own, own.count, off_t(place.lowerBound)) == own.count {
                _ = futimens(file.fd, [status.st_atim, status.st_mtim])
            }
        }
    }
}
