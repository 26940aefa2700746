import Dockerfile
import OCI

/// The context and the named contexts of one build, each listed once and only when an instruction needs it.
actor PlanContexts {
    private let request: BuildRequest
    private let builder: Builder
    /// What comes from other machines.
    nonisolated let remote: RemoteSources
    private var mainSource: ContextSource?
    private var mainListing: ContextListing?
    private var namedSources: [String: ContextSource] = [:]
    /// The hashes of what was looked at already.
    private(set) var selected: [ContentSelection.Request: Digest] = [:]
    /// Where archives are unpacked; `nil` until there is one.
    private var scratch: ScratchDirectory?

    init(_ request: BuildRequest, builder: Builder) throws(BuildError) {
        self.request = request
        self.builder = builder
        remote = RemoteSources(
            request, builder.fetcher, into: builder.store.content, records: builder.store.path + "/remote")
        // A folder that is not there is told before anything is done.
        for case .directory(let path) in request.namedContexts.values { _ = try DirectoryContext(path: path) }
    }

    func main() async throws(BuildError) -> ContextSource {
        if let mainSource { return mainSource }
        let listing = try await listing()
        let root = ImagePath(request.contextRoot)
        let ignored: IgnoreMatcher?
        if let file = request.ignoreFile {
            do throws(DockerfileError) { ignored = try IgnoreMatcher(file: file.bytes, name: file.name) } catch {
                throw BuildError(error)
            }
        } else {
            var names = [".dockerignore"]
            if case .path(let path) = request.dockerfile { names.insert(path + ".dockerignore", at: 0) }
            ignored = try await ignoreMatcher(anyOf: names, in: request.context, listing, below: root)
        }
        let tree = ContextTree(request.context, listing, below: root, isIgnored: ignored?.excludes)
        let source = source(tree, displayName: "the build context")
        mainSource = source
        return source
    }

    func named(_ name: String) async throws(BuildError) -> ContextSource {
        if let known = namedSources[name] { return known }
        let context = try await context(named: name)
        let listing = try await context.listing(under: "")
        let ignored = try await ignoreMatcher(anyOf: [".dockerignore"], in: context, listing, below: .root)
        let tree = ContextTree(context, listing, below: .root, isIgnored: ignored?.excludes)
        let source = source(tree, displayName: "the build context '\(name)'")
        namedSources[name] = source
        return source
    }

    func remember(_ digest: Digest, of selection: ContentSelection.Request) { selected[selection] = digest }

    private func context(named name: String) async throws(BuildError) -> any BuildContext {
        switch request.namedContexts[name] {
        case .context(let context): return context
        case .directory(let path): return try DirectoryContext(path: path)
        case .git(let locator):
            return try await remote.tree(locator, keepsGitDirectory: locator.keepsGitDirectory ?? false).context
        case .url(let url):
            let file = try await remote.file(url)
            guard try ArchiveUnpacker.isArchive(file.path) else { return BlobContext(name: "context", file: file) }
            return try unpack(file)
        case .image, .stage, nil: throw BuildError(.dockerfile, "there is no build context '\(name)'")
        }
    }

    private func unpack(_ file: RemoteSources.File) throws(BuildError) -> any BuildContext {
        if scratch == nil { scratch = try ScratchDirectory(in: builder.store.buildsFolder) }
        guard let place = scratch else { throw BuildError(.storage, "there is no room for the archive") }
        let upper = try place.makeDirectory(file.digest.encoded)
        let empty = LayeredRoot(layers: [], ownership: builder.store.ownership)
        var editor = try LayerEditor(over: empty, upper: upper)
        let root = LayeredRoot.Folder(path: .root, hosts: [upper], node: .emptyRoot)
        try ArchiveUnpacker(owner: (0, 0), made: .now, limit: builder.unpackLimit)
            .unpack(file.path, into: root, &editor)
        try editor.finish()
        return try DirectoryContext(unpacked: upper.text)
    }

    private func listing() async throws(BuildError) -> ContextListing {
        if let mainListing { return mainListing }
        let listing = try await request.context.listing(under: ImagePath(request.contextRoot).joined.text)
        mainListing = listing
        return listing
    }

    /// What the first of the ignore files says that is there; `nil` where none is.
    private func ignoreMatcher(
        anyOf names: [String], in context: any BuildContext, _ listing: ContextListing, below root: ImagePath
    ) async throws(BuildError) -> IgnoreMatcher? {
        for name in names {
            guard let place = listing.place(of: root.appending(ImagePath(name))), listing.isFile(place) else {
                continue
            }
            let bytes = try await ContextFile.read(listing[place], in: context, limit: 4 << 20)
            do throws(DockerfileError) { return try IgnoreMatcher(file: bytes, name: name) } catch {
                throw BuildError(error)
            }
        }
        return nil
    }

    private func source(_ tree: ContextTree, displayName: String) -> ContextSource {
        var source = ContextSource(tree: tree, displayName: displayName)
        source.fileLimit = request.contextFileLimit
        return source
    }

    /// The Dockerfile's bytes and name; a link to it is followed inside the context.
    func dockerfile() async throws(BuildError) -> (bytes: [UInt8], name: String) {
        switch request.dockerfile {
        case .bytes(let bytes, let name): return (bytes, name)
        case .path(let path):
            // A file at its place needs no tree; a link does, and what is not there.
            let root = ImagePath(request.contextRoot)
            let listing = try await listing()
            if let place = listing.place(of: root.appending(ImagePath(path))), listing.isFile(place) {
                return (try await ContextFile.read(listing[place], in: request.context, limit: 16 << 20), path)
            }
            let tree = ContextTree(request.context, listing, below: root, isIgnored: nil)
            let source = ContextSource(tree: tree, displayName: request.context.displayName)
            var candidates = [path]
            if path == "Dockerfile" { candidates.append("dockerfile") }
            for candidate in candidates {
                let item: ContextSource.Item?
                do throws(BuildError) {
                    item = try source.resolve(ImagePath(candidate), followingLast: true)
                } catch {
                    try Self.refuseStrayLink(candidate, in: source)
                    throw error
                }
                guard let item, case let entry = tree.entry(of: item), entry.kind == .file else { continue }
                return (try await ContextFile.read(entry, in: request.context, limit: 16 << 20), candidate)
            }
            try Self.refuseStrayLink(path, in: source)
            throw BuildError(
                .missingSource, "there is no \(path) in \(request.context.displayName)",
                hint: "name the Dockerfile by its path relative to the context")
        }
    }

    /// Links are followed within the context, from its root: one that leads out would find another file, or itself.
    private static func refuseStrayLink(_ path: String, in source: ContextSource) throws(BuildError) {
        guard let item = try source.resolve(ImagePath(path), followingLast: false),
            let target = source.linkTarget(of: item)
        else { return }
        var depth = ImagePath(path).components.count - 1
        var leadsOut = target.first == 0x2f
        for name in ImagePath.split(target) where name != [0x2e] {
            depth += name == [0x2e, 0x2e] ? -1 : 1
            leadsOut = leadsOut || depth < 0
        }
        guard leadsOut else { return }
        throw BuildError(
            .missingSource, "\(path) is a link that leads out of \(source.displayName)",
            cause: "its target is \(String(decoding: target, as: UTF8.self))",
            hint: "name the file itself as the Dockerfile (--dockerfile), or copy it into the context")
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
