import FileSystem
import Glibc
import OCI

/// The files that a step may make something of: those of the layers above its base image and of its bind mounts, with the times that it
/// was shown. What the base image brings does not count: it is the same for all that stands on it.
struct SourceView: Sendable {
    struct File: Sendable, Equatable {
        /// Nanoseconds since 1970.
        let modified: Int64
        let size: Int64
        /// Of the content: hundreds of files of a checkout have one time, to the nanosecond.
        let digest: [UInt8]
        /// The time that the step was shown: that of the file, or a later one.
        var shown: Int64

        /// Whether nothing but the shown time can differ.
        func isSame(as other: File) -> Bool {
            modified == other.modified && size == other.size && digest == other.digest
        }
    }

    /// By the path from the root.
    private(set) var files: [ImagePath: File] = [:]
    /// The folders that they are in.
    private var folders: Set<ImagePath> = []

    /// Looks at one file or link; `nil` for other kinds.
    ///
    /// - Parameter known: what was found when the content was read before.
    static func file(at host: HostPath, _ node: Node, known: File? = nil) throws(BuildError) -> File? {
        guard node.kind == .file || node.kind == .symlink else { return nil }
        let time = node.modified.nanosecondsSince1970
        if let known, known.modified == time, known.size == node.size { return known }
        var hasher = ContentHasher()
        if node.kind == .symlink {
            try FileCalls.target(ofLink: host).withUnsafeBytes { hasher.update($0) }
        } else {
            try FileContent.stream(host) { hasher.update($0) }
        }
        return File(modified: time, size: node.size, digest: hasher.finalize(), shown: time)
    }

    /// Lays an unpacked layer of the store over what is there. What its files hold is read once and kept beside them.
    mutating func add(layer directory: HostPath, _ ownership: OwnershipMode) throws(BuildError) {
        let place = directory.parent.appending("files")
        var own = SourceView()
        if let bytes = try? FileContent.read(place, limit: 1 << 30), let kept = SourceView(bytes: bytes[...]) {
            own = kept
        } else {
            try own.add(directory, at: .root, isLayer: true, ownership)
            // Without it, the files are read again.
            try? AtomicFile.write(own.bytes, to: place.text, mode: 0o600, isDurable: false)
        }
        try add(directory, at: .root, isLayer: true, ownership, known: own)
    }

    /// Lays a directory over what is there.
    ///
    /// - Parameter isLayer: in overlay format: marks take away what is below.
    mutating func add(
        _ directory: HostPath, at path: ImagePath, isLayer: Bool, _ ownership: OwnershipMode,
        known: SourceView? = nil
    ) throws(BuildError) {
        try FileCalls.unlocked(directory, ownership) { () throws(BuildError) in
            for name in try FileCalls.names(in: directory) {
                let (host, place) = (directory.appending(name), path.appending(name))
                guard let node = try Node.read(host, .apply) else { continue }
                if node.kind == .directory {
                    files[place] = nil
                    if isLayer, FileCalls.isOpaque(host) { remove(below: place) }
                    folders.insert(place)
                    try add(host, at: place, isLayer: isLayer, ownership, known: known)
                    continue
                }
                // A file, or a mark, hides a folder.
                if folders.contains(place) { remove(below: place) }
                files[place] =
                    isLayer && node.isWhiteout ? nil : try Self.file(at: host, node, known: known?.files[place])
            }
        }
    }

    mutating func add(file host: HostPath, _ node: Node, at path: ImagePath) throws(BuildError) {
        files[path] = try Self.file(at: host, node)
    }

    private mutating func remove(below path: ImagePath) {
        func isBelow(_ other: ImagePath) -> Bool {
            other.components.count > path.components.count && other.components.starts(with: path.components)
        }
        files = files.filter { !isBelow($0.key) }
        folders = folders.filter { !isBelow($0) && $0 != path }
    }

    /// What shows of the base where another step saw a file of a layer: there it differs, so it counts too.
    mutating func addUncovered(of other: SourceView, in root: LayeredRoot) throws(BuildError) {
        for path in other.files.keys where files[path] == nil {
            guard case .file(let file)? = try root.resolve(path, followingLast: false).item, file.path == path else {
                continue
            }
            files[path] = try Self.file(at: file.host, file.node)
        }
    }

    /// The files whose shown time is not their own, and that time.
    var redated: [(path: ImagePath, time: Timestamp)] {
        files.filter { $0.value.shown != $0.value.modified }
            .map { ($0.key, Timestamp(nanosecondsSince1970: $0.value.shown)) }
            .sorted { $0.0.joined.lexicographicallyPrecedes($1.0.joined) }
    }

    /// Chooses the times to show, so that whatever lies in a cache is older than all that differs from what it was made of.
    ///
    /// A file that is the same as another step was shown is shown with that time at least: what was made of it is newer still. Every other
    /// file has to be newer than all that the other step may have written.
    ///
    /// - Parameters:
    ///   - other: what the step that used the cache before was shown.
    ///   - end: when that step ended, in nanoseconds since 1970; `nil` when it may be running, or was killed.
    ///   - now: newer than all that was written.
    mutating func outdo(_ other: SourceView, end: Int64?, now: Int64) {
        for (path, file) in files {
            if let old = other.files[path], file.isSame(as: old) {
                files[path]?.shown = max(file.shown, old.shown)
            } else if end.map({ file.shown <= $0 }) ?? true {
                files[path]?.shown = max(file.shown, now)
            }
        }
    }

    /// The oldest time that is shown, in nanoseconds since 1970.
    var oldest: Int64? { files.values.map(\.shown).min() }

    /// Shows what is older than a time with another one.
    mutating func raise(below limit: Int64, to time: Int64) {
        for (path, file) in files where file.shown < limit { files[path]?.shown = time }
    }

    // MARK: Text

    /// One record for each file, with a NUL behind it: times, size and digest, then the path, which may have any bytes but NUL.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for (path, file) in files {
            let digest = Self.hexadecimal(file.digest)
            bytes += Array("\(file.modified) \(file.shown) \(file.size) \(digest) ".utf8) + path.joined + [0]
        }
        return bytes
    }

    /// Of a hexadecimal digit.
    private static func value(_ digit: UInt8) -> UInt8 { digit < 0x3a ? digit &- 0x30 : digit &- 0x57 }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// - Returns: `nil` for what cannot be read.
    init?(bytes: ArraySlice<UInt8>) {
        for record in bytes.split(separator: 0) {
            let fields = record.split(separator: 0x20, maxSplits: 4, omittingEmptySubsequences: false)
            guard fields.count == 5 else { return nil }
            let words = fields[..<3].map { String(decoding: $0, as: UTF8.self) }
            guard let modified = Int64(words[0]), let shown = Int64(words[1]), let size = Int64(words[2]) else {
                return nil
            }
            let digits = Array(fields[3])
            guard digits.count == 2 * ContentHasher.byteCount else { return nil }
            let digest = stride(from: 0, to: digits.count, by: 2).map { start in
                Self.value(digits[start]) << 4 | Self.value(digits[start + 1])
            }
            files[ImagePath(fields[4])] = File(modified: modified, size: size, digest: digest, shown: shown)
        }
    }

    init() {}
}

extension Timestamp {
    /// Clamped to what 64 bits can say.
    var nanosecondsSince1970: Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(nanoseconds).partialValue
    }

    init(nanosecondsSince1970 value: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: 1_000_000_000)
        self =
            remainder < 0
            ? Timestamp(seconds: quotient - 1, nanoseconds: remainder + 1_000_000_000)
            : Timestamp(seconds: quotient, nanoseconds: remainder)
    }
}
