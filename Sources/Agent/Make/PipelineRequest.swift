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
    private let content: FetchedContent

    /// What the operator lets the repository build on; `nil`: anything.
    let bases: AllowedBases?

    init(
        _ pipeline: Pipeline, of repository: AgentConfiguration.RepositoryConfiguration, tree: RevisionTree,
        remote: any GitRemote, fetching content: FetchedContent
    ) {
        self.pipeline = pipeline
        self.content = content
        branch = repository.branch
        bases = repository.allowed.bases(of: repository.name)
        self.tree = tree
        self.remote = remote
    }

    /// - Parameter source: the commit that the image is made from and named after.
    func request(source: Commit) async throws(AgentError) -> BuildRequest {
        let root = pipeline.contextPath
        guard root.isEmpty || tree.isDirectory(root) || isInSubmodule(root) else {
            throw AgentError(
                "the build context '\(root)' is no directory of the repository", place: pipeline.origin,
                hint: tree.submodule(holding: root) == nil
                    ? "correct 'context'" : "it is in a git submodule: have that fetched by 'submodules: true'")
        }
        let file = try dockerfile()
        var request = BuildRequest(
            context: try await context(root), platform: pipeline.platform ?? .host,
            createdAt: source.committer.time)
        request.context = try await withGitDirectory(request.context, source)
        request.hasContentDate = true
        request.cacheNamespace = "git " + remote.displayURL
        let prefix = root.isEmpty ? "" : root + "/"
        // A Dockerfile outside of its context is allowed; the builder is then handed its text.
        let path = pipeline.dockerfile
        if path.hasPrefix(prefix) {
            request.dockerfile = .path(String(path.dropFirst(prefix.count)))
        } else if let file {
            request.dockerfile = .bytes(try await remote.read(file), name: path)
        }
        request.target = pipeline.target
        request.buildArguments = pipeline.arguments.map { ($0.name, $0.value) }
        request.labels = pipeline.labels.map { ($0.name, $0.value) }
        for annotation in pipeline.annotations { request.annotations[annotation.name] = annotation.value }
        request.annotations[Annotation.revision] = source.id.description
        request.annotations[Annotation.source] = remote.displayURL
        request.annotations[Annotation.pipeline] = "\(branch) \(pipeline.name)"
        request.annotations[Annotation.created] = UTCDate(secondsSince1970: source.committer.time).rfc3339
        request.allowedBases = bases
        request.namedContexts = try await namedContexts()
        return request
    }

    private func context(
        _ root: String, replacing replaced: [String: TreeEntry] = [:]
    ) async throws(AgentError) -> any BuildContext {
        do throws(BuildError) {
            return try await remote.context(tree, root: root, replacing: replaced, fetching: content)
        } catch {
            throw AgentError(failing: error, place: error.place ?? pipeline.origin)
        }
    }

    /// Whether something is among the files that submodules bring.
    private func isInSubmodule(_ path: String) -> Bool { content.submodules && tree.submodule(holding: path) != nil }

    /// The Dockerfile; `nil` where it is in a submodule that the context holds.
    private func dockerfile() throws(AgentError) -> TreeEntry? {
        guard let file = tree.file(pipeline.dockerfile) else {
            let root = pipeline.contextPath
            if isInSubmodule(pipeline.dockerfile), root.isEmpty || pipeline.dockerfile.hasPrefix(root + "/") {
                return nil
            }
            throw AgentError(
                "the Dockerfile '\(pipeline.dockerfile)' is not in the repository", place: pipeline.origin,
                hint: "correct 'dockerfile', a path from the repository's root")
        }
        return file
    }

    private var keepsGitDirectory: Bool {
        let wish = GitDirectoryWish.asked(by: pipeline.arguments.map { ($0.name, $0.value) })
        return (pipeline.keepsGitDirectory ?? wish ?? false) && pipeline.contextPath.isEmpty
    }

    /// The context below `.git`.
    private static func replacing(_ whole: any BuildContext, by base: any BuildContext) -> any BuildContext {
        (whole as? CompositeContext)?.with(base: base) ?? base
    }

    /// What is above the source, if anything, is the agent's own: it is in the history that the build sees, as in a clone, and makes
    /// no other content.
    private func withGitDirectory(
        _ context: any BuildContext, _ source: Commit
    ) async throws(AgentError) -> any BuildContext {
        guard keepsGitDirectory else { return context }
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
    ) async throws(AgentError) -> BuildRequest {
        var request = request
        let context = try await context(pipeline.contextPath, replacing: replaced)
        request.context = keepsGitDirectory ? Self.replacing(request.context, by: context) : context
        request.namedContexts = try await namedContexts(replacing: replaced)
        return request
    }

    private func namedContexts(
        replacing replaced: [String: TreeEntry] = [:]
    ) async throws(AgentError) -> [String: NamedContext] {
        var contexts: [String: NamedContext] = [:]
        for (name, context) in pipeline.contexts {
            switch context {
            case .configured(let context): contexts[name] = context
            case .declared(let context):
                do {
                    contexts[name] = try await namedContext(context, replacing: replaced)
                } catch {
                    var told = error
                    told.summary = "the build context '\(name)' cannot be used: \(error.summary)"
                    told.place = pipeline.origin
                    throw AgentError(failing: told)
                }
            }
        }
        return contexts
    }

    /// The only way from what a repository's context may be to what a builder's may. A folder is read from the revision's
    /// tree: no path and no link in it leads to a file of this machine.
    private func namedContext(
        _ context: RepositoryContext, replacing replaced: [String: TreeEntry]
    ) async throws(BuildError) -> NamedContext {
        switch context {
        case .image(let image):
            try bases?.admit(image, at: pipeline.origin)
            return .image(ImageLocation(image))
        case .empty: return .context(EmptyContext())
        case .git(let locator): return .git(locator)
        case .url(let url): return .url(url)
        case .stage(let stage): return .stage(stage)
        case .folder(let path):
            guard tree.isDirectory(path) || isInSubmodule(path) else {
                throw BuildError(
                    .missingSource, "'\(path)' is no directory of the repository",
                    hint: "write the path of a directory from the repository's root; links are not followed")
            }
            return .context(try await remote.context(tree, root: path, replacing: replaced, fetching: content))
        }
    }
}
