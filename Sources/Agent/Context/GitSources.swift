import Builder
import Diagnostics
import FileSystem
import Git

/// Revisions of other people's repositories, with their submodules, from mirrors that later builds use again.
package actor GitSources {
    private let folder: String
    private let credentials: GitCredentials
    private let trusted: TrustedHosts
    private let usesKeysEverywhere: Bool
    private var mirrors: [String: OpenMirror] = [:]

    /// How deep submodules may hold submodules, and how many there may be in all.
    private static let depthLimit = 10
    private static let countLimit = 200

    init(folder: String, credentials: GitCredentials, trusted: TrustedHosts, usesKeysEverywhere: Bool) {
        self.folder = folder
        self.credentials = credentials
        self.trusted = trusted
        self.usesKeysEverywhere = usesKeysEverywhere
    }

    func checkOut(_ request: GitTreeRequest) async throws(BuildError) -> GitTree {
        let locator = request.locator
        do {
            let url = try Self.network(locator.remote)
            let open = try mirror(of: locator.remote, url, request.authorization)
            let revision = try await open.mirror.fetch(revision: locator.reference)
            try verify(revision, locator)
            var count = 0
            var context: any BuildContext = try await tree(
                of: revision.commit, in: open, remote: locator.remote, folder: locator.folder, request, depth: 0, &count
            )
            var mounts: [[UInt8]: (any BuildContext)?] = [:]
            if request.keepsGitDirectory, locator.folder.isEmpty {
                let copy = try GitDirectory(below: folder)
                try await open.mirror.makeGitDirectory(
                    at: copy.path, of: revision, remote: open.mirror.url.description)
                mounts[Array(".git".utf8)] = try HeldContext(DirectoryContext(path: copy.path), holding: copy)
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

    private func mirror(
        of remote: String, _ url: RemoteURL, _ authorization: GitTreeRequest.Authorization?
    ) throws(GitError) -> OpenMirror {
        if let known = mirrors[remote] { return known }
        let path = "\(folder)/\(GitAccess.folder(for: remote))"
        let own = credentials(for: remote, url, authorization)
        do throws(GitError) {
            let opened = OpenMirror(try Mirror(path: path, url: remote, credentials: own), temporary: nil)
            mirrors[remote] = opened
            return opened
        } catch {
            guard error.code == .locked else { throw error }
            // Another process builds with it: work on a copy of our own, once.
            let copy = try GitDirectory(below: folder)
            let opened = OpenMirror(try Mirror(path: copy.path, url: remote, credentials: own), temporary: copy)
            mirrors[remote] = opened
            return opened
        }
    }

    private func credentials(
        for remote: String, _ url: RemoteURL, _ authorization: GitTreeRequest.Authorization?
    ) -> GitCredentials {
        var own = credentials
        if !trusted.contains(remote, url) {
            own.username = nil
            own.password = nil
            own.token = nil
            own.headers = []
            if !usesKeysEverywhere {
                own.sshKeyPath = nil
                own.usesSSHAgent = false
            }
        }
        switch authorization {
        case .token(let token): own.token = token
        case .header(let value): own.headers.append("Authorization: " + value)
        case nil: break
        }
        return own
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
        let inner = try mirror(of: target, url, isTrusted ? request.authorization : nil)
        let revision = try await inner.mirror.fetch(revision: "\(module.id)")
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

/// A mirror, and its directory when that is for this build alone.
final class OpenMirror: Sendable {
    let mirror: Mirror
    private let temporary: GitDirectory?

    init(_ mirror: Mirror, temporary: GitDirectory?) {
        self.mirror = mirror
        self.temporary = temporary
    }
}

/// A directory that goes with its last user.
final class GitDirectory: Sendable {
    let path: String

    init(below folder: String) throws(GitError) {
        path = "\(folder)/tmp-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    deinit {
        try? removeTree(path)
        try? removeTree(path + ".lock")
    }
}

/// A context that keeps something alive.
struct HeldContext<Held: Sendable>: BuildContext {
    private let base: any BuildContext
    private let held: Held

    init(_ base: any BuildContext, holding held: Held) {
        self.base = base
        self.held = held
    }

    var displayName: String { base.displayName }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        try await base.entries(under: folder)
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        try await base.read(entry, sink)
        withExtendedLifetime(held) {}
    }
}

/// `.gitmodules`: https://git-scm.com/docs/gitmodules
enum SubmoduleFile {
    /// Addresses by path.
    static func addresses(_ bytes: [UInt8]) -> [String: String] {
        var found: [String: String] = [:]
        var path: String?
        var address: String?
        func end() {
            if let path, let address { found[path] = address }
            path = nil
            address = nil
        }
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let text = trimmed(line)
            if text.hasPrefix("[") {
                end()
                continue
            }
            guard let equals = text.firstIndex(of: "=") else { continue }
            let value = Self.value(trimmed(text[text.index(after: equals)...]))
            switch trimmed(text[..<equals]).lowercased() {
            case "path": path = value.hasSuffix("/") ? String(value.dropLast()) : value
            case "url": address = value
            default: break
            }
        }
        end()
        return found
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }

    /// Quotes and escapes removed, and a comment behind.
    private static func value(_ text: Substring) -> String {
        var result = ""
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if isEscaped {
                result.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if !isQuoted, character == "#" || character == ";" {
                break
            } else {
                result.append(character)
            }
        }
        return isQuoted ? result : String(trimmed(result[...]))
    }

    /// `../other.git` is beside the repository that says so.
    static func resolve(_ address: String, against remote: String) -> String {
        guard address.hasPrefix("./") || address.hasPrefix("../") else { return address }
        var base = remote[...]
        while base.hasSuffix("/") { base.removeLast() }
        var rest = address[...]
        while true {
            if rest.hasPrefix("./") {
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("../") {
                rest = rest.dropFirst(3)
                guard let cut = base.lastIndex(where: { $0 == "/" || $0 == ":" }) else { break }
                base = base[..<cut]
            } else {
                break
            }
        }
        return base + "/" + rest
    }
}
