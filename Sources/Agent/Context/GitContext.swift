package import Builder
import Diagnostics
import Git

/// `--git`, as kaniko writes it: `branch=…,single-branch=…,recurse-submodules=…,insecure-skip-tls=…,depth=…`, and `commit=…`, `lfs=…`,
/// `keep-git-dir=…`.
package struct GitContextOptions: Sendable, Hashable {
    /// What is built when the context names no reference.
    package var branch: String?
    /// A commit that is built instead of what the reference leads to, and is reachable from it.
    package var commit: String?
    /// `nil`: as the context's form has it.
    package var keepsGitDirectory: Bool?
    /// `nil`: as the context's form has it, BuildKit's with submodules and kaniko's without.
    package var recursesSubmodules: Bool?
    /// Whether what Git LFS keeps comes in place of the pointer files.
    package var fetchesLargeFiles = false
    package var skipsTLSVerification = false

    package init() {}

    package init(_ text: String) throws(AgentError) {
        func wrong(_ what: String) -> AgentError {
            AgentError(
                "--git '\(text)' \(what)",
                hint:
                    "write branch=NAME,commit=ID,recurse-submodules=true,lfs=true,keep-git-dir=true,insecure-skip-tls=false,single-branch=true,depth=1"
            )
        }
        func flag(_ value: String, _ name: String) throws(AgentError) -> Bool {
            guard let flag = GoBoolean.parse(value) else { throw wrong("has '\(value)' for '\(name)', no truth value") }
            return flag
        }
        for field in text.split(separator: ",") {
            let sides = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2 else { throw wrong("has a field without '='") }
            switch sides[0] {
            case "branch": branch = sides[1].isEmpty ? nil : sides[1]
            case "recurse-submodules": recursesSubmodules = try flag(sides[1], sides[0])
            case "commit": commit = sides[1].isEmpty ? nil : sides[1]
            case "keep-git-dir": keepsGitDirectory = try flag(sides[1], sides[0])
            case "lfs": fetchesLargeFiles = try flag(sides[1], sides[0])
            case "insecure-skip-tls": skipsTLSVerification = try flag(sides[1], sides[0])
            // Only what is built is fetched, so there is nothing to leave out.
            case "single-branch": _ = try flag(sides[1], sides[0])
            case "depth":
                guard let depth = Int(sides[1]), depth >= 0 else { throw wrong("has '\(sides[1])' for 'depth'") }
            default: throw wrong("has no field '\(sides[0])'")
            }
        }
    }
}

/// Truth values as Go's `strconv.ParseBool` reads them.
package enum GoBoolean {
    package static func parse(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }
}

/// A git repository as a build's context.
package struct GitContext: Sendable, Hashable {
    package let locator: GitLocator
    /// A commit that is reachable from the locator's reference, and is built instead.
    package let commit: String?
    package let username: String?
    package let password: String?
    package let skipsTLSVerification: Bool
    package let fetchesLargeFiles: Bool
    private let keepsGitDirectory: Bool?

    /// BuildKit's forms: `https://host/repo.git#ref:folder` and `git@host:repo.git?ref=…`.
    init(_ text: String, _ options: GitContextOptions) throws(AgentError) {
        let (plain, username, password) = WebUser.split(text)
        do throws(BuildError) {
            var locator = try GitLocator(plain)
            if locator.reference == nil { locator.reference = options.branch }
            if let recurses = options.recursesSubmodules { locator.fetchesSubmodules = recurses }
            self.locator = locator
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
        commit = options.commit
        keepsGitDirectory = options.keepsGitDirectory
        self.username = username
        self.password = password
        skipsTLSVerification = options.skipsTLSVerification
        fetchesLargeFiles = options.fetchesLargeFiles
    }

    /// kaniko's form, with the scheme replaced: `https://host/repo[#ref[#commit]]`. Submodules are left out unless they are
    /// asked for; a folder may stand behind a colon, as BuildKit has it.
    init(kaniko text: String, _ options: GitContextOptions) throws(AgentError) {
        let (plain, username, password) = WebUser.split(text)
        let parts = plain.split(separator: "#", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3 else {
            throw AgentError(
                "--context has \(parts.count - 1) '#' after the repository", place: parts[0],
                hint: "write git://HOST/REPOSITORY[#REF[#COMMIT]]")
        }
        let pieces = (parts.count > 1 ? parts[1] : "")
            .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let reference = pieces.first.flatMap { $0.isEmpty ? nil : $0 } ?? options.branch
        locator = GitLocator(
            remote: parts[0], reference: reference, folder: pieces.count == 2 ? pieces[1] : "",
            fetchesSubmodules: options.recursesSubmodules ?? false)
        commit = parts.count == 3 && !parts[2].isEmpty ? parts[2] : options.commit
        keepsGitDirectory = options.keepsGitDirectory
        self.username = username
        self.password = password
        skipsTLSVerification = options.skipsTLSVerification
        fetchesLargeFiles = options.fetchesLargeFiles
    }

    func open(_ tools: ContextLocation.Tools) async throws -> ContextLocation.Opened {
        let url: RemoteURL
        do { url = try RemoteURL(locator.remote) } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
        let sources = try sources(tools)
        let keeps = keepsGitDirectory ?? locator.keepsGitDirectory ?? tools.keepsGitDirectory
        var request = GitTreeRequest(locator: locator, keepsGitDirectory: keeps)
        if let commit {
            // The reference first: a server gives a commit that nothing leads to only through it.
            if locator.reference != nil { _ = try await sources.checkOut(GitTreeRequest(locator: locator)) }
            var exact = locator
            exact.reference = commit
            request = GitTreeRequest(locator: exact, keepsGitDirectory: keeps)
        }
        request.hasHistory = true
        let tree = try await sources.checkOut(request, fetchingLargeFiles: fetchesLargeFiles)
        return ContextLocation.Opened(
            context: tree.context,
            revision: ContextLocation.Revision(
                commit: tree.commit, time: tree.time, repository: url.description))
    }

    private func sources(_ tools: ContextLocation.Tools) throws(AgentError) -> GitSources {
        var credentials = try GitAccess.credentials(tools.git)
        if let username { credentials.username = username }
        if let password {
            credentials.password = password
            credentials.token = nil
        } else if username != nil, credentials.password == nil, credentials.token == nil {
            // A token in the place of the user needs no password.
            credentials.password = ""
        }
        if skipsTLSVerification { credentials.insecureSkipTLSVerify = true }
        let fixed = credentials
        return GitSources(
            mirrors: SourceMirrors(folder: tools.stateDirectory + "/git-sources"),
            contentFolder: tools.stateDirectory + "/content",
            access: SourceAccess({ fixed }, within: tools.scope ?? .person(for: [locator.remote])))
    }
}
