import Glibc

/// The `git` program, whose `upload-pack` and `receive-pack` serve the repositories of this machine (git-upload-pack(1),
/// git-receive-pack(1)).
///
/// What a repository's owner asked for is theirs to keep: hooks, rules for pushes, quarantine of what is not accepted, locks.
struct GitProgram: Sendable {
    let path: String

    static func find(in searchPath: String? = nil) -> GitProgram? {
        ServiceProgram.path(of: "git", in: searchPath).map(GitProgram.init)
    }

    func command(_ service: ServiceCommand.Service, repository: String) -> ServiceCommand {
        ServiceCommand(
            program: path, arguments: [service.rawValue, repository], environment: Self.environment, held: [],
            name: "git \(service.rawValue)")
    }

    /// The environment of a service, `NAME=value`.
    ///
    /// It is the repository's side of the conversation: the machine's configuration counts there, as it does when a person
    /// pushes, and of it `safe.directory` above all. No other variable of git's own is passed on, and none that could hold a
    /// secret: hooks see it.
    private static var environment: [String] {
        var environment = ["LC_ALL=C", "PATH=\(ServiceProgram.searchPath)"]
        for name in ["HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "XDG_CONFIG_HOME"] + configurationNames {
            if let value = Environment.value(name) { environment.append("\(name)=\(value)") }
        }
        return environment
    }

    /// git-config(1), ENVIRONMENT.
    private static var configurationNames: [String] {
        let count = Environment.value("GIT_CONFIG_COUNT").flatMap { Int($0) } ?? 0
        return ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT"]
            + (0..<min(64, max(0, count))).flatMap { ["GIT_CONFIG_KEY_\($0)", "GIT_CONFIG_VALUE_\($0)"] }
    }

    /// Where it is missing.
    static func missing(place: String) -> GitError {
        GitError(
            .unsupported, "cannot push to a path: the program git is not installed", place: place,
            cause: "its receive-pack runs the repository's hooks and keeps its rules; it is in no directory of PATH",
            hint: "install the package git, or name the repository by an ssh:// or https:// URL")
    }
}
