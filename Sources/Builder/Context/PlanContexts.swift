import Dockerfile
import OCI

/// The context and the named contexts of one build, each listed once and only when an instruction needs it.
actor PlanContexts {
    private let request: BuildRequest
    private let named: [String: any BuildContext]
    private var mainSource: ContextSource?
    private var mainEntries: [ContextEntry]?
    private var namedSources: [String: ContextSource] = [:]

    init(_ request: BuildRequest) throws(BuildError) {
        self.request = request
        var named: [String: any BuildContext] = [:]
        for (name, context) in request.namedContexts {
            switch context {
            case .context(let context): named[name] = context
            case .directory(let path): named[name] = try DirectoryContext(path: path)
            case .image: continue
            }
        }
        self.named = named
    }

    func main() async throws(BuildError) -> ContextSource {
        if let mainSource { return mainSource }
        var names = [".dockerignore"]
        if case .path(let path) = request.dockerfile { names.insert(path + ".dockerignore", at: 0) }
        let source = try await source(
            request.context, try await entries(), request.contextRoot, ignoreFiles: names, "the build context")
        mainSource = source
        return source
    }

    func named(_ name: String) async throws(BuildError) -> ContextSource {
        if let known = namedSources[name] { return known }
        guard let context = named[name] else { throw BuildError(.dockerfile, "there is no build context '\(name)'") }
        let entries = try await context.entries(under: "")
        let source = try await source(
            context, entries, "", ignoreFiles: [".dockerignore"], "the build context '\(name)'")
        namedSources[name] = source
        return source
    }

    private func entries() async throws(BuildError) -> [ContextEntry] {
        if let mainEntries { return mainEntries }
        let entries = try await request.context.entries(under: ImagePath(request.contextRoot).joined.text)
        mainEntries = entries
        return entries
    }

    private func source(
        _ context: any BuildContext, _ entries: [ContextEntry], _ folder: String, ignoreFiles: [String],
        _ displayName: String
    ) async throws(BuildError) -> ContextSource {
        let prefix = ImagePath(folder)
        var ignored: IgnoreMatcher?
        for name in ignoreFiles {
            let path = prefix.appending(ImagePath(name)).joined
            guard let entry = entries.first(where: { $0.pathBytes == path && $0.kind == .file }) else { continue }
            let bytes = try await ContextFile.read(entry, in: context, limit: 4 << 20)
            do throws(DockerfileError) { ignored = try IgnoreMatcher(file: bytes, name: name) } catch {
                throw BuildError(error)
            }
            break
        }
        let tree = ContextTree(context, entries: entries, below: prefix) { entry in
            ignored?.excludes(entry.pathBytes) ?? false
        }
        return ContextSource(tree: tree, displayName: displayName, createdAt: .max)
    }

    /// The Dockerfile's bytes and name; a link to it is followed inside the context.
    func dockerfile() async throws(BuildError) -> (bytes: [UInt8], name: String) {
        switch request.dockerfile {
        case .bytes(let bytes, let name): return (bytes, name)
        case .path(let path):
            let tree = ContextTree(
                request.context, entries: try await entries(), below: ImagePath(request.contextRoot)
            ) { _ in false }
            let source = ContextSource(tree: tree, displayName: request.context.displayName, createdAt: 0)
            var candidates = [path]
            if path == "Dockerfile" { candidates.append("dockerfile") }
            for candidate in candidates {
                guard let item = try source.resolve(ImagePath(candidate), followingLast: true), item.entry.kind == .file
                else { continue }
                return (try await ContextFile.read(item.entry, in: request.context, limit: 16 << 20), candidate)
            }
            throw BuildError(
                .missingSource, "there is no \(path) in \(request.context.displayName)",
                hint: "name the Dockerfile by its path relative to the context")
        }
    }
}

/// Small files of a context in memory.
enum ContextFile {
    static func read(_ entry: ContextEntry, in context: any BuildContext, limit: Int) async throws(BuildError)
        -> [UInt8]
    {
        let collected = ByteCollector(limit: limit)
        try await context.read(entry) { (bytes) throws(BuildError) in
            guard collected.append(bytes) else {
                throw BuildError(.context, "the file is larger than \(limit) bytes", place: entry.path)
            }
        }
        return collected.bytes
    }
}
