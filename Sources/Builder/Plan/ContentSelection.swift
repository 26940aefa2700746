import OCI
import Synchronization

/// Hashes what COPY and ADD take from a context: paths, modes, link targets and contents, never times.
struct ContentSelection {
    let source: ContextSource

    func add(_ step: CopyStep, to hasher: inout KeyHasher) async throws(BuildError) {
        for pattern in step.sources {
            let matches = try SourcePattern(pattern).matches(in: source)
            hasher.add(pattern)
            hasher.add(Int64(matches.count))
            for match in matches {
                hasher.add(match.path.joined)
                guard let item = try source.resolve(match.path, followingLast: true) else { continue }
                let excludes = step.excludes.isEmpty ? nil : try ExcludeList(step.excludes)
                try await add(item, at: [], to: &hasher, excludes)
            }
        }
    }

    /// Everything of the source, for a mount of it.
    func add(path: String, to hasher: inout KeyHasher) async throws(BuildError) {
        guard let item = try source.resolve(ImagePath(path), followingLast: true) else { return }
        try await add(item, at: [], to: &hasher, nil)
    }

    private func add(
        _ item: ContextTree.Item, at path: [UInt8], to hasher: inout KeyHasher, _ excludes: ExcludeList?
    ) async throws(BuildError) {
        let entry = item.entry
        hasher.add(path)
        hasher.add(Int64(entry.mode))
        switch entry.kind {
        case .directory:
            let children = source.children(of: item).map { name, child in
                (path: path.isEmpty ? name : path + [0x2f] + name, item: child)
            }.filter { !(excludes?.excludes($0.path.text) ?? false) }
            hasher.add("directory")
            hasher.add(Int64(children.count))
            for (path, child) in children { try await add(child, at: path, to: &hasher, excludes) }
        case .symlink(let target):
            hasher.add("link")
            hasher.add(target)
        case .file:
            hasher.add("file")
            if let known = entry.contentID {
                hasher.add(known)
            } else {
                hasher.add(try await Self.digest(of: entry, in: source.tree.context).description)
            }
        case .fifo: hasher.add("fifo")
        case .socket: hasher.add("socket")
        case .unavailable: _ = try source.node(of: item)
        }
    }

    private static func digest(of entry: ContextEntry, in context: any BuildContext) async throws(BuildError) -> Digest
    {
        let running = RunningHash()
        try await context.read(entry) { (bytes) throws(BuildError) in running.update(bytes) }
        return running.finish()
    }
}

/// A hash that a callback on another thread can add to.
private final class RunningHash: Sendable {
    private let hasher = Mutex<SHA256Hasher?>(SHA256Hasher())

    func update(_ bytes: UnsafeRawBufferPointer) {
        let chunk = [UInt8](bytes)
        hasher.withLock { $0?.update(chunk) }
    }

    func finish() -> Digest {
        hasher.withLock { hasher in
            guard let full = hasher.take() else { preconditionFailure("a file is hashed once") }
            return full.finalize()
        }
    }
}
