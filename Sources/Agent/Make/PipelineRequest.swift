import Builder
import Git
import OCI
import Text

/// What a pipeline asks of the builder at a revision. Everything that is dated is dated by the source commit.
struct PipelineRequest: Sendable {
    let pipeline: Pipeline
    let tree: RevisionTree
    let remote: any GitRemote
    private let branch: String

    /// What the operator lets the repository build on; `nil`: anything.
    let bases: AllowedBases?

    init(
        _ pipeline: Pipeline, of repository: AgentConfiguration.RepositoryConfiguration, tree: RevisionTree,
        remote: any GitRemote
    ) {
        self.pipeline = pipeline
        branch = repository.branch
        bases = repository.allowed.bases(of: repository.name)
        self.tree = tree
        self.remote = remote
    }

    /// - Parameter source: the commit that the image is made from and named after.
    func request(source: Commit) async throws(AgentError) -> BuildRequest {
        let root = pipeline.contextPath
        guard root.isEmpty || tree.isDirectory(root) else {
            throw AgentError(
                "the build context '\(root)' is no directory of the repository", place: pipeline.origin,
                hint: "correct 'context'")
        }
        let file = try dockerfile()
        var request = BuildRequest(
            context: remote.context(tree, root: root, replacing: [:]), platform: pipeline.platform ?? .host,
            createdAt: source.committer.time)
        request.context = try await withGitDirectory(request.context, source)
        request.hasContentDate = true
        request.cacheNamespace = "git " + remote.displayURL
        let prefix = root.isEmpty ? "" : root + "/"
        // A Dockerfile outside of its context is allowed; the builder is then handed its text.
        request.dockerfile =
            file.path.hasPrefix(prefix)
            ? .path(String(file.path.dropFirst(prefix.count)))
            : .bytes(try await remote.read(file), name: file.path)
        request.target = pipeline.target
        request.buildArguments = pipeline.arguments.map { ($0.name, $0.value) }
        request.labels = pipeline.labels.map { ($0.name, $0.value) }
        for annotation in pipeline.annotations { request.annotations[annotation.name] = annotation.value }
        request.annotations[Annotation.revision] = source.id.description
        request.annotations[Annotation.source] = remote.displayURL
        request.annotations[Annotation.pipeline] = "\(branch) \(pipeline.name)"
        request.annotations[Annotation.created] = UTCDate(secondsSince1970: source.committer.time).rfc3339
        request.allowedBases = bases
        request.namedContexts = try namedContexts()
        return request
    }

    private func dockerfile() throws(AgentError) -> TreeEntry {
        guard let file = tree.file(pipeline.dockerfile) else {
            throw AgentError(
                "the Dockerfile '\(pipeline.dockerfile)' is not in the repository", place: pipeline.origin,
                hint: "correct 'dockerfile', a path from the repository's root")
        }
        return file
    }

    /// What is above the source, if anything, is the agent's own: it is in the history that the build sees, as in a clone, and makes
    /// no other content.
    private func withGitDirectory(
        _ context: any BuildContext, _ source: Commit
    ) async throws(AgentError) -> any BuildContext {
        let wish = GitDirectoryWish.asked(by: pipeline.arguments.map { ($0.name, $0.value) })
        guard pipeline.keepsGitDirectory ?? wish ?? false, pipeline.contextPath.isEmpty else { return context }
        do {
            let directory = try await remote.gitDirectory(
                of: tree.revision, branch: branch, identifiedBy: source.id)
            return CompositeContext(context, mounts: [Array(".git".utf8): directory])
        } catch {
            throw AgentError(failing: error)
        }
    }

    /// A request of the pipeline's over the context in which some files are those of another revision.
    func request(
        _ request: BuildRequest, replacing replaced: [String: TreeEntry]
    ) throws(AgentError) -> BuildRequest {
        var request = request
        let context = remote.context(tree, root: pipeline.contextPath, replacing: replaced)
        request.context = (request.context as? CompositeContext)?.with(base: context) ?? context
        request.namedContexts = try namedContexts(replacing: replaced)
        return request
    }

    private func namedContexts(
        replacing replaced: [String: TreeEntry] = [:]
    ) throws(AgentError) -> [String: NamedContext] {
        var contexts: [String: NamedContext] = [:]
        for (name, context) in pipeline.contexts {
            switch context {
            case .configured(let context): contexts[name] = context
            case .declared(let context):
                do {
                    contexts[name] = try namedContext(context, replacing: replaced)
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
        _ context: RepositoryContext, replacing replaced: [String: TreeEntry]
    ) throws(BuildError) -> NamedContext {
        switch context {
        case .image(let image):
            try bases?.admit(image, at: pipeline.origin)
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
            return .context(remote.context(tree, root: path, replacing: replaced))
        }
    }
}
