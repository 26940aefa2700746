/// A context with others in some of its folders: a git tree with its submodules.
package struct CompositeContext: BuildContext {
    private let base: any BuildContext
    /// By folder, without slashes at the ends; `nil` is an empty folder.
    private let mounts: [[UInt8]: (any BuildContext)?]
    /// The time of everything; `nil` keeps times as they are.
    private let modified: Int64?

    package init(
        _ base: any BuildContext, mounts: [[UInt8]: (any BuildContext)?] = [:], modified: Int64? = nil
    ) {
        self.base = base
        self.mounts = mounts
        self.modified = modified
    }

    /// The same folders in another context.
    package func with(base: any BuildContext) -> CompositeContext {
        CompositeContext(base, mounts: mounts, modified: modified)
    }

    package var displayName: String { base.displayName }

    package func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        var found: [ContextEntry] = []
        for entry in try await base.entries(under: "") where mounts[entry.pathBytes] == nil { found.append(entry) }
        for (path, context) in mounts {
            found.append(ContextEntry(pathBytes: path, kind: .directory, mode: 0o755))
            guard let context else { continue }
            for var entry in try await context.entries(under: "") {
                entry.pathBytes = path + [0x2f] + entry.pathBytes
                found.append(entry)
            }
        }
        if let modified {
            for index in found.indices {
                found[index].modified = modified
                found[index].modifiedNanoseconds = 0
            }
        }
        let below = Array(folder.utf8)
        guard !below.isEmpty else { return found }
        return found.filter { $0.pathBytes == below || $0.pathBytes.starts(with: below + [0x2f]) }
    }

    package func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        for (path, context) in mounts where entry.pathBytes.starts(with: path + [0x2f]) {
            guard let context else { continue }
            var inner = entry
            inner.pathBytes.removeFirst(path.count + 1)
            return try await context.read(inner, sink)
        }
        try await base.read(entry, sink)
    }
}
