/// One file of the store under a name: what ADD downloaded.
struct BlobContext: BuildContext {
    let name: String
    let file: RemoteSources.File

    var displayName: String { name }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        [
            ContextEntry(
                path: name, kind: .file, mode: 0o600, size: file.size, modified: file.modified,
                contentID: "\(file.digest)")
        ]
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        try FileContent.stream(file.path, sink)
    }
}
