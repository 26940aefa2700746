import Dockerfile
import OCI

extension BuildRun {
    /// Applies COPY or ADD; gives the new layer's directory.
    ///
    /// - Parameter deferred: takes large files of the context.
    func perform(
        _ step: CopyStep, of planned: PlannedStep, on files: StageFiles, deferring deferred: DeferredFiles?
    ) async throws(BuildError) -> HostPath {
        // What is linked stands on nothing.
        let root =
            step.isLinked && !step.looksUpOwner
            ? LayeredRoot(layers: [], ownership: builder.store.ownership)
            : try await names(of: files, looksUpNames: step.looksUpOwner)
        let owner = try step.owner.map { (text) throws(BuildError) in
            try self.owner(text, in: root, of: planned)
        }
        let path = step.destination
        let options = CopyOptions(
            destination: ImagePath(path), isDirectory: path.hasSuffix("/"), owner: owner, mode: step.mode,
            excludes: step.excludes, unpackLimit: builder.unpackLimit)
        let below = step.isLinked ? LayeredRoot(layers: [], ownership: root.ownership) : root
        var editor = try LayerEditor(over: below, upper: try newDirectory())
        let scripts = ScriptLineEnds()
        switch step.origin {
        case _ where !step.takesFromOrigin: editor = try await copyRemote(step, of: planned, into: editor, options)
        case .context:
            var source = try await contexts.main()
            source.deferred = step.unpacks ? nil : deferred
            source.scripts = scripts
            editor = try await copy(step, of: planned, from: source, into: editor, options)
        case .stage(let index):
            let source = LayeredSource(try await self.root(ofStage: index), displayName: "stage \(index)")
            editor = try await copy(step, of: planned, from: source, into: editor, options)
        case .named(let name):
            switch plan.sources[name] {
            case .image(let base):
                let layers = try await directories(of: base)
                let tree = LayeredRoot(layers: layers, ownership: builder.store.ownership)
                editor = try await copy(
                    step, of: planned, from: LayeredSource(tree, displayName: name), into: editor, options)
            case .context:
                var source = try await contexts.named(name)
                source.deferred = step.unpacks ? nil : deferred
                source.scripts = scripts
                editor = try await copy(step, of: planned, from: source, into: editor, options)
            case nil:
                throw BuildError(.dockerfile, "there is no stage, context or image '\(name)'")
            }
        }
        if !step.inlineFiles.isEmpty { editor = try await copyInline(step, into: editor, options) }
        try editor.finish()
        for name in scripts.names {
            progress(
                .note(
                    "\(planned.location): the script \(name) cannot be run: its first line ends in CR LF; save it with LF line "
                        + "ends (in .gitattributes: *.sh text eol=lf)"))
        }
        return editor.upper
    }

    private func copy<Source: CopySource>(
        _ step: CopyStep, of planned: PlannedStep, from source: Source, into editor: LayerEditor, _ options: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        var engine = CopyEngine(source, into: editor, options: options)
        if step.unpacks { engine.staging = try newDirectory() }
        for wanted in step.sources {
            switch wanted {
            case .path(let text):
                if step.keepsParents { try await engine.copyWithParents(text) } else { try await engine.copy(text) }
            case .url(let url, let checksum, let unpacks):
                engine.editor = try await copy(url, checksum, unpacks: unpacks, into: engine.editor, options)
            case .git(let locator, let keepsGitDirectory):
                engine.editor = try await copy(
                    locator, keepsGitDirectory: keepsGitDirectory, into: engine.editor, options)
            }
        }
        for text in engine.unmatched {
            try report(.copyMatchesNothing, "nothing in \(source.displayName) matches '\(text)'", at: planned)
        }
        return engine.editor
    }

    /// ADD of nothing but sources from elsewhere: the context is not even listed.
    private func copyRemote(
        _ step: CopyStep, of planned: PlannedStep, into editor: LayerEditor, _ options: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        let nothing = ContextSource(
            tree: try await ContextTree(EmptyContext(), folder: ""), displayName: "the empty context")
        return try await copy(step, of: planned, from: nothing, into: editor, options)
    }

    private func copy(
        _ url: String, _ checksum: Digest?, unpacks: Bool, into editor: LayerEditor, _ options: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        let file = try await contexts.remote.file(url, checksum: checksum)
        let name = RemoteName.fileName(of: url)
        let context = BlobContext(name: name ?? "unnamed", file: file)
        let source = ContextSource(
            tree: try await ContextTree(context, folder: ""), displayName: RemoteName.shown(url))
        var engine = CopyEngine(source, into: editor, options: options)
        if unpacks { engine.staging = try newDirectory() }
        if name == nil, try engine.needsName() {
            throw BuildError(
                .destination, "the URL \(RemoteName.shown(url)) names no file to be put into a directory",
                hint: "write the file's own name as the destination")
        }
        try await engine.copyLiteral(context.name)
        return engine.editor
    }

    private func copy(
        _ locator: GitLocator, keepsGitDirectory: Bool, into editor: LayerEditor, _ options: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        let tree = try await contexts.remote.tree(locator, keepsGitDirectory: keepsGitDirectory)
        var source = ContextSource(
            tree: try await ContextTree(tree.context, folder: ""), displayName: tree.context.displayName)
        source.fileLimit = request.contextFileLimit
        var engine = CopyEngine(source, into: editor, options: options)
        try await engine.copy(".")
        return engine.editor
    }

    private func copyInline(
        _ step: CopyStep, into editor: LayerEditor, _ options: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        let context = MemoryContext(step.inlineFiles.map { ($0.name, $0.content) })
        let tree = try await ContextTree(context, folder: "")
        let source = ContextSource(tree: tree, displayName: "the Dockerfile")
        var engine = CopyEngine(source, into: editor, options: options)
        for file in step.inlineFiles { try await engine.copyLiteral(file.name) }
        return engine.editor
    }

    /// Makes the working directory with all above it, where it is missing.
    func makeWorkingDirectory(
        _ path: String, _ user: String, of planned: PlannedStep, on files: StageFiles
    ) async throws(BuildError) -> HostPath {
        let root = try await names(of: files, looksUpNames: UserLookup.looksUp(user))
        var editor = try LayerEditor(over: root, upper: try newDirectory())
        let resolved = try root.resolve(ImagePath(path))
        switch resolved.item {
        case .folder: break
        case .file(let file):
            throw BuildError(.destination, "the working directory \(file.path.text) is a file")
        case nil:
            // As BuildKit does it: who a directory belongs to follows the rules of `--chown`, not those of a step's user.
            let owner: (uid: UInt32, gid: UInt32) = user.isEmpty ? (0, 0) : try self.owner(user, in: root, of: planned)
            let node = Node(directoryMode: 0o755, uid: owner.uid, gid: owner.gid, modified: .now)
            _ = try editor.ensureDirectory(resolved.path, new: node)
        }
        try editor.finish()
        return editor.upper
    }
}
