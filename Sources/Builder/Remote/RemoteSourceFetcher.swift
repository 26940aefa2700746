/// Gets what ADD and named contexts take from other machines. The builder knows neither HTTP nor git.
package protocol RemoteSourceFetcher: Sendable {
    /// Streams the body of a successful answer to `sink`, in order and on a thread that may block; what `sink` throws ends
    /// the transfer and is thrown on.
    ///
    /// Redirections are followed, without credentials to another host.
    func fetch(
        _ request: RemoteFileRequest, into sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) -> RemoteFileAnswer

    /// The files of a git revision.
    func checkOut(_ request: GitTreeRequest) async throws(BuildError) -> GitTree
}

/// A file of the web.
package struct RemoteFileRequest: Sendable {
    /// `http:` or `https:`, without credentials.
    package let url: String
    /// The value of the Authorization header.
    package let authorization: String?
    /// What the server called the content that is known already.
    package let etag: String?
    /// Bytes beyond which the transfer is given up.
    package let sizeLimit: Int64

    package init(url: String, authorization: String? = nil, etag: String? = nil, sizeLimit: Int64) {
        self.url = url
        self.authorization = authorization
        self.etag = etag
        self.sizeLimit = sizeLimit
    }
}

package struct RemoteFileAnswer: Sendable {
    /// The content is what `etag` asked about; nothing was given to the sink.
    package var isUnchanged: Bool
    package var etag: String?
    /// Seconds since 1970.
    package var lastModified: Int64?

    package init(isUnchanged: Bool = false, etag: String? = nil, lastModified: Int64? = nil) {
        self.isUnchanged = isUnchanged
        self.etag = etag
        self.lastModified = lastModified
    }
}

/// A revision of a git repository.
package struct GitTreeRequest: Sendable {
    package enum Authorization: Sendable {
        case token(String)
        /// The value of the Authorization header.
        case header(String)
    }

    package let locator: GitLocator
    package let keepsGitDirectory: Bool
    /// Whether `.git` has what came before the revision, and the tags of that. Without, it is as after `git clone --depth=1`.
    package var hasHistory = false
    /// For the repository's own host, and for no other.
    package let authorization: Authorization?

    package init(locator: GitLocator, keepsGitDirectory: Bool = false, authorization: Authorization? = nil) {
        self.locator = locator
        self.keepsGitDirectory = keepsGitDirectory
        self.authorization = authorization
    }
}

package struct GitTree: Sendable {
    /// Files 0644 or 0755, folders 0755, submodules in their places.
    package let context: any BuildContext
    /// The commit's id.
    package let commit: String
    /// Seconds since 1970, of the commit.
    package let time: Int64

    package init(context: any BuildContext, commit: String, time: Int64 = 0) {
        self.context = context
        self.commit = commit
        self.time = time
    }
}
