import TestSupport

/// What the rules say an image's files are: a model for tests, which knows nothing of the builder.
struct ModelTree: Sendable {
    private(set) var files: [String: ImageFile] = [:]
    private var nextIdentity = 1_000_000

    init(_ tree: ImageTree? = nil) { files = tree?.files ?? [:] }

    subscript(_ path: String) -> ImageFile? { files[path] }

    // MARK: Paths

    /// The place that a path leads to, links followed within the root; what is not there is taken as it stands.
    func resolve(_ path: String, followingLast: Bool = true) -> String {
        var pending = path.split(separator: "/").map(String.init)
        var place: [String] = []
        var budget = 40
        while !pending.isEmpty {
            let name = pending.removeFirst()
            if name == "." { continue }
            if name == ".." {
                _ = place.popLast()
                continue
            }
            let next = (place + [name]).joined(separator: "/")
            if let file = files[next], file.type == "l", followingLast || !pending.isEmpty, budget > 0 {
                budget -= 1
                if file.link.hasPrefix("/") { place = [] }
                pending = file.link.split(separator: "/").map(String.init) + pending
                continue
            }
            place.append(name)
        }
        return place.joined(separator: "/")
    }

    static func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    static func base(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? "" }

    static func join(_ left: String, _ right: String) -> String { left.isEmpty ? right : "\(left)/\(right)" }

    func isDirectory(_ path: String) -> Bool { path.isEmpty || files[path]?.type == "d" }

    /// Direct children, by name.
    func children(_ path: String) -> [String] {
        let prefix = path.isEmpty ? "" : path + "/"
        return files.keys.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") && $0 != path }
            .map { String($0.dropFirst(prefix.count)) }.filter { !$0.isEmpty }.sorted()
    }

    func names(_ identity: Int) -> [String] { files.filter { $0.value.identity == identity }.keys.sorted() }

    // MARK: Changes

    mutating func put(_ path: String, _ file: ImageFile) {
        if file.type != "d" { remove(path) }
        var file = file
        if file.identity == 0 {
            file.identity = nextIdentity
            nextIdentity += 1
        }
        files[path] = file
    }

    mutating func link(_ path: String, to target: String) { files[path] = files[target] }

    /// Changes a file under all of its names.
    mutating func change(_ path: String, _ change: (inout ImageFile) -> Void) {
        guard var file = files[path] else { return }
        change(&file)
        for name in names(file.identity) { files[name] = file }
    }

    mutating func remove(_ path: String) {
        files[path] = nil
        for name in files.keys where name.hasPrefix(path + "/") { files[name] = nil }
    }

    mutating func move(_ path: String, to target: String) {
        var moved: [String: ImageFile] = [:]
        for (name, file) in files where name == path || name.hasPrefix(path + "/") {
            moved[target + name.dropFirst(path.count)] = file
        }
        remove(path)
        remove(target)
        files.merge(moved) { _, new in new }
    }

    /// Makes a folder with all above it; those that are there stay as they are.
    mutating func makeDirectories(_ path: String, mode: Int = 0o755, uid: Int = 0, gid: Int = 0) {
        var place = ""
        for name in path.split(separator: "/") {
            place = Self.join(place, String(name))
            if files[place] == nil { put(place, .directory(mode, uid, gid)) }
        }
    }

    /// A new file takes the place's content, or changes what is there.
    mutating func write(_ path: String, _ text: String, appending: Bool = false, uid: Int = 0, gid: Int = 0) {
        guard files[path] != nil else {
            return put(path, .regular(text, 0o644, uid, gid))
        }
        change(path) { $0.content = (appending ? $0.content : []) + Array(text.utf8) }
    }
}

extension ImageFile {
    static func regular(_ text: String, _ mode: Int = 0o644, _ uid: Int = 0, _ gid: Int = 0) -> ImageFile {
        var file = ImageFile(type: "f")
        (file.content, file.mode, file.uid, file.gid) = (Array(text.utf8), mode, uid, gid)
        return file
    }

    static func directory(_ mode: Int = 0o755, _ uid: Int = 0, _ gid: Int = 0) -> ImageFile {
        var file = ImageFile(type: "d")
        (file.mode, file.uid, file.gid) = (mode, uid, gid)
        return file
    }

    static func symlink(_ target: String) -> ImageFile {
        var file = ImageFile(type: "l")
        (file.link, file.mode) = (target, 0o777)
        return file
    }
}

/// What COPY does with files, by the reference's rules.
struct ModelCopy {
    var uid: Int?
    var gid: Int?
    var octal: Int?
    /// `u=rwX,go=rX` is the only one that the tests use.
    var isSymbolic = false
    var keepsOwners = false
    var excludes: (String) -> Bool = { _ in false }

    private func made(_ file: ImageFile) -> ImageFile {
        var copy = file
        if !keepsOwners { (copy.uid, copy.gid) = (0, 0) }
        if let uid { copy.uid = uid }
        if let gid { copy.gid = gid }
        guard file.type != "l" else { return copy }
        if let octal { copy.mode = octal }
        if isSymbolic {
            let isExecutable = file.type == "d" || file.mode & 0o111 != 0
            copy.mode = (file.mode & 0o7000 & ~0o6000) | (isExecutable ? 0o755 : 0o644)
        }
        return copy
    }

    /// - Parameters:
    ///   - destination: absolute, without `/` at the start; `isFolder` when it was written with one at the end.
    func apply(
        _ sources: [String], of tree: ModelTree, to destination: String, isFolder: Bool, in target: inout ModelTree
    ) {
        for source in sources {
            // Names of one file stay so within a source; the next source is copied anew.
            var identities: [Int: String] = [:]
            let from = tree.resolve(source)
            let place = target.resolve(destination)
            if tree.isDirectory(from) {
                parents(place, &target)
                if !target.isDirectory(place) { target.put(place, folder()) }
                merge(tree, from, from, place, &target, &identities)
            } else if let file = tree[from] {
                var path = place
                if isFolder || target.isDirectory(place) { path = ModelTree.join(place, ModelTree.base(source)) }
                path = target.resolve(path)
                parents(ModelTree.parent(path), &target)
                if !target.isDirectory(ModelTree.parent(path)) { target.put(ModelTree.parent(path), folder()) }
                put(file, path, &target, &identities)
            }
        }
    }

    private func folder() -> ImageFile { .directory(octal ?? 0o755, uid ?? 0, gid ?? 0) }

    func parents(_ path: String, _ target: inout ModelTree) {
        target.makeDirectories(path, mode: octal ?? 0o755, uid: uid ?? 0, gid: gid ?? 0)
    }

    private func put(
        _ file: ImageFile, _ path: String, _ target: inout ModelTree, _ identities: inout [Int: String]
    ) {
        // Names of one file stay names of one file.
        if file.identity != 0, file.type == "f", let first = identities[file.identity], first != path,
            target[first] != nil
        {
            target.remove(path)
            return target.link(path, to: first)
        }
        var copy = made(file)
        copy.identity = 0
        target.put(path, copy)
        if file.identity != 0 { identities[file.identity] = path }
    }

    private func merge(
        _ tree: ModelTree, _ root: String, _ from: String, _ to: String, _ target: inout ModelTree,
        _ identities: inout [Int: String]
    ) {
        for name in tree.children(from) {
            let source = ModelTree.join(from, name)
            let relative = root.isEmpty ? source : String(source.dropFirst(root.count + 1))
            guard let file = tree[source], !excludes(relative) else { continue }
            let path = ModelTree.join(to, name)
            if file.type == "d" {
                var copy = made(file)
                copy.identity = 0
                copy.attributes = file.attributes
                target.put(path, copy)
                merge(tree, root, source, path, &target, &identities)
            } else {
                put(file, path, &target, &identities)
            }
        }
    }
}
