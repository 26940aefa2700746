/// One entry of a tar archive as a test writes it down: written by this file, not by the code under test.
package struct TarItem: Sendable {
    /// As it stands in the header: `./`, a leading `/`, `..` and bytes that are not UTF-8 stay.
    package var name: [UInt8]
    package var type: Character
    package var mode = 0o644
    package var uid = 0
    package var gid = 0
    package var modified = 1_500_000_000
    package var content: [UInt8] = []
    package var link: [UInt8] = []
    package var device = (major: 0, minor: 0)
    /// Written as PAX records, `SCHILY.xattr.` before the name.
    package var attributes: [(name: String, value: [UInt8])] = []
    /// Written as they are, before the attributes.
    package var records: [(key: String, value: [UInt8])] = []
    /// The size that the header claims.
    package var claimedSize: Int?

    package init(_ type: Character, _ name: [UInt8]) {
        self.type = type
        self.name = name
    }

    package static func file(_ name: String, _ text: String = "", mode: Int = 0o644) -> TarItem {
        TarItem("0", Array(name.utf8)).with {
            $0.content = Array(text.utf8)
            $0.mode = mode
        }
    }

    package static func directory(_ name: String, mode: Int = 0o755) -> TarItem {
        TarItem("5", Array(name.utf8)).with { $0.mode = mode }
    }

    package static func symlink(_ name: String, _ target: String) -> TarItem {
        TarItem("2", Array(name.utf8)).with {
            $0.link = Array(target.utf8)
            $0.mode = 0o777
        }
    }

    package static func hardLink(_ name: String, _ target: String) -> TarItem {
        TarItem("1", Array(name.utf8)).with { $0.link = Array(target.utf8) }
    }

    /// - Parameter type: `3` character device, `4` block device, `6` fifo.
    package static func node(_ type: Character, _ name: String, _ major: Int = 0, _ minor: Int = 0) -> TarItem {
        TarItem(type, Array(name.utf8)).with { $0.device = (major, minor) }
    }

    package func with(_ change: (inout TarItem) -> Void) -> TarItem {
        var copy = self
        change(&copy)
        return copy
    }

    package func owned(_ uid: Int, _ gid: Int) -> TarItem {
        with {
            $0.uid = uid
            $0.gid = gid
        }
    }

    /// A `security.capability` attribute of version 2: `cap_net_bind_service+ep`.
    package static let capability: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    /// The header with its PAX header before it, and the content, padded.
    package var bytes: [UInt8] {
        var records = self.records
        if name.count > 100 { records.append(("path", name)) }
        if link.count > 100 { records.append(("linkpath", link)) }
        records += attributes.map { ("SCHILY.xattr." + $0.name, $0.value) }
        var result: [UInt8] = []
        if !records.isEmpty {
            var body: [UInt8] = []
            for (key, value) in records { body += Self.record(key, value) }
            result +=
                Self.block(
                    Array("PaxHeader".utf8), "x", 0o644, 0, 0, body.count, 0, [], (0, 0)) + Self.padded(body)
        }
        result += Self.block(
            Array(name.prefix(100)), type, mode, uid, gid, claimedSize ?? content.count, modified,
            Array(link.prefix(100)), device)
        return result + Self.padded(content)
    }

    /// All entries and the two empty blocks at the end.
    package static func archive(_ items: [TarItem]) -> [UInt8] {
        items.flatMap(\.bytes) + [UInt8](repeating: 0, count: 1024)
    }

    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [0x0a]
        var length = rest.count + 1
        while String(length).utf8.count + rest.count != length { length = String(length).utf8.count + rest.count }
        return Array(String(length).utf8) + rest
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }

    private static func block(
        _ name: [UInt8], _ type: Character, _ mode: Int, _ uid: Int, _ gid: Int, _ size: Int, _ modified: Int,
        _ link: [UInt8], _ device: (major: Int, minor: Int)
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: [UInt8], at start: Int) {
            for (index, byte) in bytes.enumerated() { block[start + index] = byte }
        }
        func octal(_ number: Int, _ width: Int, at start: Int) {
            let digits = String(number, radix: 8)
            put(Array((String(repeating: "0", count: max(0, width - 1 - digits.count)) + digits).utf8), at: start)
        }
        put(name, at: 0)
        octal(mode, 8, at: 100)
        octal(uid, 8, at: 108)
        octal(gid, 8, at: 116)
        octal(size, 12, at: 124)
        octal(modified, 12, at: 136)
        put([UInt8](repeating: 0x20, count: 8), at: 148)
        put(Array(String(type).utf8), at: 156)
        put(link, at: 157)
        put(Array("ustar".utf8) + [0, 0x30, 0x30], at: 257)
        octal(device.major, 8, at: 329)
        octal(device.minor, 8, at: 337)
        octal(block.reduce(0) { $0 + Int($1) }, 7, at: 148)
        return block
    }
}
