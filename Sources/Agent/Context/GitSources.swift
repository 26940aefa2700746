import Builder
import ContentStore
import Diagnostics
import FileSystem
import Git

/// Revisions of git repositories with their submodules and Git LFS content, from mirrors that later builds use again.
package struct GitSources: Sendable {
    let mirrors: SourceMirrors
    /// Where builds keep blobs.
    let contentFolder: String
    let access: SourceAccess

    func checkOut(
        _ request: GitTreeRequest, fetchingLargeFiles: Bool = false
    ) async throws(BuildError) -> GitTree {
        let locator = request.locator
        return try await Self.explained { () async throws in
            let url = try Self.network(locator.remote)
            let open = try await mirror(of: locator.remote, url, request.authorization)
            let revision = try await fetch(locator.reference, from: open, url)
            try verify(revision, locator)
            let trees = GitTrees(
                sources: self,
                content: FetchedContent(submodules: locator.fetchesSubmodules, largeFiles: fetchingLargeFiles),
                isDeclared: false, authorization: request.authorization)
            var context = try await trees.context(
                of: RevisionTree(
                    revision: revision.commit, entries: try await open.mirror.entries(of: revision.commit.id)),
                in: GitTrees.Source(mirror: open.mirror, held: open, remote: locator.remote), folder: locator.folder)
            var mounts: [[UInt8]: (any BuildContext)?] = [:]
            if request.keepsGitDirectory, locator.folder.isEmpty {
                mounts[Array(".git".utf8)] = try await gitDirectory(of: revision, in: open, request)
            }
            if !mounts.isEmpty || locator.usesCommitTime {
                context = CompositeContext(
                    context, mounts: mounts, modified: locator.usesCommitTime ? revision.commit.committer.time : nil)
            }
            return GitTree(
                context: context, commit: "\(revision.commit.id)", time: revision.commit.committer.time)
        }
    }

    /// A folder of a revision of the repository that is watched.
    ///
    /// - Parameters:
    ///   - replaced: files of another revision that stand in for those of this one, by path.
    ///   - mirror: the repository's own.
    func context(
        of tree: RevisionTree, folder: String, replacing replaced: [String: TreeEntry], in mirror: Mirror,
        fetching content: FetchedContent
    ) async throws(BuildError) -> any BuildContext {
        try await Self.explained { () async throws in
            try await GitTrees(sources: self, content: content, isDeclared: true, authorization: nil).context(
                of: tree, replacing: replaced,
                in: GitTrees.Source(mirror: mirror, held: nil, remote: mirror.url.address), folder: folder)
        }
    }

    private static func explained<Value>(_ body: () async throws -> Value) async throws(BuildError) -> Value {
        do {
            return try await body()
        } catch let error as BuildError {
            throw error
        } catch let error as GitError {
            throw failure("cannot fetch the git repository", error)
        } catch {
            throw BuildError(.missingSource, "cannot fetch the git repository", cause: "\(error)")
        }
    }

    /// - Parameter summary: what could not be done.
    static func failure(_ summary: String, _ error: GitError) -> BuildError {
        var failure = BuildError(error.code == .cancelled ? .cancelled : .missingSource, summary, from: error)
        failure.isTransient = ![.notFound, .branchNotFound, .invalid, .unsupported].contains(error.code)
        return failure
    }

    private func gitDirectory(
        of revision: RemoteRevision, in open: OpenMirror, _ request: GitTreeRequest
    ) async throws -> any BuildContext {
        if request.hasHistory {
            let branch = revision.reference.flatMap { reference -> String? in
                reference.hasPrefix("refs/heads/") ? String(reference.dropFirst("refs/heads/".count)) : nil
            }
            return try await GitDirectoryShelf(folder: mirrors.folder)
                .directory(of: revision.commit, branch: branch, identifiedBy: revision.commit.id, in: open.mirror)
        }
        let copy = try GitDirectory(below: mirrors.folder)
        try await open.mirror.makeGitDirectory(at: copy.path, of: revision)
        return try HeldContext(DirectoryContext(path: copy.path), holding: copy)
    }

    private func verify(_ revision: RemoteRevision, _ locator: GitLocator) throws(BuildError) {
        guard let wanted = locator.checksum?.lowercased() else { return }
        let ids = ["\(revision.commit.id)", "\(revision.object)"]
        guard !ids.contains(where: { $0.hasPrefix(wanted) }) else { return }
        throw BuildError(
            .missingSource, "the git revision is not the commit that it should be",
            cause: "\(revision.reference ?? locator.reference ?? "HEAD") is \(ids[0]), not \(wanted)",
            hint: "when the branch or tag may have moved, look at it, and correct the checksum")
    }

    /// Only other machines: a Dockerfile has no business with the files of this one.
    static func network(_ remote: String) throws(BuildError) -> RemoteURL {
        do throws(GitError) {
            let url = try RemoteURL(remote)
            guard url.host != nil else {
                throw GitError(.invalid, "the git source is a path of this machine", place: url.description)
            }
            return url
        } catch {
            throw BuildError(.unsupported, "the git source cannot be used", from: error)
        }
    }

    // MARK: Mirrors

    func fetch(
        _ revision: String?, from open: OpenMirror, _ url: RemoteURL
    ) async throws(GitError) -> RemoteRevision {
        do throws(GitError) { return try await open.mirror.fetch(revision: revision) } catch {
            throw access.explained(error, from: url)
        }
    }

    func mirror(
        of remote: String, _ url: RemoteURL, _ authorization: GitTreeRequest.Authorization?
    ) async throws(GitError) -> OpenMirror {
        var own = try await access.credentials(for: remote, url)
        switch authorization {
        case .token(let token): own.token = token
        case .header(let value): own.headers.append("Authorization: " + value)
        case nil: break
        }
        return try await mirrors.mirror(of: remote, credentials: own)
    }

    /// What Git LFS keeps of a repository.
    ///
    /// - Parameter settings: the revision's `.lfsconfig`.
    func largeFiles(of source: GitTrees.Source, settings: TreeEntry?) throws(BuildError) -> LargeFiles {
        let store: ContentStore
        do throws(ContentStoreError) {
            store = try ContentStore(path: contentFolder)
        } catch {
            throw BuildError(.storage, from: error)
        }
        return LargeFiles(
            finder: LargeFileServerFinder(
                remote: source.remote, mirror: source.mirror, settings: settings, access: access),
            store: store)
    }
}
