import Archive
import FileSystem
import Glibc
import TestSupport

/// Archives as tests write them down.
struct Item {
    var entry: TarEntry
    var content: [UInt8]

    private init(_ name: [UInt8], _ kind: TarEntry.Kind, _ mode: UInt32, content: [UInt8] = []) {
        entry = TarEntry(name: name, kind: kind, mode: mode)
        entry.size = Int64(content.count)
        entry.modified = .init(seconds: 1_000_000_000)
        self.content = content
    }

    static func file(_ name: some PathName, _ text: String = "", mode: UInt32 = 0o644) -> Item {
        Item(name.pathBytes, .file, mode, content: Array(text.utf8))
    }

    static func directory(_ name: String, mode: UInt32 = 0o755) -> Item { Item(Array(name.utf8), .directory, mode) }

    static func symlink(_ name: String, _ target: String) -> Item {
        Item(Array(name.utf8), .symlink, 0o777).with { $0.linkName = Array(target.utf8) }
    }

    static func hardLink(_ name: String, _ target: String) -> Item {
        Item(Array(name.utf8), .hardLink, 0o644).with { $0.linkName = Array(target.utf8) }
    }

    static func node(_ name: String, _ kind: TarEntry.Kind, _ major: UInt32 = 0, _ minor: UInt32 = 0) -> Item {
        Item(Array(name.utf8), kind, 0o620).with { ($0.major, $0.minor) = (major, minor) }
    }

    func with(_ change: (inout TarEntry) -> Void) -> Item {
        var copy = self
        change(&copy.entry)
        return copy
    }
}

func tar(_ items: [Item]) throws -> [UInt8] {
    var writer = TarWriter(BytesSink())
    for item in items {
        try writer.append(item.entry)
        try item.content.withUnsafeBytes { try writer.write($0) }
    }
    try writer.finish()
    return writer.sink.bytes
}

/// Every entry with its content.
func entries(_ archive: [UInt8], limits: TarLimits = .standard) throws -> [(entry: TarEntry, content: [UInt8])] {
    var reader = TarReader(BytesSource(archive), limits: limits)
    var found: [(entry: TarEntry, content: [UInt8])] = []
    while let entry = try reader.next() {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 700)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { break }
            content += buffer[..<count]
        }
        found.append((entry, content))
    }
    return found
}

func bytes(ofFile path: String) throws -> [UInt8] { try FileHandle(path: path).readAll(limit: 1 << 28) }
