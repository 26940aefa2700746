import Archive
import FileSystem
import Glibc

private struct Item: Equatable {
    var entry: TarEntry
    var content: [UInt8]
}

private func read(_ bytes: [UInt8]) throws -> [Item] {
    var reader = TarReader(BytesSource(bytes), limits: TarLimits(entries: 2_000))
    var items: [Item] = []
    var total = 0
    var buffer = [UInt8](repeating: 0, count: 4096)
    while let entry = try reader.next() {
        var content: [UInt8] = []
        while true {
            let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { break }
            total += count
            // A sparse entry may claim any size.
            if total > 1 << 20 { return items }
            content += buffer[..<count]
        }
        items.append(Item(entry: entry, content: content))
    }
    return items
}

/// A tar: read, written, and read again to the same.
@Sendable func fuzzTar(_ bytes: [UInt8]) {
    guard let items = try? read(bytes) else { return }
    var writer = TarWriter(BytesSink())
    for item in items where !item.entry.name.isEmpty {
        do {
            try writer.append(item.entry)
            try item.content.withUnsafeBytes { try writer.write($0) }
        } catch { return }
    }
    do { try writer.finish() } catch { return }
    guard let again = try? read(writer.sink.bytes) else { fatalError("what was written cannot be read") }
    let kept = items.filter { !$0.entry.name.isEmpty }
    require(again.count == kept.count, "entries were lost: \(kept.count) became \(again.count)")
    for (old, new) in zip(kept, again) {
        require(old.content == new.content, "content changed")
        require(old.entry.kind == new.entry.kind, "a kind changed: \(old.entry) became \(new.entry)")
        require(old.entry.xattrs == new.entry.xattrs, "attributes changed: \(old.entry) became \(new.entry)")
        require(old.entry.uid == new.entry.uid && old.entry.gid == new.entry.gid, "an owner changed")
        require(old.entry.mode == new.entry.mode, "a mode changed")
    }
}

/// A layer, unpacked into a folder on a memory file system; nothing appears beside it.
@Sendable func fuzzLayer(_ bytes: [UInt8]) {
    let root = LayerFolder.shared.path
    for mode in [LayerExtractor.Mode.overlay, .merge] {
        let folder = "\(root)/in"
        _ = try? removeTree(folder)
        guard let directory = try? Directory.create(path: folder, mode: 0o755) else { return }
        var limits = ExtractionLimits(bytes: 1 << 20, archive: TarLimits(entries: 500))
        limits.memory = 1 << 20
        _ = try? LayerExtractor.extract(
            BytesSource(bytes), into: directory, mode: mode, ownership: .record, limits: limits)
        require(LayerFolder.names(in: root) == ["in"], "something was made outside of the layer's folder")
    }
}

private struct LayerFolder {
    static let shared = LayerFolder()
    let path: String

    private init() {
        path = "/dev/shm/slipway-fuzz-\(getpid())"
        mkdir(path, 0o700)
    }

    static func names(in path: String) -> [String] {
        guard let listing = opendir(path) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// Compressed bytes: whatever the size of the pieces, the same comes out, and no more than the limit.
@Sendable func fuzzCompression(_ bytes: [UInt8]) {
    func plain(_ piece: Int) -> [UInt8]? {
        do {
            var source = try DecompressingSource(BytesSource(bytes), limit: 1 << 20)
            var output: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: piece)
            while true {
                let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
                if count == 0 { return output }
                output += buffer[..<count]
                require(output.count <= 1 << 20, "more than the limit came out")
            }
        } catch {
            return nil
        }
    }
    let whole = plain(1 << 16)
    // One byte at a time is slow; where much comes out it tells no more.
    let pieces = plain((whole?.count ?? 0) > 1 << 14 ? 1000 : 7)
    require((whole == nil) == (pieces == nil), "it can be read by large pieces only, or by small ones only")
    require(whole == pieces, "what comes out depends on how it is asked for")
}
