package import Builder
package import OCI

/// What a named context of a repository's own declaration may stand for: images of registries, git repositories and files of
/// the web, other stages, and folders of the repository. Nothing of the machine that builds.
package enum RepositoryContext: Sendable, Hashable {
    case image(Reference)
    /// `docker-image://scratch`
    case empty
    case git(GitLocator)
    /// An `https:` URL.
    case url(String)
    case stage(String)
    /// A folder of the revision that is built, from the repository's root; empty for all of it.
    case folder(String)

    /// Reads `docker-image://REF`, a git repository, `https://…`, `target:STAGE` or a path in the repository.
    package init(_ text: String) throws(AgentError) {
        for prefix in ["oci:", "oci-layout:", "docker-daemon:", "file:"] where text.hasPrefix(prefix) {
            throw Self.local(text)
        }
        if text.isEmpty {
            throw AgentError("a build context has no value", hint: Self.forms)
        } else if text.lowercased().hasPrefix("http://") {
            throw AgentError(
                "the build context '\(RemoteFetcher.shown(text))' comes by plain HTTP, which a repository may not ask for",
                hint: "use https://, or ADD the URL in the Dockerfile, with --checksum")
        } else if let stage = Self.rest(text, "target:") {
            self = .stage(stage)
        } else if let name = Self.rest(text, "docker-image://") {
            self = name == "scratch" ? .empty : .image(try Self.image(name))
        } else if GitLocator.isGit(text) || text.hasPrefix("https://") {
            self = try Self.remote(text)
        } else if text.contains("://") {
            throw AgentError(
                "a repository's build context cannot be '\(text.prefix { $0 != ":" })://…'", hint: Self.forms)
        } else {
            self = .folder(try Self.folder(text))
        }
    }

    private static let forms =
        "use docker-image://REFERENCE, a git repository, https://URL, target:STAGE or a path in this repository"

    private static func rest(_ text: String, _ prefix: String) -> String? {
        text.hasPrefix(prefix) ? String(text.dropFirst(prefix.utf8.count)) : nil
    }

    private static func image(_ name: String) throws(AgentError) -> Reference {
        if name.hasPrefix("oci:") { throw local(name) }
        do throws(OCIError) { return try Reference(name) } catch {
            throw AgentError(error.summary, cause: error.cause, hint: error.hint)
        }
    }

    private static func remote(_ text: String) throws(AgentError) -> RepositoryContext {
        do throws(BuildError) {
            switch try NamedContext(text) {
            case .git(let locator): return .git(locator)
            case .url(let url): return .url(url)
            default: throw BuildError(.unsupported, "the build context is not of another server", hint: forms)
            }
        } catch {
            throw AgentError(error.summary, cause: error.cause, hint: error.hint)
        }
    }

    private static func folder(_ text: String) throws(AgentError) -> String {
        guard !text.hasPrefix("/"), !text.hasPrefix("~"), !text.split(separator: "/").contains("..") else {
            throw local(text)
        }
        return String(PodFiles.clean(text).dropFirst())
    }

    private static func local(_ text: String) -> AgentError {
        AgentError(
            "the build context '\(text.prefix(200))' is on the agent's machine, which a repository may not read",
            hint: "\(forms); only the agent's configuration can grant the path, as 'contexts' of this repository")
    }
}
