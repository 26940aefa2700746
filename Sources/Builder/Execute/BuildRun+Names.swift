import ContentStore
import OCI

extension BuildRun {
    /// What a step sees that does not look into files. Where no other step will either, the layers below need neither be
    /// unpacked nor, if their indexes are known, be here.
    ///
    /// - Parameter looksUpNames: whether names of users and groups are asked for.
    func names(of files: StageFiles, looksUpNames: Bool) async throws(BuildError) -> LayeredRoot {
        guard !plan.looksIntoFiles(of: stage.index, from: position) else { return try await root(of: files) }
        let store = builder.store
        var paths: [HostPath] = []
        var chain: Digest?
        for layer in files.layers {
            let id = ChainID.next(after: chain, layer)
            chain = id
            if let present = store.layers.directory(of: id) ?? store.layers.skeleton(of: id) {
                paths.append(present)
                continue
            }
            var index = store.indexes.known(layer.diffID)
            if index == nil, store.content.size(of: layer.descriptor.digest) != layer.descriptor.size,
                await remote?.fetchIndex(of: layer.diffID) == true
            {
                index = store.indexes.known(layer.diffID)
            }
            if index == nil {
                try await bases.layer(layer)
                index = try store.indexes.index(of: layer, content: store.content, limit: builder.unpackLimit)
            }
            guard let index,
                let made = try? store.layers.makeSkeleton(
                    of: index, for: layer, as: id, over: paths, scratch: scratch, content: store.content,
                    limit: builder.unpackLimit)
            else { return try await root(of: files) }
            paths.append(made)
        }
        if let base = files.base { try await bases.tell(base) }
        let view = LayeredRoot(layers: paths, ownership: store.ownership)
        if looksUpNames, try !view.knowsAccounts() { return try await root(of: files) }
        return view
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

extension BuildPlan {
    /// Whether what is in a stage's files matters from a step on, to the stage itself or to others: to RUN, and to those
    /// that copy from it. All else needs their names only.
    func looksIntoFiles(of index: Int, from step: Int = 0) -> Bool {
        guard let stage = stage(index) else { return false }
        if stage.steps.dropFirst(step).contains(where: { if case .run = $0.action { true } else { false } }) {
            return true
        }
        return stages.contains { other in
            if other.steps.contains(where: { $0.stages.contains(index) }) { return true }
            guard case .stage(index) = other.base else { return false }
            return looksIntoFiles(of: other.index)
        }
    }
}
