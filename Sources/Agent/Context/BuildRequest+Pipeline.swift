import Builder
import Git
import OCI

extension Reconciler {
    /// The context of a pipeline at a revision.
    func gitContext(
        _ tree: RevisionTree, _ pipeline: Pipeline, replacing replaced: [String: TreeEntry] = [:]
    ) -> GitTreeContext {
        GitTreeContext(mirror: tools.mirror.git, tree: tree, root: pipeline.contextPath, replacing: replaced)
    }

    /// What a pipeline asks of the builder. Everything that is dated is dated by the source commit.
    func request(
        for pipeline: Pipeline, source: Commit, tree: RevisionTree
    ) async throws(AgentError) -> BuildRequest {
        let root = pipeline.contextPath
        guard root.isEmpty || tree.isDirectory(root) else {
            throw AgentError(
                "the build context '\(root)' is no directory of the repository", place: pipeline.origin,
                hint: "correct 'context'")
        }
        guard let file = tree.file(pipeline.dockerfile) else {
            throw AgentError(
                "the Dockerfile '\(pipeline.dockerfile)' is not in the repository", place: pipeline.origin,
                hint: "correct 'dockerfile', a path from the repository's root")
        }
        var request = BuildRequest(
            context: gitContext(tree, pipeline), platform: pipeline.platform ?? .host,
            createdAt: source.committer.time)
        request.fileTimes = .ofBase
        let prefix = root.isEmpty ? "" : root + "/"
        // A Dockerfile outside of its context is allowed; the builder is then handed its text.
        request.dockerfile =
            file.path.hasPrefix(prefix)
            ? .path(String(file.path.dropFirst(prefix.count)))
            : .bytes(try await tools.mirror.read(file), name: file.path)
        request.target = pipeline.target
        request.buildArguments = pipeline.arguments.map { ($0.name, $0.value) }
        request.labels = pipeline.labels.map { ($0.name, $0.value) }
        for annotation in pipeline.annotations { request.annotations[annotation.name] = annotation.value }
        request.annotations[Annotation.revision] = source.id.description
        request.annotations[Annotation.source] = tools.mirror.displayURL
        request.annotations[Annotation.created] = CalendarTime(secondsSince1970: source.committer.time).rfc3339
        request.allowedBases = repository.allowed.bases(of: repository.name)
        request.namedContexts = try namedContexts(pipeline, tree)
        return request
    }

    /// The same request over the context in which some files are those of another revision.
    func request(
        _ request: BuildRequest, for pipeline: Pipeline, over tree: RevisionTree,
        replacing replaced: [String: TreeEntry]
    ) throws(AgentError) -> BuildRequest {
        var request = request
        request.context = gitContext(tree, pipeline, replacing: replaced)
        request.namedContexts = try namedContexts(pipeline, tree, replacing: replaced)
        return request
    }

    private func namedContexts(
        _ pipeline: Pipeline, _ tree: RevisionTree, replacing replaced: [String: TreeEntry] = [:]
    ) throws(AgentError) -> [String: NamedContext] {
        var contexts: [String: NamedContext] = [:]
        for (name, context) in pipeline.contexts {
            switch context {
            case .configured(let context): contexts[name] = context
            case .declared(let context):
                do {
                    contexts[name] = try namedContext(context, pipeline, tree, replacing: replaced)
                } catch {
                    throw AgentError(
                        "the build context '\(name)' cannot be used: \(error.summary)", place: pipeline.origin,
                        cause: error.cause, hint: error.hint)
                }
            }
        }
        return contexts
    }

    /// The only way from what a repository's context may be to what a builder's may. A folder is read from the revision's
    /// tree: no path and no link in it leads to a file of this machine.
    private func namedContext(
        _ context: RepositoryContext, _ pipeline: Pipeline, _ tree: RevisionTree,
        replacing replaced: [String: TreeEntry]
    ) throws(BuildError) -> NamedContext {
        switch context {
        case .image(let image):
            try repository.allowed.bases(of: repository.name)?.admit(image, at: pipeline.origin)
            return .image(ImageLocation(image))
        case .empty: return .context(EmptyContext())
        case .git(let locator): return .git(locator)
        case .url(let url): return .url(url)
        case .stage(let stage): return .stage(stage)
        case .folder(let path):
            guard tree.isDirectory(path) else {
                throw BuildError(
                    .missingSource, "'\(path)' is no directory of the repository",
                    hint: "write the path of a directory from the repository's root; links are not followed")
            }
            return .context(GitTreeContext(mirror: tools.mirror.git, tree: tree, root: path, replacing: replaced))
        }
    }
}
