import ContentStore
import OCI

/// The file systems that a stage's steps look into, as stacks of directories: of stages and of images. What is not unpacked yet is when
/// somebody looks first.
struct StageRoots {
    let workspace: StageWorkspace
    /// Told of the layers that could be unpacked.
    let cache: CacheLookup

    private var build: BuildEnvironment { workspace.build }

    /// A stage's file system; its base is fetched and unpacked when this is the first to look.
    func root(of layers: StageLayers) async throws(BuildError) -> LayeredRoot {
        let paths = try await directories(of: layers.all)
        if let base = layers.base { try await build.bases.tell(base) }
        return LayeredRoot(layers: paths, ownership: workspace.ownership)
    }

    func root(ofStage index: Int) async throws(BuildError) -> LayeredRoot {
        try await root(of: build.board.result(of: index).layers)
    }

    func root(ofImage base: BaseImage) async throws(BuildError) -> LayeredRoot {
        try await root(of: StageLayers(on: base, recordLimit: nil))
    }

    /// The directories of layers, lowest first; those that are not there yet are unpacked from their blobs.
    private func directories(of layers: [BuiltImage.Layer]) async throws(BuildError) -> [HostPath] {
        var paths: [HostPath] = []
        var chain: Digest?
        for layer in layers {
            let id = ChainID.next(after: chain, layer)
            chain = id
            if let present = build.store.layers.directory(of: id) {
                paths.append(present)
                continue
            }
            paths.append(try await build.bases.unpack(layer, as: id, over: paths, build.scratch))
            cache.prove(id)
        }
        return paths
    }

    // MARK: Names only

    /// What a step sees that does not look into files. Where no other step will either, the layers below need neither be
    /// unpacked nor, if their indexes are known, be here.
    ///
    /// - Parameter looksUpNames: whether names of users and groups are asked for.
    func names(of layers: StageLayers, looksUpNames: Bool) async throws(BuildError) -> LayeredRoot {
        guard !build.plan.looksIntoFiles(of: workspace.stage.index, from: workspace.position) else {
            return try await root(of: layers)
        }
        let store = build.store
        var paths: [HostPath] = []
        var chain: Digest?
        for layer in layers.all {
            let id = ChainID.next(after: chain, layer)
            chain = id
            if let present = store.layers.directory(of: id) ?? store.layers.skeleton(of: id) {
                paths.append(present)
                continue
            }
            let index = try await index(of: layer)
            let made = try? store.layers.makeSkeleton(
                of: index, for: layer, as: id, over: paths, scratch: build.scratch, content: store.content,
                limit: build.builder.unpackLimit)
            guard let made else { return try await root(of: layers) }
            paths.append(made)
        }
        if let base = layers.base { try await build.bases.tell(base) }
        let view = LayeredRoot(layers: paths, ownership: store.ownership)
        if looksUpNames, try !view.knowsAccounts() { return try await root(of: layers) }
        return view
    }

    /// The index of a layer: known, of the shared cache, or made from the blob.
    private func index(of layer: BuiltImage.Layer) async throws(BuildError) -> Descriptor {
        let store = build.store
        if let known = store.indexes.known(layer.diffID) { return known }
        if store.content.size(of: layer.descriptor.digest) != layer.descriptor.size,
            await build.remote?.fetchIndex(of: layer.diffID) == true,
            let fetched = store.indexes.known(layer.diffID)
        {
            return fetched
        }
        try await build.bases.layer(layer)
        return try store.indexes.index(of: layer, content: store.content, limit: build.builder.unpackLimit)
    }
}

extension StageRoots {
    /// Where COPY and mounts take their files from.
    func source(of origin: CopyOrigin) async throws(BuildError) -> any CopySource {
        switch try build.plan.source(of: origin) {
        case .context: return try await build.contexts.main()
        case .namedContext(let name): return try await build.contexts.named(name)
        case .stage(let index):
            return LayeredSource(try await root(ofStage: index), displayName: "stage \(index)")
        case .image(let base, let name):
            return LayeredSource(try await root(ofImage: base), displayName: name)
        }
    }
}

extension LayeredRoot {
    /// Whether the files in which names of users are looked up are here as they are, and not as an index shows them.
    fileprivate func knowsAccounts() throws(BuildError) -> Bool {
        for path in LayerIndex.names {
            guard case .file(let file)? = try resolve(path).item else { continue }
            guard file.path == path, file.node.kind == .file, file.node.size > 0 else { return false }
        }
        return true
    }
}
