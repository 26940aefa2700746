import Builder
import Git
import OCI
import Text

/// From a build that is due to the `slipway build` that makes it elsewhere: the same commit, the same content key.
///
/// What cannot be said there, because it is on the agent's machine, is refused.
struct JobCommandWriter: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let configuration: AgentConfiguration

    /// - Parameter secrets: what the build needs to prove who asks.
    func command(for order: BuildOrder, with secrets: JobSecrets) throws(BuildError) -> JobCommand {
        var command = JobCommand()
        try addSource(of: order, to: &command)
        addCredentials(secrets, to: &command)
        try addImage(of: order, to: &command)
        for entry in configuration.registries { try addRegistry(entry, order, to: &command) }
        addLimits(of: order.request, to: &command)
        var repositories: [RepositoryLocation] = []
        for name in order.names where !repositories.contains(name.repository) { repositories.append(name.repository) }
        for repository in repositories {
            try Self.refuseLayout(repository, "the destination", at: order.pipeline.origin)
            command.add("destination", "\(repository)")
        }
        command.add("push-by-digest")
        command.add("output", "json")
        command.add("progress", "json")
        command.add("result-file", JobResult.path)
        return command
    }

    private static func unsupported(_ what: String, at place: String, _ hint: String) -> BuildError {
        BuildError(
            .unsupported, "the build cannot run as a Job: \(what)", place: place,
            hint: "\(hint), or build with 'builder: embedded'")
    }

    // MARK: The commit

    private func addSource(of order: BuildOrder, to command: inout JobCommand) throws(BuildError) {
        let pipeline = order.pipeline
        let address = try address(at: pipeline.origin)
        guard !pipeline.contextPath.contains("#") else {
            throw Self.unsupported("its context's path has a '#' in it", at: pipeline.origin, "rename the directory")
        }
        let folder = pipeline.contextPath.isEmpty ? "" : ":\(pipeline.contextPath)"
        var context = address
        for scheme in ["https", "http"] where address.hasPrefix("\(scheme)://") {
            // kaniko's form, which counts as git whatever the URL ends with.
            context = "git" + address.dropFirst(scheme.utf8.count)
            if scheme == "http" { command.environment.append(("GIT_PULL_METHOD", "http")) }
        }
        command.add("context", "\(context)#refs/heads/\(repository.branch)\(folder)")
        let fetched = configuration.builds.fetched(for: pipeline)
        var fetch = ["commit=\(order.revision.id)", "recurse-submodules=\(fetched.submodules)"]
        if fetched.largeFiles { fetch.append("lfs=true") }
        let keeps = pipeline.keepsGitDirectory ?? GitDirectoryWish.asked(by: order.request.buildArguments) ?? false
        if keeps, pipeline.contextPath.isEmpty {
            guard order.request.annotations[Annotation.revision] == "\(order.revision.id)" else {
                throw Self.unsupported(
                    "its context has '.git' in it, and the head of the branch is a commit of the agent's own",
                    at: pipeline.origin, "leave '.git' out of the context")
            }
            fetch.append("keep-git-dir=true")
        }
        command.add("git", fetch.joined(separator: ","))
        command.add("git-credentials-for", address)
        for place in configuration.builds.credentials + repository.allowed.credentials {
            command.add("git-credentials-for", "\(place)")
        }
        switch order.request.dockerfile {
        case .path("Dockerfile"): break
        case .path(let path): command.add("dockerfile", path)
        case .bytes(let bytes, _): command.add("dockerfile", file: "Dockerfile", bytes)
        }
        for (name, context) in pipeline.contexts.sorted(by: { $0.key < $1.key }) {
            let text = try text(of: context, called: name, address, order)
            command.add("build-context", "\(name)=\(text)")
        }
    }

    /// The repository's URL without user and password.
    private func address(at place: String) throws(BuildError) -> String {
        guard let url = try? RemoteURL(repository.url), RepositoryPlace(url) != nil else {
            throw Self.unsupported(
                "its repository is a path of the agent's machine, or has a URL of no host", at: place,
                "watch the repository by its https or ssh URL")
        }
        guard !url.address.hasPrefix("git://") else {
            throw Self.unsupported(
                "its repository has a git:// URL, which 'slipway build' takes for HTTPS, as kaniko does", at: place,
                "watch the repository by its https or ssh URL")
        }
        return url.address
    }

    private func text(
        of context: PipelineContext, called name: String, _ address: String, _ order: BuildOrder
    ) throws(BuildError) -> String {
        let text: String? =
            switch context {
            case .configured(.image(let image)):
                if case .layout = image.repository { nil } else { "docker-image://\(image)" }
            case .configured(.url(let url)), .declared(.url(let url)): url
            case .configured(.stage(let stage)), .declared(.stage(let stage)): "target:\(stage)"
            case .configured(.git(let locator)), .declared(.git(let locator)): Self.text(of: locator)
            case .declared(.image(let image)): "docker-image://\(ImageLocation(image))"
            case .declared(.empty): "docker-image://scratch"
            case .configured(.context(let context)): context is EmptyContext ? "docker-image://scratch" : nil
            case .configured(.directory): nil
            case .declared(.folder(let path)):
                Self.text(
                    of: GitLocator(
                        remote: address, reference: "\(order.revision.id)", folder: path,
                        fetchesSubmodules: configuration.builds.fetched(for: order.pipeline).submodules))
            }
        guard let text else {
            throw Self.unsupported(
                "the build context '\(name)' cannot be named there", at: order.pipeline.origin,
                "use an image, an https URL or a git repository whose URL ends in .git")
        }
        return text
    }

    /// BuildKit's form; `nil` where it would be read as something else.
    private static func text(of locator: GitLocator) -> String? {
        var query: [String] = []
        func add(_ name: String, _ value: String?) {
            if let value { query.append("\(name)=\(PercentEncoding.encode(value))") }
        }
        add("ref", locator.reference)
        add("subdir", locator.folder.isEmpty ? nil : locator.folder)
        add("checksum", locator.checksum)
        add("keep-git-dir", locator.keepsGitDirectory.map { "\($0)" })
        if !locator.fetchesSubmodules { add("submodules", "false") }
        if locator.usesCommitTime { add("mtime", "commit") }
        let text = locator.remote + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        guard GitLocator.isGit(text), let read = try? GitLocator(text), read == locator else { return nil }
        return text
    }

    // MARK: The image

    private func addImage(of order: BuildOrder, to command: inout JobCommand) throws(BuildError) {
        let request = order.request
        command.add("target", request.target)
        for (name, value) in request.buildArguments { command.add("build-arg", "\(name)=\(value)") }
        for (name, value) in request.labels { command.add("label", "\(name)=\(value)") }
        for (name, value) in request.annotations.sorted(by: { $0.key < $1.key }) {
            command.add("annotation", "\(name)=\(value)")
        }
        command.add("platform", "\(request.platform)")
        command.add("created", UTCDate(secondsSince1970: request.createdAt).rfc3339)
        command.add("reproducible", if: request.isReproducible)
        if configuration.isolation != .auto { command.add("isolation", configuration.isolation.rawValue) }
        guard let cache = request.remoteCache else { return }
        try Self.refuseLayout(cache.repository, "the shared cache", at: "builds.cache.repository")
        command.add("cache", "true")
        command.add("cache-repo", "\(cache.repository)")
    }

    private static func refuseLayout(
        _ location: RepositoryLocation, _ what: String, at place: String
    ) throws(BuildError) {
        guard case .layout = location else { return }
        throw unsupported("\(what) is a directory of the agent's machine", at: place, "use a registry")
    }

    private func addLimits(of request: BuildRequest, to command: inout JobCommand) {
        func seconds(_ duration: Duration?) -> String? { duration.map { "\($0.components.seconds)s" } }
        let settings = configuration.builds
        command.add("state-dir", JobManifest.state)
        command.add("step-timeout", seconds(request.stepTimeout))
        command.add("step-memory", settings.stepMemory.map { "\($0)" })
        command.add("step-processes", settings.stepProcesses.map { "\($0)" })
        command.add("log-limit", settings.logLimit.map { "\($0)" })
        command.add("unpack-limit", settings.unpackLimit.map { "\($0)" })
        command.add("context-file-limit", "\(settings.contextFileLimit)")
        command.add("cache-ttl", seconds(settings.cacheTTL))
        command.add("cache-max-size", settings.cacheMaxSize.map { "\($0)" })
        command.add("cache-min-free", settings.cacheMinFree.map { "\($0)" })
        command.add("cache-min-free-inodes", settings.cacheMinFreeInodes.map { "\($0)" })
    }

    // MARK: Registries and credentials

    private func addRegistry(
        _ entry: AgentConfiguration.RegistryEntry, _ order: BuildOrder, to command: inout JobCommand
    ) throws(BuildError) {
        if !entry.map.isEmpty, order.names.contains(where: { $0.repository.host == entry.host }) {
            // There maps are for reading only, as with kaniko.
            throw Self.unsupported(
                "its destination is on \(entry.host), which 'registries[].map' leads elsewhere",
                at: order.pipeline.origin,
                "name the registry itself as the destination")
        }
        for target in entry.map { command.add("registry-map", "\(entry.host)=\(target)") }
        for mirror in entry.mirrors { command.add("registry-mirror", "\(entry.host)=\(mirror)") }
        if entry.insecure { command.add("insecure-registry", entry.host) }
        if entry.skipTLSVerify { command.add("skip-tls-verify-registry", entry.host) }
        if !entry.fallback { command.add("skip-default-registry-fallback") }
        if let proxy = entry.proxy { command.add("registry-proxy", "\(entry.host)=\(proxy)") }
        func file(_ path: String?, _ name: String) throws(BuildError) -> String? {
            guard let path else { return nil }
            let key = "\(name)-" + entry.host.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") ? $0 : "-" }
            do throws(AgentError) { command.files[key] = try TextFile.read(path, limit: 1 << 20) } catch {
                throw BuildError(.registry, nil, from: error)
            }
            return JobCommand.path(key)
        }
        if let path = try file(entry.caFile, "ca") { command.add("registry-certificate", "\(entry.host)=\(path)") }
        if let path = try file(entry.clientCertificate, "client-certificate") {
            let key = try file(entry.clientKey, "client-key")
            command.add("registry-client-cert", "\(entry.host)=\(path)\(key.map { ",\($0)" } ?? "")")
        }
    }

    private func addCredentials(_ secrets: JobSecrets, to command: inout JobCommand) {
        command.add("docker-config", file: "config.json", secrets.registries)
        let git = secrets.git
        command.add("git-username", git.username)
        command.add("git-token-file", file: "git-token", git.token.map { Array($0.utf8) })
        if git.token == nil {
            command.add("git-password-file", file: "git-password", git.password.map { Array($0.utf8) })
        }
        command.add("ssh-key", file: "ssh-key", secrets.sshKey)
        command.add("ssh-passphrase-file", file: "ssh-passphrase", git.sshKeyPassphrase.map { Array($0.utf8) })
        command.add("known-hosts", file: "known-hosts", secrets.knownHosts)
        command.add("git-ca-file", file: "git-ca", secrets.gitAuthorities)
    }
}

extension RepositoryLocation {
    /// `nil` for a layout.
    fileprivate var host: String? { if case .registry(let host, _) = self { host } else { nil } }
}
