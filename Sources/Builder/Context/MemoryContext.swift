/// Files whose bytes are at hand: the heredocs of a COPY.
struct MemoryContext: BuildContext {
    private let files: [String: [UInt8]]
    private let order: [String]

    var displayName: String { "the Dockerfile" }

    init(_ files: [(String, [UInt8])]) {
        // The last of two with one name wins.
        self.files = Dictionary(files, uniquingKeysWith: { $1 })
        order = files.map(\.0)
    }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        order.map { ContextEntry(path: $0, kind: .file, mode: 0o644, size: Int64(files[$0]?.count ?? 0)) }
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        let bytes = files[entry.path] ?? []
        let outcome: Result<Void, BuildError> = bytes.withUnsafeBytes { buffer in
            Result { () throws(BuildError) in try sink(buffer) }
        }
        try outcome.get()
    }
}
