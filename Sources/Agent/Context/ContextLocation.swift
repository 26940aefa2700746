package import Builder
import Git
import Glibc
import ObjectStorage
import Synchronization

/// Where the context of `slipway build` comes from: the forms of kaniko's `--context`, and BuildKit's for git.
package enum ContextLocation: Sendable, Hashable {
    /// An absolute path.
    case directory(path: String)
    case tar(path: String)
    /// `tar://stdin`.
    case standardInput
    case git(GitContext)
    /// An archive at an `http:` or `https:` URL.
    case archive(url: String)
    /// `s3://BUCKET/KEY`, whole as it is written; likewise the two below.
    case s3(String)
    case gs(String)
    /// `https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB`.
    case azure(String)

    /// - Parameters:
    ///   - text: `--context`.
    ///   - git: `--git`.
    ///   - pullMethod: `GIT_PULL_METHOD`, the protocol behind kaniko's `git://`: `http`, or anything else for `https`.
    package init(
        _ text: String, git options: GitContextOptions = GitContextOptions(), pullMethod: String? = nil
    ) throws(AgentError) {
        guard !text.isEmpty else { throw AgentError("--context is empty", hint: Self.forms) }
        if let rest = Self.rest(text, "dir://") {
            self = .directory(path: TextFile.absolute(rest))
        } else if let rest = Self.rest(text, "tar://") {
            guard !rest.isEmpty else { throw AgentError("--context '\(text)' names no archive", hint: Self.forms) }
            self = rest == "stdin" ? .standardInput : .tar(path: TextFile.absolute(rest))
        } else if let rest = Self.rest(text, "git://") {
            let scheme = pullMethod == "http" ? "http" : "https"
            self = .git(try GitContext(kaniko: "\(scheme)://\(rest)", options))
        } else if GitLocator.isGit(text) {
            self = .git(try GitContext(text, options))
        } else if text.hasPrefix("s3://") {
            self = .s3(text)
        } else if text.hasPrefix("gs://") {
            self = .gs(text)
        } else if text.hasPrefix("https://") || text.hasPrefix("http://") {
            self = Self.isAzure(text) ? .azure(text) : .archive(url: text)
        } else if text.contains("://") {
            throw AgentError(
                "--context is of an unknown kind", place: text.prefix { $0 != ":" } + "://", hint: Self.forms)
        } else {
            self = .directory(path: TextFile.absolute(text))
        }
    }

    private static let forms =
        "use a directory, dir://PATH, tar://PATH, tar://stdin, git://HOST/REPOSITORY[#REF[#COMMIT]], a git or archive URL, "
        + "s3://, gs:// or an Azure blob's URL"

    private static func rest(_ text: String, _ scheme: String) -> String? {
        text.hasPrefix(scheme) ? String(text.dropFirst(scheme.utf8.count)) : nil
    }

    /// https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-endpoints, and those of the
    /// national clouds.
    private static func isAzure(_ text: String) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return false }
        let host = parts[2].prefix { $0 != ":" }.lowercased()
        return ["windows.net", "chinacloudapi.cn", "usgovcloudapi.net", "cloudapi.de"]
            .contains { host.hasSuffix(".blob.core.\($0)") }
    }
}

extension ContextLocation {
    /// What a context is opened with.
    package struct Tools: Sendable {
        package let builder: Builder
        package let stateDirectory: String
        /// For archives of the web.
        package let fetcher: RemoteFetcher
        /// How git hosts are reached; the user's credentials are for the context's host.
        package let git: AgentConfiguration.GitConfiguration
        /// For which repositories the credentials are; `nil`: for the context's host.
        package let scope: CredentialScope?
        /// Whether a git context has `.git` in it, where its URL says nothing (`?keep-git-dir=`).
        package let keepsGitDirectory: Bool

        package init(
            builder: Builder, stateDirectory: String, fetcher: RemoteFetcher,
            git: AgentConfiguration.GitConfiguration, scope: CredentialScope? = nil,
            keepsGitDirectory: Bool = false
        ) {
            self.builder = builder
            self.stateDirectory = stateDirectory
            self.fetcher = fetcher
            self.git = git
            self.scope = scope
            self.keepsGitDirectory = keepsGitDirectory
        }
    }

    /// A context that can be built from.
    package struct Opened: Sendable {
        package let context: any BuildContext
        /// Where the files are on this machine, of a directory.
        package var directory: String?
        /// What a git context was taken from.
        package var revision: Revision?
    }

    package struct Revision: Sendable, Hashable {
        package let commit: String
        /// Seconds since 1970, of the commit.
        package let time: Int64
        /// The repository's URL without secrets.
        package let repository: String
    }

    package func open(_ tools: Tools) async throws -> Opened {
        switch self {
        case .directory(let path):
            return Opened(
                context: try DirectoryContext(path: path, stateDirectory: tools.stateDirectory), directory: path)
        case .tar(let path):
            guard access(path, R_OK) == 0 else {
                throw AgentError(
                    "cannot read the build context", place: path, cause: String(cString: strerror(errno)),
                    hint: "tar:// takes the path of a tar archive, such as tar:///workspace/context.tar.gz")
            }
            return Opened(context: try await tools.builder.context(ofArchive: path))
        case .standardInput: return Opened(context: try await StandardInput.context(tools.builder))
        case .git(let git): return try await git.open(tools)
        case .archive(let url):
            let context = try await tools.builder.context(ofArchive: RemoteFetcher.shown(url)) {
                (intake) throws(BuildError) in
                try await tools.fetcher.fetch(url, limit: Builder.contextArchiveLimit) {
                    (bytes) throws(BuildError) in try intake.write(bytes)
                }
            }
            return Opened(context: context)
        case .s3(let text), .gs(let text), .azure(let text):
            return Opened(context: try await Self.object(text, tools.builder))
        }
    }

    /// An archive in a cloud's storage.
    private static func object(_ text: String, _ builder: Builder) async throws -> any BuildContext {
        let location = try ObjectLocation(text)
        let storage = ObjectStorage(userAgent: Version.userAgent)
        return try await builder.context(ofArchive: location.description) { (intake) throws(BuildError) in
            let failure = Mutex<BuildError?>(nil)
            do throws(ObjectStorageError) {
                try await storage.read(location, limit: Builder.contextArchiveLimit) { bytes in
                    do throws(BuildError) {
                        try intake.write(bytes)
                        return true
                    } catch {
                        failure.withLock { $0 = error }
                        return false
                    }
                }
            } catch {
                if let own = failure.withLock({ $0 }) { throw own }
                throw BuildError(
                    error.code == .cancelled ? .cancelled : .context, "cannot fetch the build context", from: error)
            }
        }
    }
}
