import Foundation

/// A file of an image as its layers tell it.
package struct ImageFile: Equatable, Sendable, CustomStringConvertible {
    /// `f`, `d`, `l`, `c`, `b` or `p`.
    package var type: Character
    package var mode = 0
    package var uid = 0
    package var gid = 0
    package var modified = 0
    package var content: [UInt8] = []
    package var link = ""
    package var device = ""
    package var attributes: [String: [UInt8]] = [:]
    /// Names of one file share it.
    package var identity = 0

    package init(type: Character) { self.type = type }

    package var text: String { String(decoding: content, as: UTF8.self) }

    /// `f 0644 0:0`, with a link's target, a device's numbers and the names of attributes after it.
    package var description: String {
        var parts = ["\(type)", "0" + String(mode, radix: 8), "\(uid):\(gid)"]
        if type == "l" { parts.append(link) }
        if !device.isEmpty { parts.append(device) }
        if !attributes.isEmpty { parts.append("+" + attributes.keys.sorted().joined(separator: "+")) }
        return parts.joined(separator: " ")
    }
}

/// The file tree of an image, read from its layers by this file and gzip: none of the code under test takes part.
package struct ImageTree: Sendable {
    /// By path without a leading `/`; bytes that are not UTF-8 as `\xNN`.
    package private(set) var files: [String: ImageFile] = [:]
    /// The names of each layer's entries, whiteouts included.
    package private(set) var layers: [[String]] = []
    /// Where a layer is not as layers should be: each with the layer's number.
    package private(set) var faults: [String] = []
    private var nextIdentity = 1

    /// - Parameters:
    ///   - blobs: the layers' files, lowest first, plain or by gzip.
    ///   - foreign: how many of them, from the lowest, come from elsewhere and may look as they like.
    package init(blobs: [String], foreign: Int = 0) throws {
        for (index, blob) in blobs.enumerated() {
            add(try Self.entries(ofBlob: blob))
            if index < foreign { faults = [] }
        }
    }

    package subscript(_ path: String) -> ImageFile? { files[path] }

    /// Every path that is the same file as this one, itself included.
    package func names(ofFileAt path: String) -> [String] {
        guard let identity = files[path]?.identity else { return [] }
        return files.filter { $0.value.identity == identity }.keys.sorted()
    }

    private struct Entry: Sendable {
        var name: String
        var rawName: String
        var type: Character
        var file: ImageFile
        var hasUserName: Bool
    }

    // MARK: Layers over each other

    private mutating func add(_ entries: [Entry]) {
        let number = layers.count
        layers.append(entries.map(\.rawName))
        func split(_ name: String) -> (parent: String, last: String) {
            guard let slash = name.lastIndex(of: "/") else { return ("", name) }
            return (String(name[..<slash]), String(name[name.index(after: slash)...]))
        }
        // Whiteouts hide what is below the layer, wherever in the layer they stand.
        for entry in entries {
            let (parent, last) = split(entry.name)
            guard last.hasPrefix(".wh.") else { continue }
            if last == ".wh..wh..opq" {
                remove(below: parent)
            } else {
                let gone = parent.isEmpty ? String(last.dropFirst(4)) : parent + "/" + last.dropFirst(4)
                files[gone] = nil
                remove(below: gone)
            }
        }
        var seen: Set<String> = []
        for entry in entries {
            let (parent, last) = split(entry.name)
            func fault(_ what: String) { faults.append("layer \(number): \(entry.rawName): \(what)") }
            if entry.rawName.hasPrefix("/") || entry.rawName.hasPrefix("./") { fault("has a prefix") }
            if entry.rawName.split(separator: "/").contains("..") { fault("has '..'") }
            if entry.type == "5", !entry.rawName.hasSuffix("/") { fault("is a directory without a slash") }
            if entry.hasUserName { fault("has the name of an owner") }
            if !seen.insert(entry.name).inserted { fault("is there twice") }
            if last.hasPrefix(".wh.") { continue }
            if !parent.isEmpty, let above = files[parent], above.type != "d" { fault("is below what is no directory") }
            if entry.name.isEmpty {
                files[""] = entry.file
                continue
            }
            if entry.type == "1" {
                let target = Self.cleaned(entry.file.link)
                if !seen.contains(target) { fault("links to '\(target)', which the layer has not before it") }
                guard let file = files[target] else {
                    fault("links to nothing")
                    continue
                }
                remove(below: entry.name)
                files[entry.name] = file
                continue
            }
            var file = entry.file
            file.identity = nextIdentity
            nextIdentity += 1
            if file.type != "d" { remove(below: entry.name) }
            files[entry.name] = file
        }
    }

    private mutating func remove(below path: String) {
        if path.isEmpty { return files = [:] }
        for name in files.keys where name.hasPrefix(path + "/") { files[name] = nil }
    }

    // MARK: Reading tar

    private static func entries(ofBlob path: String) throws -> [Entry] {
        let raw = try Data(contentsOf: URL(fileURLWithPath: path))
        guard raw.starts(with: [0x1f, 0x8b]) else { return try entries([UInt8](raw)) }
        let key = (path as NSString).lastPathComponent as NSString
        if let known = cache.object(forKey: key) { return known.entries }
        let plain = NSTemporaryDirectory() + "slipway-layer-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: plain) }
        try Shell.run(["sh", "-c", "gzip -dc '\(path)' > '\(plain)'"])
        let found = try entries([UInt8](try Data(contentsOf: URL(fileURLWithPath: plain))))
        cache.setObject(Box(found), forKey: key)
        return found
    }

    private final class Box: Sendable {
        let entries: [Entry]
        init(_ entries: [Entry]) { self.entries = entries }
    }

    /// Base layers are read by every test. Thread-safe by itself.
    nonisolated(unsafe) private static let cache: NSCache<NSString, Box> = {
        let cache = NSCache<NSString, Box>()
        cache.countLimit = 8
        return cache
    }()

    private static func shown(_ bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return bytes.map { byte in
            byte < 0x80
                ? String(UnicodeScalar(byte)) : "\\x" + String(byte, radix: 16)
        }.joined()
    }

    private static func cleaned(_ name: String) -> String {
        name.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    private static func entries(_ tar: [UInt8]) throws -> [Entry] {
        var entries: [Entry] = []
        var records: [String: [UInt8]] = [:]
        var offset = 0
        while offset + 512 <= tar.count {
            let header = Array(tar[offset..<(offset + 512)])
            if header.allSatisfy({ $0 == 0 }) { break }
            func text(_ start: Int, _ length: Int) -> [UInt8] {
                Array(header[start..<(start + length)].prefix { $0 != 0 })
            }
            func number(_ key: String, _ start: Int, _ length: Int) -> Int {
                if let given = records[key], let value = Double(String(decoding: given, as: UTF8.self)) {
                    return Int(value.rounded(.down))
                }
                let raw = header[start..<(start + length)]
                if header[start] & 0x80 != 0 {
                    return raw.dropFirst().reduce(Int(header[start] & 0x7f)) { $0 << 8 | Int($1) }
                }
                return Int(String(decoding: raw.filter { (0x30...0x37).contains($0) }, as: UTF8.self), radix: 8) ?? 0
            }
            let type = Character(UnicodeScalar(header[156] == 0 ? 0x30 : header[156]))
            let size = number(type == "x" ? "" : "size", 124, 12)
            let start = offset + 512
            guard size >= 0, start + size <= tar.count else { throw TestSupportError("the archive ends in an entry") }
            let content = Array(tar[start..<(start + size)])
            offset = start + (size + 511) / 512 * 512
            switch type {
            case "x":
                try paxRecords(content, into: &records)
                continue
            case "L", "K":
                records[type == "L" ? "path" : "linkpath"] = Array(content.prefix { $0 != 0 })
                continue
            default: break
            }
            let letters: [Character: Character] = [
                "0": "f", "1": "h", "2": "l", "3": "c", "4": "b", "5": "d", "6": "p",
            ]
            guard let letter = letters[type] else { throw TestSupportError("an entry of type '\(type)'") }
            var file = ImageFile(type: letter)
            file.mode = number("", 100, 8)
            file.uid = number("uid", 108, 8)
            file.gid = number("gid", 116, 8)
            file.modified = number("mtime", 136, 12)
            file.content = content
            file.link = shown(records["linkpath"] ?? text(157, 100))
            if letter == "c" || letter == "b" { file.device = "\(number("", 329, 8)),\(number("", 337, 8))" }
            for (key, value) in records where key.hasPrefix("SCHILY.xattr.") {
                file.attributes[String(key.dropFirst(13))] = value
            }
            let prefix = text(345, 155)
            let name = shown(records["path"] ?? (prefix.isEmpty ? [] : prefix + [0x2f]) + text(0, 100))
            entries.append(
                Entry(
                    name: cleaned(name), rawName: name, type: type, file: file,
                    hasUserName: !text(265, 32).isEmpty || !text(297, 32).isEmpty || records["uname"] != nil))
            records = [:]
        }
        return entries
    }

    private static func paxRecords(_ body: [UInt8], into records: inout [String: [UInt8]]) throws {
        var rest = body[...]
        while !rest.isEmpty {
            guard let blank = rest.firstIndex(of: 0x20),
                let length = Int(String(decoding: rest[..<blank], as: UTF8.self)), length <= rest.count,
                case let record = rest.prefix(length), record.last == 0x0a,
                let equals = record[blank...].firstIndex(of: 0x3d)
            else { throw TestSupportError("a PAX record is wrong") }
            let key = String(decoding: record[(blank + 1)..<equals], as: UTF8.self)
            records[key] = Array(record[(equals + 1)...].dropLast())
            rest = rest.dropFirst(length)
        }
    }
}
