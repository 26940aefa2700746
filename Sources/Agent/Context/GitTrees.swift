import Builder
import Git

/// Reads revisions as build contexts, with what they only point to: submodules in their places, and Git LFS content.
struct GitTrees: Sendable {
    let sources: GitSources
    let content: FetchedContent
    /// Whether a watched repository's own declaration asks, which leads no further than to other servers over TLS or SSH.
    let isDeclared: Bool
    /// For the first repository's own host, and for no other.
    let authorization: GitTreeRequest.Authorization?

    /// How deep submodules may hold submodules, and how many there may be in all.
    private static let depthLimit = 10
    private static let countLimit = 200

    /// A repository that is here.
    struct Source {
        let mirror: Mirror
        /// What keeps the mirror, where it is not the agent's own.
        let held: OpenMirror?
        /// Its URL, which that of a submodule may be relative to.
        let remote: String
    }

    func context(
        of tree: RevisionTree, replacing replaced: [String: TreeEntry] = [:], in source: Source, folder: String
    ) async throws -> any BuildContext {
        var count = 0
        return try await context(of: tree, replacing: replaced, in: source, folder: folder, depth: 0, &count)
    }

    private func context(
        of tree: RevisionTree, replacing replaced: [String: TreeEntry] = [:], in source: Source, folder: String,
        depth: Int, _ count: inout Int
    ) async throws -> any BuildContext {
        guard tree.isDirectory(folder) else {
            guard content.submodules, let module = tree.submodule(holding: folder) else {
                throw BuildError(
                    .missingSource, "there is no folder '\(folder)' in the git repository",
                    place: source.mirror.url.description)
            }
            return try await files(
                of: module, at: try await addresses(tree, source), in: source,
                folder: String(folder.dropFirst(module.path.count).drop { $0 == "/" }), depth: depth, &count)
        }
        let prefix = folder.isEmpty ? "" : folder + "/"
        let modules = tree.entries.filter { $0.mode == .submodule && $0.path.hasPrefix(prefix) }
        let largeFiles =
            content.largeFiles ? try sources.largeFiles(of: source, settings: tree.file(".lfsconfig")) : nil
        let base = HeldContext(
            GitTreeContext(
                mirror: source.mirror, tree: tree, root: folder, replacing: replaced, largeFiles: largeFiles),
            holding: source.held)
        // The agent's own repository says in the error what is missing; another's is as a clone without them.
        if modules.isEmpty || !content.submodules && isDeclared { return base }
        var mounts: [[UInt8]: (any BuildContext)?] = [:]
        let addresses = content.submodules ? try await addresses(tree, source) : [:]
        for module in modules {
            let place = Array(module.pathBytes.dropFirst(prefix.utf8.count))
            guard content.submodules else {
                mounts[place] = .some(nil)
                continue
            }
            mounts[place] = try await files(
                of: module, at: addresses, in: source, folder: "", depth: depth, &count)
        }
        return CompositeContext(base, mounts: mounts)
    }

    // MARK: Submodules

    private func addresses(_ tree: RevisionTree, _ source: Source) async throws -> [String: String] {
        guard let file = tree.entry(".gitmodules") else { return [:] }
        return SubmoduleFile.addresses(try await source.mirror.blob(file.id, limit: 1 << 20))
    }

    /// The files of a submodule, or of a folder of it.
    private func files(
        of module: TreeEntry, at addresses: [String: String], in source: Source, folder: String, depth: Int,
        _ count: inout Int
    ) async throws -> any BuildContext {
        count += 1
        guard let address = addresses[module.path] else {
            throw BuildError(
                .missingSource, "the git submodule '\(module.path)' has no address in .gitmodules",
                place: source.mirror.url.description, hint: hint)
        }
        guard depth < Self.depthLimit, count <= Self.countLimit else {
            throw BuildError(
                .missingSource, "the git repository has too many submodules, or they hold each other",
                place: source.mirror.url.description, hint: hint)
        }
        let (remote, url) = try target(of: address, module, in: source)
        // What was given for the repository's host is for no other.
        let isTrusted = TrustedHosts(of: [source.remote]).contains(remote, url)
        let inner: OpenMirror
        let tree: RevisionTree
        do throws(GitError) {
            inner = try await sources.mirror(of: remote, url, isTrusted ? authorization : nil)
            let revision = try await sources.fetch("\(module.id)", from: inner, url)
            tree = RevisionTree(
                revision: revision.commit, entries: try await inner.mirror.entries(of: revision.commit.id))
        } catch {
            throw GitSources.failure("cannot fetch the git submodule '\(module.path)'", error)
        }
        // Neither are those that lead on from another host.
        let below = GitTrees(
            sources: sources, content: content, isDeclared: isDeclared, authorization: isTrusted ? authorization : nil)
        return try await below.context(
            of: tree, in: Source(mirror: inner.mirror, held: inner, remote: remote), folder: folder, depth: depth + 1,
            &count)
    }

    /// Where `.gitmodules` leads. It is a repository's word: no path of this machine, and for a declaration nothing without
    /// TLS that its own repository is not reached by as well.
    private func target(
        of address: String, _ module: TreeEntry, in source: Source
    ) throws(BuildError) -> (remote: String, url: RemoteURL) {
        func refused(_ cause: String) -> BuildError {
            BuildError(
                .unsupported, "the git submodule '\(module.path)' cannot be fetched",
                place: source.mirror.url.description, cause: cause,
                hint: "use an https:// or ssh:// URL in .gitmodules, or one relative to the repository's own")
        }
        guard !SubmoduleFile.namesHelper(address) else { throw refused("it asks for a remote helper, and none is run") }
        guard let remote = SubmoduleFile.resolve(address, against: source.remote) else {
            throw refused("its URL leads above the server's repositories")
        }
        let url: RemoteURL
        do throws(BuildError) { url = try GitSources.network(remote) } catch {
            throw refused(error.cause ?? error.summary)
        }
        guard isDeclared, !SubmoduleFile.isRelative(address), !url.isEncrypted else { return (remote, url) }
        throw refused("\(url) comes without encryption, which a repository may not ask for")
    }

    private var hint: String {
        isDeclared
            ? "correct .gitmodules, or leave submodules out: 'submodules: false'"
            : "leave submodules out with ?submodules=false, or --git recurse-submodules=false for the context"
    }
}

extension RevisionTree {
    /// The submodule that a path is, or leads into.
    func submodule(holding path: String) -> TreeEntry? {
        entries.first { $0.mode == .submodule && (path == $0.path || path.hasPrefix($0.path + "/")) }
    }
}
