import Builder

/// Another context that the builder does not know for what it is: no directory, as far as it can see.
struct WrappedContext: BuildContext {
    let inner: any BuildContext
    /// Waited for before the files are hashed.
    var mayGoOn: @Sendable () async throws -> Void = {}

    var displayName: String { inner.displayName }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        try await inner.entries(under: folder)
    }

    func contentIDs(of entries: [ContextEntry]) async throws(BuildError) -> [String] {
        do { try await mayGoOn() } catch { throw BuildError(.missingSource, "\(error)") }
        return try await inner.contentIDs(of: entries)
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) { try await inner.read(entry, sink) }
}
