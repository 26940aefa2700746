import Glibc

/// What is run to talk to the other side of a remote: its program itself, or one that leads there.
struct ServiceCommand {
    enum Service: String, Sendable {
        case uploadPack = "upload-pack"
        case receivePack = "receive-pack"
    }

    let program: String
    let arguments: [String]
    /// The whole environment, `NAME=value`.
    let environment: [String]
    /// What has to stay while it runs.
    let held: [AnyObject]

    /// As messages name it: `git upload-pack`, `ssh`.
    let name: String
}

/// A program of this machine that leads to the other side of a remote.
enum ServiceProgram: Sendable {
    case git(GitProgram)
    case ssh(SSHProgram)

    /// - Parameter searchPath: directories with colons between; `nil`: those of PATH.
    /// - Returns: `nil` where libgit2 does without, or has to.
    static func find(for url: RemoteURL, in searchPath: String? = nil) -> ServiceProgram? {
        switch url.transport {
        case .local: GitProgram.find(in: searchPath).map { .git($0) }
        case .ssh: SSHProgram.find(in: searchPath).map { .ssh($0) }
        case .http, .git: nil
        }
    }

    static func path(of name: String, in searchPath: String?) -> String? {
        for directory in (searchPath ?? self.searchPath).split(separator: ":") {
            let candidate = "\(directory)/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        return nil
    }

    static var searchPath: String { Environment.value("PATH") ?? "/usr/bin:/bin" }

    func command(
        _ service: ServiceCommand.Service, url: RemoteURL, credentials: GitCredentials
    ) throws(GitError) -> ServiceCommand? {
        switch (self, url.transport) {
        case (.git(let program), .local(let path)): program.command(service, repository: path)
        case (.ssh(let program), .ssh): try program.command(service, url: url, credentials: credentials)
        default: nil
        }
    }
}
