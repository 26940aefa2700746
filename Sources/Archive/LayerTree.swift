import FileSystem
import Glibc

/// The directory that a layer is unpacked into, seen together with the layers below it.
struct LayerTree {
    typealias Name = [UInt8]

    let root: Directory
    let lowers: [Directory]
    let mode: LayerExtractor.Mode
    let ownership: OwnershipPolicy
    /// Directories below which nothing of the lower layers is seen.
    private(set) var opaque: Set<[UInt8]> = []
    /// What the directories get when everything is unpacked: until then they are open to their owner, and what is
    /// put into them changes their time.
    private(set) var pending: [[UInt8]: DirectoryAttributes] = [:]
    /// About how many bytes this value holds on to.
    private(set) var held = 0
    /// The parent that was used last: archives go directory by directory.
    private var last: (names: [Name], path: [UInt8], directory: Directory)?

    static let opaqueAttribute = "user.overlay.opaque"

    struct DirectoryAttributes {
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
        var time: FileTime
        var xattrs: [String: [UInt8]] = [:]
    }

    /// Where a name was found.
    enum Place {
        case own(path: [UInt8], FileStatus)
        case lower(Directory, path: [UInt8], FileStatus)
    }

    init(_ root: Directory, lowers: [Directory], mode: LayerExtractor.Mode, ownership: OwnershipPolicy) {
        self.ownership = ownership
        self.root = root
        self.lowers = lowers
        self.mode = mode
    }

    /// The names of a path: neither empty ones nor `.`, and `..` takes away the one before it, down to the root.
    static func clean(_ path: [UInt8]) -> [Name] {
        split(path).reduce(into: []) { names, name in
            if name == [0x2e, 0x2e] { _ = names.popLast() } else { names.append(name) }
        }
    }

    static func split(_ path: [UInt8]) -> [Name] {
        path.split(separator: UInt8(ascii: "/")).map { Array($0) }.filter { $0 != [0x2e] }
    }

    static func join(_ names: some Collection<Name>) -> [UInt8] { Array(names.joined(separator: [UInt8(ascii: "/")])) }

    // MARK: Directories

    /// The directory of these names in this layer, symbolic links resolved; made where it is missing.
    ///
    /// - Parameter time: for directories that no layer has.
    mutating func parent(
        _ names: [Name], time: FileTime
    ) throws(FileSystemError) -> (path: [UInt8], directory: Directory) {
        if let last, last.names == names { return (last.path, last.directory) }
        if let found = try own(names) {
            last = (names, found.path, found.directory)
            return found
        }
        var walk = Walk(names)
        while let name = walk.next() {
            let path = Self.join(walk.resolved + [name])
            if let status = try root.statusIfPresent(path) {
                switch status.type {
                case .directory: walk.enter(name)
                case .symlink: try walk.follow(try root.readLink(path), at: path)
                default:
                    guard mode == .overlay, status.isWhiteout else {
                        throw Self.failure("use as a directory", path, ENOTDIR)
                    }
                    try root.remove(path)
                    try make(path, .init(mode: 0o755, uid: 0, gid: 0, time: time))
                    try makeOpaque(path)
                    walk.enter(name)
                }
            } else if let (lower, status) = try lookUp(path) {
                switch status.type {
                case .directory:
                    try make(path, try attributes(of: path, in: lower, status))
                    walk.enter(name)
                case .symlink: try walk.follow(try lower.readLink(path), at: path)
                default: throw Self.failure("use as a directory", path, ENOTDIR)
                }
            } else {
                try make(path, .init(mode: 0o755, uid: 0, gid: 0, time: time))
                walk.enter(name)
            }
        }
        let path = Self.join(walk.resolved)
        let directory = try root.directory(path)
        last = (names, path, directory)
        return (path, directory)
    }

    /// The directory of these names when this layer has it without a symbolic link on the way: then no other layer
    /// can change what they mean.
    private func own(_ names: [Name]) throws(FileSystemError) -> (path: [UInt8], directory: Directory)? {
        let path = Self.join(names)
        do throws(FileSystemError) {
            return (path, try root.directory(path, followingLinks: false))
        } catch {
            guard error.isNotFound || error.code == ELOOP else { throw error }
            return nil
        }
    }

    private mutating func make(_ path: [UInt8], _ attributes: DirectoryAttributes) throws(FileSystemError) {
        try root.makeDirectory(path, mode: 0o700)
        setAttributes(attributes, of: path)
    }

    mutating func setAttributes(_ attributes: DirectoryAttributes, of path: [UInt8]) {
        pending[path] = attributes
        held += path.count + attributes.xattrs.reduce(128) { $0 + $1.key.utf8.count + $1.value.count }
    }

    /// Hides what the lower layers have in a directory.
    mutating func makeOpaque(_ path: [UInt8]) throws(FileSystemError) {
        guard opaque.insert(path).inserted else { return }
        if path.isEmpty { return try hideAll() }
        try root.setAttribute(path, Self.opaqueAttribute, [UInt8(ascii: "y")])
    }

    /// The kernel does not ask the root of a layer whether it is opaque: each name below gets a mark of its own.
    private mutating func hideAll() throws(FileSystemError) {
        for lower in lowers {
            for entry in try lower.entries() {
                switch try root.statusIfPresent(entry.name)?.type {
                case nil: try root.makeNode(entry.name, mode: S_IFCHR, device: 0)
                case .directory: try makeOpaque(entry.name)
                default: break
                }
            }
        }
    }

    /// To be called whenever a name is removed or replaced.
    mutating func forget(_ path: [UInt8]) {
        last = nil
        opaque.remove(path)
        pending[path] = nil
    }

    /// The attributes of a lower layer's directory, its recorded owner among them when it has one.
    func attributes(
        of path: [UInt8], in lower: Directory, _ status: FileStatus
    ) throws(FileSystemError) -> DirectoryAttributes {
        var found = DirectoryAttributes(mode: status.mode, uid: status.uid, gid: status.gid, time: status.mtime)
        if ownership == .record {
            // Without a record a file of the caller's own is root's in the image.
            let record = try OwnershipRecord.read(path, in: lower)
            (found.uid, found.gid) = (record?.uid ?? 0, record?.gid ?? 0)
        }
        for name in try lower.attributeNames(path) where AttributeNames.belongsToImage(name) {
            found.xattrs[name] = try lower.attribute(path, name)
        }
        return found
    }

    // MARK: Looking up

    /// Finds a file in this layer or those below; the last name is not followed.
    func find(_ names: [Name], includingLowers: Bool) throws(FileSystemError) -> Place? {
        guard let lastName = names.last else { return nil }
        if let (path, folder) = try own(Array(names.dropLast())), let status = try folder.statusIfPresent(lastName) {
            if mode == .overlay && status.isWhiteout { return nil }
            return .own(path: path.isEmpty ? lastName : path + [UInt8(ascii: "/")] + lastName, status)
        }
        var walk = Walk(Array(names.dropLast()))
        while let name = walk.next() {
            let path = Self.join(walk.resolved + [name])
            guard let place = try place(path, includingLowers: true) else { return nil }
            switch place {
            case .own(_, let status) where status.type == .directory,
                .lower(_, _, let status) where status.type == .directory:
                walk.enter(name)
            case .own(_, let status) where status.type == .symlink: try walk.follow(try root.readLink(path), at: path)
            case .lower(let lower, _, let status) where status.type == .symlink:
                try walk.follow(try lower.readLink(path), at: path)
            default: return nil
            }
        }
        return try place(Self.join(walk.resolved + [lastName]), includingLowers: includingLowers)
    }

    private func place(_ path: [UInt8], includingLowers: Bool) throws(FileSystemError) -> Place? {
        if let status = try root.statusIfPresent(path) {
            return mode == .overlay && status.isWhiteout ? nil : .own(path: path, status)
        }
        guard includingLowers, let (lower, status) = try lookUp(path) else { return nil }
        return .lower(lower, path: path, status)
    }

    /// What the lower layers have of that name, as an overlay shows it: the uppermost counts, marks of removed files
    /// and opaque directories hide what is below them. The path has no symbolic links on its way.
    private func lookUp(_ path: [UInt8]) throws(FileSystemError) -> (Directory, FileStatus)? {
        guard !lowers.isEmpty else { return nil }
        let names = Self.split(path)
        let prefixes = (1...max(1, names.count)).map { Self.join(names.prefix($0)) }
        // The root can be opaque as well: it is the empty prefix.
        if opaque.contains([]) || prefixes.contains(where: { opaque.contains($0) }) { return nil }
        for lower in lowers {
            var hidesBelow = try Self.isOpaque([], in: lower)
            var isMissing = false
            for prefix in prefixes {
                guard let status = try lower.statusIfPresent(prefix) else {
                    isMissing = true
                    break
                }
                if status.isWhiteout { return nil }
                if prefix.count == path.count { return (lower, status) }
                guard status.type == .directory else { return nil }
                if try Self.isOpaque(prefix, in: lower) { hidesBelow = true }
            }
            if isMissing && hidesBelow { return nil }
        }
        return nil
    }

    private static func isOpaque(_ path: [UInt8], in lower: Directory) throws(FileSystemError) -> Bool {
        try lower.attribute(path, opaqueAttribute) == [UInt8(ascii: "y")]
    }

    static let ownerChange = "change the owner"

    static func failure(_ operation: String, _ path: [UInt8], _ code: Int32) -> FileSystemError {
        FileSystemError(operation, path: String(decoding: path, as: UTF8.self), code: code)
    }
}

/// A path on its way to be resolved.
private struct Walk {
    private var ahead: [[UInt8]]
    private(set) var resolved: [[UInt8]] = []
    private var links = 0

    init(_ names: [[UInt8]]) { ahead = names.reversed() }

    mutating func next() -> [UInt8]? {
        while let name = ahead.popLast() {
            if name != [0x2e, 0x2e] { return name }
            _ = resolved.popLast()
        }
        return nil
    }

    mutating func enter(_ name: [UInt8]) { resolved.append(name) }

    mutating func follow(_ target: [UInt8], at path: [UInt8]) throws(FileSystemError) {
        links += 1
        guard links <= 40 else { throw LayerTree.failure("follow the link", path, ELOOP) }
        if target.first == UInt8(ascii: "/") { resolved = [] }
        ahead += LayerTree.split(target).reversed()
    }
}

/// Which extended attributes are the image's own.
enum AttributeNames {
    /// Not those of overlay, which would change what the mount shows, nor of our own book-keeping, nor of the machine.
    static func belongsToImage(_ name: String) -> Bool {
        name == "security.capability"
            || name.hasPrefix("user.") && !name.hasPrefix("user.overlay.") && !name.hasPrefix("user.slipway.")
    }
}
