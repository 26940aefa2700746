import Builder
import Testing

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

extension Workbench {
    /// Builds with the context as the directory that it is, and as one of another kind, whose files are copied one by one and at
    /// once: the images must be the same.
    func buildWithBothKindsOfContext(
        _ dockerfile: String, mode: BuildMode
    ) async throws -> (directory: Result, wrapped: Result) {
        let directory = try await build(dockerfile, mode: mode, state: "directory", tag: "directory")
        let wrapped = try await build(dockerfile, mode: mode, state: "wrapped", tag: "wrapped") {
            $0.context = WrappedContext(inner: $0.context)
        }
        #expect(directory.image.layers.map(\.descriptor) == wrapped.image.layers.map(\.descriptor))
        #expect(directory.image.manifestDigest == wrapped.image.manifestDigest)
        return (directory, wrapped)
    }
}
