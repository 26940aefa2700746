import Dockerfile
import OCI

/// COPY and ADD: puts files of the context, of another file system, of the web or of a repository into a new layer.
struct CopyExecutor: StepExecutor {
    let copy: CopyStep
    let step: PlannedStep
    let roots: StageRoots
    /// Takes large files of the context, whose content comes when the layer is written; `nil`: it comes at once.
    let deferred: DeferredFiles?

    private var workspace: StageWorkspace { roots.workspace }

    func makeLayer(on layers: StageLayers) async throws(BuildError) -> HostPath {
        // What is linked stands on nothing.
        let root =
            copy.isLinked && !copy.looksUpOwner
            ? workspace.emptyRoot : try await roots.names(of: layers, looksUpNames: copy.looksUpOwner)
        let owner = try copy.owner.map { (text) throws(BuildError) in
            try workspace.owner(text, in: root, of: step)
        }
        let path = copy.destination
        let options = CopyOptions(
            destination: ImagePath(path), isDirectory: path.hasSuffix("/"), owner: owner, mode: copy.mode,
            excludes: copy.excludes, unpackLimit: workspace.build.builder.unpackLimit)
        let below = copy.isLinked ? workspace.emptyRoot : root
        var editor = try LayerEditor(over: below, upper: try workspace.newDirectory())
        editor = try await copyAll(into: editor, options)
        try editor.finish()
        return editor.upper
    }

    private func copyAll(into editor: LayerEditor, _ options: CopyOptions) async throws(BuildError) -> LayerEditor {
        var editor = editor
        if copy.takesFromOrigin {
            let scripts = ScriptLineEnds()
            var source = try await roots.source(of: copy.origin)
            if var context = source as? ContextSource {
                context.deferred = copy.unpacks ? nil : deferred
                context.scripts = scripts
                source = context
            }
            editor = try await copySources(from: source, into: editor, options)
            tell(of: scripts)
        } else {
            // Nothing but sources from elsewhere: the context is not even listed.
            let nothing = ContextSource(
                tree: try await ContextTree(EmptyContext(), folder: ""), displayName: "the empty context")
            editor = try await copySources(from: nothing, into: editor, options)
        }
        return copy.inlineFiles.isEmpty ? editor : try await copyInline(into: editor, options)
    }

    private func tell(of scripts: ScriptLineEnds) {
        for name in scripts.names {
            workspace.progress(
                .note(
                    "\(step.location): the script \(name) cannot be run: its first line ends in CR LF; save it with LF line "
                        + "ends (in .gitattributes: *.sh text eol=lf)"))
        }
    }

    private func copySources<Source: CopySource>(
        from source: Source, into editor: LayerEditor, _ options: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        var engine = CopyEngine(source, into: editor, options: options)
        if copy.unpacks { engine.staging = try workspace.newDirectory() }
        for wanted in copy.sources {
            switch wanted {
            case .path(let text):
                if copy.keepsParents { try await engine.copyWithParents(text) } else { try await engine.copy(text) }
            case .url(let url, let checksum, let unpacks):
                engine.editor = try await copyFile(
                    url, checksum: checksum, unpacks: unpacks, into: engine.editor, options)
            case .git(let locator, let keepsGitDirectory):
                engine.editor = try await copyTree(
                    locator, keepsGitDirectory: keepsGitDirectory, into: engine.editor, options)
            }
        }
        for text in engine.unmatched {
            try workspace.report(
                .copyMatchesNothing, "nothing in \(source.displayName) matches '\(text)'", at: step)
        }
        return engine.editor
    }

    // MARK: From elsewhere

    private func copyFile(
        _ url: String, checksum: Digest?, unpacks: Bool, into editor: LayerEditor, _ options: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        let file = try await workspace.build.contexts.remote.file(url, checksum: checksum)
        let name = RemoteName.fileName(of: url)
        let context = BlobContext(name: name ?? "unnamed", file: file)
        let source = ContextSource(
            tree: try await ContextTree(context, folder: ""), displayName: RemoteName.shown(url))
        var engine = CopyEngine(source, into: editor, options: options)
        if unpacks { engine.staging = try workspace.newDirectory() }
        if name == nil, try engine.needsName() {
            throw BuildError(
                .destination, "the URL \(RemoteName.shown(url)) names no file to be put into a directory",
                hint: "write the file's own name as the destination")
        }
        try await engine.copyLiteral(context.name)
        return engine.editor
    }

    private func copyTree(
        _ locator: GitLocator, keepsGitDirectory: Bool, into editor: LayerEditor, _ options: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        let build = workspace.build
        let tree = try await build.contexts.remote.tree(locator, keepsGitDirectory: keepsGitDirectory)
        var source = ContextSource(
            tree: try await ContextTree(tree.context, folder: ""), displayName: tree.context.displayName)
        source.fileLimit = build.request.contextFileLimit
        var engine = CopyEngine(source, into: editor, options: options)
        try await engine.copy(".")
        return engine.editor
    }

    /// The files that the Dockerfile itself has.
    private func copyInline(into editor: LayerEditor, _ options: CopyOptions) async throws(BuildError) -> LayerEditor {
        let context = MemoryContext(copy.inlineFiles.map { ($0.name, $0.content) })
        let tree = try await ContextTree(context, folder: "")
        let source = ContextSource(tree: tree, displayName: "the Dockerfile")
        var engine = CopyEngine(source, into: editor, options: options)
        for file in copy.inlineFiles { try await engine.copyLiteral(file.name) }
        return engine.editor
    }
}
