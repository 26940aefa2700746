import Dockerfile
import OCI

/// Hashes what COPY and ADD take from a context: paths, modes, link targets and contents, never times.
struct ContentSelection {
    let source: ContextSource

    /// Where the first name of a file with several is.
    private var firstNames: [ContextEntry.LinkIdentity: [UInt8]] = [:]
    /// Where the item is that is added, for the record.
    private var shownBase: [UInt8] = []

    init(source: ContextSource) { self.source = source }

    mutating func add(_ step: CopyStep, to hasher: inout KeyHasher) async throws(BuildError) {
        for case .path(let text) in step.sources {
            hasher.add(text)
            let (base, below) = step.keepsParents ? PathRules.pivot(text) : (text, nil)
            let filter = try SourceFilter(pattern: below, excludes: step.excludes)
            let matches = try SourcePattern(base).matches(in: source)
            hasher.add(Int64(matches.count))
            for path in matches {
                hasher.add(path.joined)
                shownBase = path.joined
                firstNames = [:]
                guard let item = try source.resolve(path, followingLast: true) else { continue }
                try await source.tree.identify(files(of: item, at: [], filter))
                try await add(item, at: [], to: &hasher, filter)
            }
        }
    }

    /// Everything of the source, for a mount of it.
    mutating func add(path: String, to hasher: inout KeyHasher) async throws(BuildError) {
        guard let item = try source.resolve(ImagePath(path), followingLast: true) else { return }
        shownBase = ImagePath(path).joined
        let filter = try SourceFilter(excludes: [])
        try await source.tree.identify(files(of: item, at: [], filter))
        try await add(item, at: [], to: &hasher, filter)
    }

    /// The files that are taken of an item, so that they can be read side by side.
    private func files(
        of item: ContextTree.Item, at path: [UInt8], _ filter: SourceFilter
    ) -> [ContextTree.Item] {
        guard item.entry.kind == .directory else { return [item] }
        var found: [ContextTree.Item] = []
        for (name, child) in source.children(of: item) {
            let below = path.isEmpty ? name : path + [0x2f] + name
            let isFolder = child.entry.kind == .directory
            guard filter.takes(below) || isFolder && filter.mayTake(below: below) else { continue }
            found += files(of: child, at: below, filter)
        }
        return found
    }

    private mutating func add(
        _ item: ContextTree.Item, at path: [UInt8], to hasher: inout KeyHasher, _ filter: SourceFilter
    ) async throws(BuildError) {
        let entry = item.entry
        let records = hasher.record != nil
        hasher.add(path)
        hasher.add(Int64(entry.mode))
        for (name, value) in entry.attributes.sorted(by: { $0.key < $1.key }) {
            hasher.add(name)
            hasher.add(value)
        }
        if let identity = entry.linkIdentity {
            hasher.add("linked")
            hasher.add(firstNames[identity] ?? path)
            if firstNames[identity] == nil { firstNames[identity] = path }
        }
        switch entry.kind {
        case .directory:
            hasher.add("directory")
            if records { note("directory", entry, "-", path, &hasher) }
            for (name, child) in source.children(of: item) {
                let below = path.isEmpty ? name : path + [0x2f] + name
                let isFolder = child.entry.kind == .directory
                guard filter.takes(below) || isFolder && filter.mayTake(below: below) else { continue }
                try await add(child, at: below, to: &hasher, filter)
            }
            hasher.add("end")
        case .symlink(let target):
            hasher.add("link")
            if records {
                note("link", entry, StepRecord.short(String(decoding: target, as: UTF8.self)), path, &hasher)
            }
            hasher.add(target)
        case .file:
            hasher.add("file")
            let content = try await source.tree.contentID(of: item)
            hasher.add(content)
            if records { note("file", entry, String(content.suffix(12)), path, &hasher) }
        case .fifo: hasher.add("fifo")
        case .socket: hasher.add("socket")
        case .unavailable: _ = try source.node(of: item)
        }
    }

    private func note(
        _ kind: String, _ entry: ContextEntry, _ content: String, _ path: [UInt8], _ hasher: inout KeyHasher
    ) {
        let whole = path.isEmpty ? shownBase : shownBase.isEmpty ? path : shownBase + [0x2f] + path
        let name = whole.isEmpty ? "." : String(decoding: whole, as: UTF8.self)
        hasher.note(.file, name, "\(kind) \(String(entry.mode, radix: 8)) \(content)")
    }
}
