import Builder
import Diagnostics
import FileSystem
import Git

/// Revisions of other people's repositories, with their submodules, from mirrors that later builds use again.
package struct GitSources: Sendable {
    private let mirrors: SourceMirrors
    private let credentials: GitCredentials
    private let scope: CredentialScope

    /// How deep submodules may hold submodules, and how many there may be in all.
    private static let depthLimit = 10
    private static let countLimit = 200

    init(mirrors: SourceMirrors, credentials: GitCredentials, scope: CredentialScope) {
        self.mirrors = mirrors
        self.credentials = credentials
        self.scope = scope
    }

    func checkOut(_ request: GitTreeRequest) async throws(BuildError) -> GitTree {
        let locator = request.locator
        do {
            let url = try Self.network(locator.remote)
            let open = try await mirror(of: locator.remote, url, request.authorization)
            let revision = try await fetch(locator.reference, from: open, url)
            try verify(revision, locator)
            var count = 0
            var context: any BuildContext = try await tree(
                of: revision.commit, in: open, remote: locator.remote, folder: locator.folder, request, depth: 0, &count
            )
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
        } catch let error as BuildError {
            throw error
        } catch let error as GitError {
            var failure = BuildError(
                error.code == .cancelled ? .cancelled : .missingSource, "cannot fetch the git repository", from: error)
            failure.isTransient = ![.notFound, .branchNotFound, .invalid, .unsupported].contains(error.code)
            throw failure
        } catch {
            throw BuildError(.missingSource, "cannot fetch the git repository", cause: "\(error)")
        }
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
    private static func network(_ remote: String) throws(BuildError) -> RemoteURL {
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

    private func fetch(
        _ revision: String?, from open: OpenMirror, _ url: RemoteURL
    ) async throws(GitError) -> RemoteRevision {
        do throws(GitError) { return try await open.mirror.fetch(revision: revision) } catch {
            guard error.code == .authentication, scope.refuses(url) else { throw error }
            throw GitError(
                error.code, error.summary, place: error.place,
                cause: "the agent's git credentials are for the repository that it watches, and this is another one",
                hint: "grant it by 'builds.credentials' or 'allowed.credentials' in the agent's configuration")
        }
    }

    private func mirror(
        of remote: String, _ url: RemoteURL, _ authorization: GitTreeRequest.Authorization?
    ) async throws(GitError) -> OpenMirror {
        var own = scope.limited(credentials, to: remote, url)
        switch authorization {
        case .token(let token): own.token = token
        case .header(let value): own.headers.append("Authorization: " + value)
        case nil: break
        }
        return try await mirrors.mirror(of: remote, credentials: own)
    }

    // MARK: Trees

    private func tree(
        of commit: Commit, in open: OpenMirror, remote: String, folder: String, _ request: GitTreeRequest, depth: Int,
        _ count: inout Int
    ) async throws -> any BuildContext {
        var isFolder = true
        if !folder.isEmpty {
            isFolder = try await open.mirror.objectID(at: folder, in: commit.id)?.mode == .directory
        }
        let entries = try await open.mirror.entries(of: commit.id)
        guard isFolder else {
            guard request.locator.fetchesSubmodules,
                let module = entries.first(where: {
                    $0.mode == .submodule && (folder == $0.path || folder.hasPrefix($0.path + "/"))
                })
            else {
                throw BuildError(
                    .missingSource, "there is no folder '\(folder)' in the git repository",
                    place: open.mirror.url.description)
            }
            let addresses = try await addresses(entries, in: open)
            return try await tree(
                of: module, addresses, in: open, remote: remote,
                folder: String(folder.dropFirst(module.path.count).drop { $0 == "/" }), request, depth: depth, &count)
        }
        let prefix = folder.isEmpty ? "" : folder + "/"
        let modules = entries.filter { $0.mode == .submodule && $0.path.hasPrefix(prefix) }
        let base = HeldContext(
            GitTreeContext(
                mirror: open.mirror, tree: RevisionTree(revision: commit, entries: entries), root: folder),
            holding: open)
        guard !modules.isEmpty else { return base }
        var mounts: [[UInt8]: (any BuildContext)?] = [:]
        let addresses = request.locator.fetchesSubmodules ? try await addresses(entries, in: open) : [:]
        for module in modules {
            let place = Array(module.pathBytes.dropFirst(prefix.utf8.count))
            guard request.locator.fetchesSubmodules else {
                mounts[place] = .some(nil)
                continue
            }
            mounts[place] = try await tree(
                of: module, addresses, in: open, remote: remote, folder: "", request, depth: depth, &count)
        }
        return CompositeContext(base, mounts: mounts)
    }

    private func addresses(_ entries: [TreeEntry], in open: OpenMirror) async throws -> [String: String] {
        guard let file = entries.first(where: { $0.path == ".gitmodules" }) else { return [:] }
        return SubmoduleFile.addresses(try await open.mirror.blob(file.id, limit: 1 << 20))
    }

    /// The files of a submodule, or of a folder of it.
    private func tree(
        of module: TreeEntry, _ addresses: [String: String], in open: OpenMirror, remote: String, folder: String,
        _ request: GitTreeRequest, depth: Int, _ count: inout Int
    ) async throws -> any BuildContext {
        count += 1
        guard let address = addresses[module.path] else {
            throw BuildError(
                .missingSource, "the git submodule '\(module.path)' has no address in .gitmodules",
                place: open.mirror.url.description, hint: Self.withoutSubmodules)
        }
        guard depth < Self.depthLimit, count <= Self.countLimit else {
            throw BuildError(
                .missingSource, "the git repository has too many submodules, or they hold each other",
                place: open.mirror.url.description, hint: Self.withoutSubmodules)
        }
        let target = SubmoduleFile.resolve(address, against: remote)
        let url = try Self.network(target)
        // What was given for the repository's host is for no other.
        let isTrusted = TrustedHosts(of: [remote]).contains(target, url)
        let inner = try await mirror(of: target, url, isTrusted ? request.authorization : nil)
        let revision = try await fetch("\(module.id)", from: inner, url)
        return try await tree(
            of: revision.commit, in: inner, remote: target, folder: folder, request, depth: depth + 1, &count)
    }

    private static let withoutSubmodules =
        "leave submodules out with ?submodules=false, or --git recurse-submodules=false for the context"
}

/// The hosts that credentials are for.
package struct TrustedHosts: Sendable {
    private let hosts: Set<String>
    /// Those that were named by `http:` themselves; for all others, credentials do not go where everybody can read them.
    private let plain: Set<String>

    /// - Parameter remotes: the repositories that the credentials were given for.
    package init(of remotes: [String]) {
        var (hosts, plain): (Set<String>, Set<String>) = ([], [])
        for remote in remotes {
            guard let host = (try? RemoteURL(remote))?.host else { continue }
            hosts.insert(host)
            if Self.isPlain(remote) { plain.insert(host) }
        }
        (self.hosts, self.plain) = (hosts, plain)
    }

    func contains(_ remote: String, _ url: RemoteURL) -> Bool {
        guard let host = url.host else { return false }
        return Self.isPlain(remote) ? plain.contains(host) : hosts.contains(host)
    }

    private static func isPlain(_ remote: String) -> Bool { remote.lowercased().hasPrefix("http://") }
}
