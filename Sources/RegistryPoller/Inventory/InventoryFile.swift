import OCI
import Registry

/// An inventory as bytes: some 20 for each tag of a foreign image.
///
///     "slipway inventory 1\n"  key  stamp  shapes  count  tag…  SHA-256 of all before it
///
/// Names share the beginning of the one before; a time is the difference to the one before; of a foreign image's digest eight
/// bytes are kept, which show that a tag moved. Platforms, problems and annotations are a *shape*, which many tags share.
enum InventoryFile {
    private static let magic = Array("slipway inventory 1\n".utf8)

    private struct Shape: Hashable {
        var platforms: [[String]]
        var problem: String?
        var annotations: ImageAnnotations
        /// Of Slipway's own images, whose digest is needed without asking for it.
        var digest: String?
    }

    // MARK: Writing

    static func encode(_ memory: RepositoryMemory, key: String) -> [UInt8] {
        var writer = ByteWriter(bytes: magic)
        writer.bytes.reserveCapacity(64 + memory.tags.count * 24)
        writer.add(key)
        writer.add(memory.stamp?.hash.description ?? "")
        writer.add(memory.stamp?.entityTag ?? "")
        var shapes: [Shape: Int] = [:]
        var ordered: [Shape] = []
        let numbers = memory.tags.map { known in
            let record = known.record
            let shape = Shape(
                platforms: record.platforms.map { [$0.os, $0.architecture, $0.variant ?? ""] }, problem: record.problem,
                annotations: record.annotations,
                digest: record.annotations[Annotation.contentKey] == nil ? nil : record.digest?.description)
            if let number = shapes[shape] { return number }
            shapes[shape] = ordered.count
            ordered.append(shape)
            return ordered.count - 1
        }
        writer.add(ordered.count)
        for shape in ordered {
            writer.add(shape.platforms.count)
            for part in shape.platforms.joined() { writer.add(part) }
            writer.add(shape.problem ?? "")
            writer.add(shape.digest ?? "")
            let annotations = shape.annotations.all
            writer.add(annotations.count)
            for (name, value) in annotations.sorted(by: { $0.key < $1.key }) {
                writer.add(name)
                writer.add(value)
            }
        }
        writer.add(memory.tags.count)
        var last: [UInt8] = []
        var time: Int64 = 0
        for (known, shape) in zip(memory.tags, numbers) {
            let name = Array(known.record.tag.utf8)
            let shared = zip(name, last).prefix { $0 == $1 }.count
            writer.add(shared)
            writer.add(name[shared...])
            last = name
            writer.bytes.append(known.schedule.step | (known.record.created == nil ? 0 : 0x80))
            writer.add(shape)
            withUnsafeBytes(of: known.fingerprint.littleEndian) { writer.bytes.append(contentsOf: $0) }
            if let created = known.record.created {
                writer.add(signed: created &- time)
                time = created
            }
        }
        writer.bytes.append(contentsOf: Digest.sha256(of: writer.bytes).encoded.utf8)
        return writer.bytes
    }

    // MARK: Reading

    /// `nil` for anything that is not a whole file of this version about this key.
    static func decode(_ bytes: [UInt8], key: String, now: Int64) -> RepositoryMemory? {
        guard bytes.count > magic.count + 64, bytes.starts(with: magic) else { return nil }
        let content = bytes.count - 64
        guard Array(Digest.sha256(of: Array(bytes[..<content])).encoded.utf8) == Array(bytes[content...]) else {
            return nil
        }
        var reader = ByteReader(bytes: bytes, position: magic.count, end: content)
        guard reader.text() == key, let hash = reader.text(), let entityTag = reader.text() else { return nil }
        var stamp: TagListStamp?
        if !hash.isEmpty, let hash = try? Digest(hash) {
            stamp = TagListStamp(entityTag: entityTag.isEmpty ? nil : entityTag, hash: hash)
        }
        guard let shapeCount = reader.number(), shapeCount <= content else { return nil }
        var shapes: [TagRecord] = []
        for _ in 0..<shapeCount {
            guard let shape = Self.shape(&reader) else { return nil }
            shapes.append(shape)
        }
        guard let count = reader.number(), count <= content else { return nil }
        var tags: [RepositoryMemory.Known] = []
        tags.reserveCapacity(count)
        var name: [UInt8] = []
        var time: Int64 = 0
        for _ in 0..<count {
            guard let shared = reader.number(), shared <= name.count, let rest = reader.part(),
                let flags = reader.byte(), let shape = reader.number(), shape < shapes.count,
                let fingerprint = reader.fixed()
            else { return nil }
            name.removeSubrange(shared...)
            name.append(contentsOf: rest)
            var record = shapes[shape]
            record.tag = String(decoding: name, as: UTF8.self)
            if let last = tags.last, last.record.tag >= record.tag { return nil }
            if flags & 0x80 != 0 {
                guard let difference = reader.signed() else { return nil }
                time &+= difference
                record.created = time
            }
            tags.append(
                RepositoryMemory.Known(
                    record: record, fingerprint: fingerprint,
                    schedule: fingerprint == 0
                        ? .unread : RefreshSchedule(resuming: flags & 0x7f, from: now, seed: fingerprint)))
        }
        return reader.isAtEnd ? RepositoryMemory(tags: tags, stamp: stamp) : nil
    }

    private static func shape(_ reader: inout ByteReader) -> TagRecord? {
        var record = TagRecord(tag: "")
        guard let platforms = reader.number(), platforms <= reader.left else { return nil }
        for _ in 0..<platforms {
            guard let os = reader.text(), let architecture = reader.text(), let variant = reader.text() else {
                return nil
            }
            record.platforms.append(
                Platform(os: os, architecture: architecture, variant: variant.isEmpty ? nil : variant))
        }
        guard let problem = reader.text(), let digest = reader.text(), let count = reader.number(), count <= reader.left
        else { return nil }
        record.problem = problem.isEmpty ? nil : problem
        if !digest.isEmpty {
            guard let parsed = try? Digest(digest) else { return nil }
            record.digest = parsed
        }
        var annotations: [String: String] = [:]
        for _ in 0..<count {
            guard let name = reader.text(), let value = reader.text() else { return nil }
            annotations[name] = value
        }
        record.annotations = ImageAnnotations(annotations)
        return record
    }
}

private struct ByteWriter {
    var bytes: [UInt8]

    /// Seven bits a byte, the lowest first.
    mutating func add(_ number: Int) { add(unsigned: UInt64(number)) }

    mutating func add(unsigned number: UInt64) {
        var number = number
        while number >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: number) | 0x80)
            number >>= 7
        }
        bytes.append(UInt8(number))
    }

    mutating func add(signed number: Int64) {
        add(unsigned: UInt64(bitPattern: (number << 1) ^ (number >> 63)))
    }

    mutating func add(_ text: String) { add(Array(text.utf8)[...]) }

    mutating func add(_ part: ArraySlice<UInt8>) {
        add(part.count)
        bytes.append(contentsOf: part)
    }
}

/// Reads what `ByteWriter` wrote; `nil` beyond the end, and for numbers that are too big.
private struct ByteReader {
    let bytes: [UInt8]
    var position: Int
    let end: Int

    var left: Int { end - position }
    var isAtEnd: Bool { position == end }

    init(bytes: [UInt8], position: Int, end: Int) {
        self.bytes = bytes
        self.position = position
        self.end = end
    }

    mutating func byte() -> UInt8? {
        guard position < end else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func unsigned() -> UInt64? {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = byte() {
            guard shift < 63 || byte <= 1 else { return nil }
            number |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return number }
            shift += 7
            if shift > 63 { return nil }
        }
        return nil
    }

    mutating func number() -> Int? { unsigned().flatMap { Int(exactly: $0) } }

    mutating func signed() -> Int64? {
        unsigned().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) }
    }

    mutating func fixed() -> UInt64? {
        guard left >= 8 else { return nil }
        defer { position += 8 }
        return (0..<8).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64($1 * 8) }
    }

    mutating func part() -> ArraySlice<UInt8>? {
        guard let count = number(), count <= left else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func text() -> String? { part().map { String(decoding: $0, as: UTF8.self) } }
}
