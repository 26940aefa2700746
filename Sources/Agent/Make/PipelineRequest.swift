import Builder
import Git
import OCI

/// What a pipeline asks of the builder at a revision. Everything that is dated is dated by the source commit.
struct PipelineRequest: Sendable {
    let pipeline: Pipeline
    let tree: RevisionTree
    let remote: any GitRemote

    init(_ pipeline: Pipeline, tree: RevisionTree, remote: any GitRemote) {
        self.pipeline = pipeline
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
        request.fileTimes = .ofBase
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
        request.annotations[Annotation.created] = CalendarTime(secondsSince1970: source.committer.time).rfc3339
        for (name, text) in pipeline.contexts {
            do {
                request.namedContexts[name] = try NamedContext(text)
            } catch {
                throw AgentError(error.summary, place: pipeline.origin, cause: error.cause, hint: error.hint)
            }
        }
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
}
