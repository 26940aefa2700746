import Dockerfile
import OCI

/// Hashes what COPY and ADD take from a context: paths, modes, link targets and contents, never times.
struct ContentSelection {
    /// What is taken, of which origin.
    struct Request: Hashable, Sendable {
        let origin: String
        let patterns: [String]
        let excludes: [String]
        let keepsParents: Bool

        init(_ step: CopyStep) {
            origin = "\(step.origin)"
            patterns = step.sources.compactMap { if case .path(let text) = $0 { text } else { nil } }
            excludes = step.excludes
            keepsParents = step.keepsParents
        }
    }

    let source: ContextSource

    /// Where the first name of a file with several is.
    private var firstNames: [ContextEntry.LinkIdentity: [UInt8]] = [:]
    /// Where the item is that is added, for the record.
    private var shownBase: [UInt8] = []

    init(source: ContextSource) { self.source = source }

    mutating func add(_ request: Request, to hasher: inout KeyHasher) async throws(BuildError) {
        for text in request.patterns {
            hasher.add(text)
            let (base, below) = request.keepsParents ? PathRules.pivot(text) : (text, nil)
            let filter = try SourceFilter(pattern: below, excludes: request.excludes)
            let matches = try SourcePattern(base).matches(in: source)
            hasher.add(Int64(matches.count))
            for path in matches {
                hasher.add(path.joined)
                shownBase = path.joined
                firstNames = [:]
                guard let item = try source.resolve(path, followingLast: true) else { continue }
                try await identify(item, filter)
                try add(item, at: [], to: &hasher, filter)
            }
        }
    }

    /// Everything of the source, for a mount of it.
    mutating func add(path: String, to hasher: inout KeyHasher) async throws(BuildError) {
        guard let item = try source.resolve(ImagePath(path), followingLast: true) else { return }
        shownBase = ImagePath(path).joined
        let filter = try SourceFilter(excludes: [])
        try await identify(item, filter)
        try add(item, at: [], to: &hasher, filter)
    }

    /// Reads what has to be read to know the content of an item's files, side by side.
    private func identify(_ item: ContextTree.Item, _ filter: SourceFilter) async throws(BuildError) {
        if source.tree.isIdentified { return }
        var unknown: [ContextTree.Item] = []
        collect(item, at: [], filter, into: &unknown)
        try await source.tree.identify(unknown)
    }

    /// The files that are taken of an item and not known by the context's own account.
    private func collect(
        _ item: ContextTree.Item, at path: [UInt8], _ filter: SourceFilter, into found: inout [ContextTree.Item]
    ) {
        guard source.isDirectory(item) else {
            if !source.tree.isIdentified(item) { found.append(item) }
            return
        }
        for (name, child) in source.children(of: item) {
            let below = path.isEmpty ? name : path + [0x2f] + name
            let isFolder = source.isDirectory(child)
            guard filter.takes(below) || isFolder && filter.mayTake(below: below) else { continue }
            collect(child, at: below, filter, into: &found)
        }
    }

    private mutating func add(
        _ item: ContextTree.Item, at path: [UInt8], to hasher: inout KeyHasher, _ filter: SourceFilter
    ) throws(BuildError) {
        let entry = source.tree.entry(of: item)
        let records = hasher.record != nil
        hasher.add(path)
        hasher.add(Int64(entry.mode))
        for (name, value) in entry.attributes.isEmpty ? [] : entry.attributes.sorted(by: { $0.key < $1.key }) {
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
                let isFolder = source.isDirectory(child)
                guard filter.takes(below) || isFolder && filter.mayTake(below: below) else { continue }
                try add(child, at: below, to: &hasher, filter)
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
            let content = if let known = entry.contentID { known } else { try source.tree.contentID(of: item) }
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
