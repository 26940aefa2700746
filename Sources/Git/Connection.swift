import CGit2
import Glibc
import Synchronization

/// What a remote advertises when it is contacted.
struct Advertisement: Sendable {
    /// Reference names with what they point at; annotated tags appear also as `name^{}` with their commit.
    var references: [String: ObjectID] = [:]
    /// The branch that HEAD stands for, when the server says.
    var head: String?

    func branch(_ name: String) -> ObjectID? { references["refs/heads/" + name] }

    /// A reference's name as people say it.
    static func short(_ reference: String) -> String {
        reference.hasPrefix("refs/heads/") ? String(reference.dropFirst(11)) : reference
    }

    var branches: [String] {
        references.keys.filter { $0.hasPrefix("refs/heads/") }.map { String($0.dropFirst(11)) }.sorted()
    }

    /// Tags by what they finally point at.
    var tags: [String: ObjectID] {
        var tags: [String: ObjectID] = [:]
        for (name, id) in references where name.hasPrefix("refs/tags/") {
            if name.hasSuffix("^{}") {
                tags[String(name.dropFirst(10).dropLast(3))] = id
            } else if references[name + "^{}"] == nil {
                tags[String(name.dropFirst(10))] = id
            }
        }
        return tags
    }
}

/// An open conversation with a remote over HTTP, SSH or the git protocol, or with git's program for a path; closed when dropped.
struct Connection: ~Copyable {
    private let session: RemoteSession
    private let remote: Remote
    private let headers: StringArray
    /// The proxy's URL, as long as libgit2 may look at it.
    private let proxyAddress: StringArray
    private let trust: TrustStore.Use
    let advertisement: Advertisement

    init(
        _ repository: borrowing Repository, session: RemoteSession, direction: git_direction
    ) throws(GitError) {
        session.storage = repository.packDirectory
        Library.setSilenceLimit(of: session.watch)
        let trust = try TrustStore.use(session.credentials)
        let headers = StringArray(session.credentials.headers)
        let pointer = repository.handle.pointer
        let remote = try Remote(pointer, session)
        var options = git_remote_connect_options()
        git_remote_connect_options_init(&options, UInt32(GIT_REMOTE_CONNECT_OPTIONS_VERSION))
        options.callbacks = session.callbacks()
        let proxyAddress = StringArray(session.credentials.proxy.map { [$0.address] } ?? [])
        options.proxy_opts = Self.proxy(proxyAddress)
        options.follow_redirects = GIT_REMOTE_REDIRECT_INITIAL
        options.custom_headers = headers.value
        session.watch.allow(session.credentials.advertisementLimit)
        let status = session.watch.watching { git_remote_connect_ext(remote.pointer, direction, &options) }
        guard status >= 0 else { throw session.error(status, "cannot reach the git repository") }
        advertisement = try Self.list(remote.pointer, session: session)
        self.session = session
        self.remote = remote
        self.headers = headers
        self.proxyAddress = proxyAddress
        self.trust = trust
    }

    /// Gets the objects of a reference; the caller moves its own.
    func download(reference: String) throws(GitError) {
        try download(
            references: ["+\(reference):\(reference)"], "cannot fetch '\(Advertisement.short(reference))'")
    }

    /// Gets the objects of what the specifications name (gitglossary(7), "refspec").
    func download(references: [String], _ failure: String = "cannot fetch from the git repository") throws(GitError) {
        var options = git_fetch_options()
        git_fetch_options_init(&options, UInt32(GIT_FETCH_OPTIONS_VERSION))
        options.callbacks = session.callbacks()
        options.proxy_opts = Self.proxy(proxyAddress)
        options.follow_redirects = GIT_REMOTE_REDIRECT_INITIAL
        options.custom_headers = headers.value
        options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE
        let specification = StringArray(references)
        var list = specification.value
        session.watch.allow(session.credentials.fetchLimit)
        let status = session.watch.watching { git_remote_download(remote.pointer, &list, &options) }
        guard status >= 0 else {
            var error = session.error(status, failure)
            // What we have is told to the server, and must be here.
            if error.code == .notFound, status == GIT_ENOTFOUND.rawValue { error.code = .corrupt }
            throw error
        }
    }

    /// Sends a local reference's objects and asks the server to move one of its own there; `session.update` has the verdict.
    ///
    /// - Parameters:
    ///   - source: a local reference; `nil` removes the remote's.
    ///   - force: the old commit need not be an ancestor of the new one. The server compares the old value all the same.
    func upload(_ source: String?, to reference: String, force: Bool) throws(GitError) -> Int32 {
        var options = git_push_options()
        git_push_options_init(&options, UInt32(GIT_PUSH_OPTIONS_VERSION))
        options.callbacks = session.callbacks()
        options.proxy_opts = Self.proxy(proxyAddress)
        options.follow_redirects = GIT_REMOTE_REDIRECT_INITIAL
        options.custom_headers = headers.value
        let specification = StringArray(["\(force && source != nil ? "+" : "")\(source ?? ""):\(reference)"])
        var list = specification.value
        let status = session.watch.watching { git_remote_upload(remote.pointer, &list, &options) }
        if status == GIT_ENONFASTFORWARD.rawValue { return status }
        guard status >= 0 else { throw session.error(status, "cannot push to '\(Advertisement.short(reference))'") }
        return status
    }

    /// The proxy that is configured, else as the environment says: http_proxy, https_proxy, no_proxy.
    private static func proxy(_ address: borrowing StringArray) -> git_proxy_options {
        var options = git_proxy_options()
        git_proxy_options_init(&options, UInt32(GIT_PROXY_OPTIONS_VERSION))
        options.type = GIT_PROXY_AUTO
        let list = address.value
        if list.count == 1, let url = list.strings[0] {
            options.type = GIT_PROXY_SPECIFIED
            options.url = UnsafePointer(url)
        }
        return options
    }

    private static func list(_ remote: OpaquePointer, session: RemoteSession) throws(GitError) -> Advertisement {
        var heads: UnsafeMutablePointer<UnsafePointer<git_remote_head>?>?
        var count = 0
        let status = git_remote_ls(&heads, &count, remote)
        guard status >= 0 else { throw session.error(status, "cannot list the branches") }
        var advertisement = Advertisement()
        for index in 0..<count {
            guard let head = heads?[index], let name = head.pointee.name else { continue }
            let text = String(cString: name)
            if text == "HEAD" {
                advertisement.head = head.pointee.symref_target.map { String(cString: $0) }
                    .flatMap { $0.hasPrefix("refs/heads/") ? String($0.dropFirst(11)) : nil }
            }
            advertisement.references[text] = ObjectID(head.pointee.oid)
        }
        return advertisement
    }
}

/// libgit2's remote with what it refers to: the session outlives it, with its callbacks and sockets.
private struct Remote: ~Copyable {
    let pointer: OpaquePointer
    private let session: RemoteSession

    init(_ repository: OpaquePointer, _ session: RemoteSession) throws(GitError) {
        var options = git_remote_create_options()
        git_remote_create_options_init(&options, UInt32(GIT_REMOTE_CREATE_OPTIONS_VERSION))
        options.repository = repository
        // To look for `url.*.insteadOf` costs libgit2 1.5 some memory that it never gives back, for each entry of the
        // configuration (its pull request 6382), and there is none: the mirror's configuration is ours.
        options.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF.rawValue | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC.rawValue
        var made: OpaquePointer?
        let status = git_remote_create_with_opts(&made, session.url.address, &options)
        guard status >= 0, let made else {
            throw .last(status, "cannot use the remote", place: session.url.description)
        }
        pointer = made
        self.session = session
        liveHandles.add(1, ordering: .relaxed)
    }

    deinit {
        git_remote_free(pointer)
        liveHandles.subtract(1, ordering: .relaxed)
        withExtendedLifetime(session) {}
    }
}
