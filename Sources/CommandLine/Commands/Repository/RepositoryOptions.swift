import Agent
import ArgumentParser
import Builder
import Git
import Glibc
import OCI
import Template

/// Where the cycle finds its repository: a configuration file, or flags for one repository.
package struct RepositoryOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Only this repository of the configuration.", valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "The git repository to work on without a configuration file: a path, file://, https:// or ssh://.",
            valueName: "url"))
    var repo: String?

    @Option(help: ArgumentHelp("The branch to read from and to commit to.", valueName: "branch"))
    var branch: String?

    @Option(
        name: .customLong("repo-alias"),
        help: ArgumentHelp("Another address of the repository, as its build manifests name it.", valueName: "url"))
    var aliases: [String] = []

    @Option(
        name: .customLong("build-context"),
        help: ArgumentHelp(
            "What a name in FROM or COPY --from stands for: NAME=oci-layout:///PATH, docker-image://REF or a directory.",
            valueName: "name=value"))
    var contexts: [String] = []

    @OptionGroup(title: "Registries") var registries: RegistryOptions

    @OptionGroup(title: "Git") var git: GitOptions

    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp(
            "Where mirrors and unpacked images are kept; a cache that may be lost.", valueName: "directory")
    )
    var stateDirectory: String?

    @Flag(
        help:
            "Let layers tell times that are the same on every machine, so that a commit gives the same digest everywhere."
    )
    var reproducible = false

    @Option(help: "How RUN steps are isolated: auto, namespaces, chroot or in-place.")
    var isolation: AgentConfiguration.IsolationChoice?

    package init() {}
}

extension AgentConfiguration.IsolationChoice: ExpressibleByArgument {}

/// What is said of registries on the command line; the names are those of `slipway build` and of kaniko.
package struct RegistryOptions: ParsableArguments {
    @Option(
        name: .customLong("registry-map"),
        help: ArgumentHelp(
            "Use another registry for one: docker.io=HOST[/PREFIX] or docker.io=oci:/DIRECTORY. Repeat, or join with ';'.",
            valueName: "from=to"))
    var maps: [String] = []

    @Option(
        name: .customLong("insecure-registry"),
        help: ArgumentHelp("Speak plain HTTP with this registry.", valueName: "host"))
    var insecure: [String] = []

    @Option(
        name: .customLong("skip-tls-verify-registry"),
        help: ArgumentHelp("Do not verify this registry's certificate.", valueName: "host"))
    var skipVerify: [String] = []

    @Option(
        name: .customLong("registry-certificate"),
        help: ArgumentHelp("Trust the certificates in a file for a registry.", valueName: "host=file"))
    var certificates: [String] = []

    @Option(
        name: .customLong("registry-mirror"),
        help: ArgumentHelp(
            "Read Docker Hub's images (or, with HOST=MIRROR, another registry's) from a mirror first. Repeat for several.",
            valueName: "mirror"))
    var mirrors: [String] = []

    @Flag(
        name: .customLong("skip-default-registry-fallback"),
        help: "Where a registry has maps or mirrors, read images from them only.")
    var skipsFallback = false

    @Option(
        name: .customLong("registry-client-cert"),
        help: ArgumentHelp("Show a certificate to a registry.", valueName: "host=cert,key"))
    var clientCertificates: [String] = []

    @Option(
        name: .customLong("registry-proxy"),
        help: ArgumentHelp(
            "Reach a registry through this proxy, whatever HTTPS_PROXY says; HOST= for none.", valueName: "host=url"))
    var proxies: [String] = []

    @Option(
        name: .customLong("docker-config"),
        help: ArgumentHelp(
            "A config.json with credentials, or the directory of one: $DOCKER_CONFIG or ~/.docker by default.",
            valueName: "path"))
    var dockerConfig: String?

    package init() {}

    /// The flags as entries, added to those of a configuration file.
    func apply(to configuration: inout AgentConfiguration) throws {
        for text in maps.flatMap({ $0.split(separator: ";").map(String.init) }) {
            let (from, to) = try Self.pair(text, flag: "--registry-map")
            Self.edit(&configuration, from) { $0.map.append(to) }
        }
        if let dockerConfig {
            // Without its credentials everything would be tried anonymously, and fail with other words.
            do { _ = try DockerConfigFile.find(dockerConfig) } catch {
                throw ValidationError("--docker-config: \(error)")
            }
            configuration.dockerConfig = dockerConfig
        }
        for host in insecure { Self.edit(&configuration, host) { $0.insecure = true } }
        for host in skipVerify { Self.edit(&configuration, host) { $0.skipTLSVerify = true } }
        for text in certificates {
            let (host, file) = try Self.pair(text, flag: "--registry-certificate")
            Self.edit(&configuration, host) { $0.caFile = file }
        }
        for text in mirrors {
            let named = text.contains("=") ? text : "docker.io=\(text)"
            let (host, mirror) = try Self.pair(named, flag: "--registry-mirror")
            Self.edit(&configuration, host) { $0.mirrors.append(mirror) }
        }
        for text in clientCertificates {
            let (host, files) = try Self.pair(text, flag: "--registry-client-cert")
            let parts = files.split(separator: ",").map(String.init)
            guard (1...2).contains(parts.count) else {
                throw ValidationError("--registry-client-cert '\(text)': write HOST=CERTIFICATE,KEY")
            }
            Self.edit(&configuration, host) { entry in
                entry.clientCertificate = parts[0]
                entry.clientKey = parts.count == 2 ? parts[1] : nil
            }
        }
        for text in proxies {
            guard text.contains("=") else { throw ValidationError("--registry-proxy: write HOST=http://PROXY:PORT") }
            let (host, proxy) = try Self.pair(allowingEmpty: text, flag: "--registry-proxy")
            Self.edit(&configuration, host) { $0.proxy = proxy }
        }
        if skipsFallback {
            for index in configuration.registries.indices {
                let entry = configuration.registries[index]
                if !entry.map.isEmpty || !entry.mirrors.isEmpty { configuration.registries[index].fallback = false }
            }
        }
    }

    private static func edit(
        _ configuration: inout AgentConfiguration, _ host: String,
        _ change: (inout AgentConfiguration.RegistryEntry) -> Void
    ) {
        let host = host == "index.docker.io" ? "docker.io" : host
        let index =
            configuration.registries.firstIndex { $0.host == host }
            ?? {
                configuration.registries.append(AgentConfiguration.RegistryEntry(host: host))
                return configuration.registries.count - 1
            }()
        change(&configuration.registries[index])
    }

    static func pair(_ text: String, flag: String) throws -> (String, String) {
        let pair = try pair(allowingEmpty: text, flag: flag)
        guard !pair.1.isEmpty else { throw ValidationError("\(flag) '\(text)': there is nothing after '='") }
        return pair
    }

    static func pair(allowingEmpty text: String, flag: String) throws -> (String, String) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw ValidationError("\(flag) '\(text)': write NAME=VALUE")
        }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
}

/// How git remotes are reached from the command line.
package struct GitOptions: ParsableArguments {
    @Option(name: .customLong("ssh-key"), help: ArgumentHelp("The private key for ssh:// remotes.", valueName: "file"))
    var sshKey: String?

    @Option(
        name: .customLong("known-hosts"),
        help: ArgumentHelp("Host keys for ssh:// remotes; ~/.ssh/known_hosts by default.", valueName: "file"))
    var knownHosts: String?

    @Option(
        name: .customLong("git-ca-file"), help: ArgumentHelp("Certificates for https:// remotes.", valueName: "file"))
    var caFile: String?

    @Option(name: .customLong("git-user"), help: ArgumentHelp("Name of the author of commits.", valueName: "name"))
    var authorName: String?

    @Option(
        name: .customLong("git-email"), help: ArgumentHelp("Address of the author of commits.", valueName: "address"))
    var authorEmail: String?

    @Option(
        name: .customLong("git-commit-message"),
        help: ArgumentHelp("The commits' message, a template (docs/git.md).", valueName: "template"))
    var message: String?

    @Option(name: .customLong("git-commit-per"), help: "One commit for a cycle or for each image: cycle or image.")
    var grouping: AgentConfiguration.CommitSettings.Grouping?

    @Option(
        name: .customLong("git-push-branch"),
        help: ArgumentHelp("Commit to another branch than --branch; a template (docs/git.md).", valueName: "branch"))
    var pushBranch: String?

    @Flag(name: .customLong("git-ci-skip"), help: "Append \"[ci skip]\" to commit messages.")
    var ciSkip = false

    @Option(
        name: .customLong("git-ci-skip-message"),
        help: ArgumentHelp("Append this text to commit messages, to have CI pass over them.", valueName: "text"))
    var ciSkipMessage: String?

    @Option(
        name: .customLong("git-notes-ref"),
        help: ArgumentHelp("Attach notes as Flux v1 wrote them, in refs/notes/NAME.", valueName: "name"))
    var notes: String?

    @Option(
        name: .customLong("git-signing-key"),
        help: ArgumentHelp("Sign commits with this SSH key, or OpenPGP secret key.", valueName: "file"))
    var signingKey: String?

    @Option(
        name: .customLong("git-signing-format"), help: "What the signing key is: ssh or openpgp; told from the file.")
    var signingFormat: SigningKey.Format?

    @Option(
        name: .customLong("git-signing-passphrase-file"),
        help: ArgumentHelp("What decrypts the signing key.", valueName: "file"))
    var signingPassphrase: String?

    @Option(
        name: .customLong("git-verify-signatures-mode"),
        help: "Which commits must be signed: none, head, first-parent or all.")
    var verification: VerificationMode?

    @Option(
        name: .customLong("git-allowed-signers"),
        help: ArgumentHelp("Whose SSH signatures are accepted (ssh-keygen(1)).", valueName: "file"))
    var allowedSigners: String?

    @Option(
        name: .customLong("git-keyring"),
        help: ArgumentHelp("OpenPGP public keys whose signatures are accepted.", valueName: "file"))
    var keyring: String?

    package init() {}

    func apply(to git: inout AgentConfiguration.GitConfiguration) throws {
        if let sshKey { git.sshKey = sshKey }
        if let knownHosts { git.knownHosts = knownHosts }
        if let caFile { git.caFile = caFile }
        if let authorName { git.authorName = authorName }
        if let authorEmail { git.authorEmail = authorEmail }
        if let message { git.commit.message = try Self.template(message, "--git-commit-message") }
        if let grouping { git.commit.grouping = grouping }
        if let pushBranch { git.push.branch = try Self.template(pushBranch, "--git-push-branch") }
        if ciSkip { git.commit.ciSkip = GitReader.defaultCISkip }
        if let ciSkipMessage { git.commit.ciSkip = ciSkipMessage.isEmpty ? nil : ciSkipMessage }
        if let notes {
            guard let reference = GitReader.notesReference(notes) else {
                throw ValidationError("--git-notes-ref '\(notes)': write a name of letters, digits, '-', '_' and '/'")
            }
            git.commit.notes = reference
        }
        if let signingKey {
            let format = try signingFormat ?? Self.format(of: signingKey)
            git.commit.signing = SigningKey(format: format, keyFile: signingKey)
        }
        if let signingPassphrase { git.commit.signing?.passphraseFile = signingPassphrase }
        if let verification { git.verification.mode = verification }
        if let allowedSigners { git.verification.trust.allowedSignersFile = allowedSigners }
        if let keyring { git.verification.trust.keyringFile = keyring }
        if let problem = GitReader.trustProblem(in: git) ?? GitReader.commitProblem(in: git) {
            throw ValidationError("\(problem.summary); \(problem.hint)")
        }
    }

    private static func template(_ text: String, _ name: String) throws -> Template {
        do {
            return try Template(text, name: name)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    private static func format(of file: String) throws -> SigningKey.Format {
        let bytes = try TextFile.read(file, limit: 1 << 20)
        return bytes.starts(with: Array("-----BEGIN PGP".utf8)) || (bytes.first ?? 0) >= 0x80 ? .openPGP : .ssh
    }
}

extension AgentConfiguration.CommitSettings.Grouping: ExpressibleByArgument {}
extension SigningKey.Format: ExpressibleByArgument {}
extension VerificationMode: ExpressibleByArgument {}

extension RepositoryOptions {
    /// The configuration that file and flags make together.
    func resolved() throws -> AgentConfiguration {
        var configuration: AgentConfiguration
        if let config {
            guard repo == nil else { throw ValidationError("--config and --repo exclude each other") }
            configuration = try ConfigurationFile.read(config)
            if let name {
                configuration.repositories.removeAll { $0.name != name }
                if configuration.repositories.isEmpty {
                    throw ValidationError("the configuration has no repository '\(name)'")
                }
            }
        } else {
            guard let repo else {
                throw ValidationError("say what to work on: --repo URL --branch BRANCH, or --config FILE")
            }
            configuration = AgentConfiguration(stateDirectory: Self.defaultStateDirectory)
            var repository = AgentConfiguration.RepositoryConfiguration(
                name: AgentConfiguration.RepositoryConfiguration.name(of: repo), url: repo, branch: branch ?? "main")
            repository.aliases = aliases
            configuration.repositories = [repository]
        }
        for text in contexts {
            let (name, value) = try RegistryOptions.pair(text, flag: "--build-context")
            for index in configuration.repositories.indices {
                configuration.repositories[index].contexts[name] = try NamedContext(value)
            }
        }
        if let stateDirectory { configuration.stateDirectory = TextFile.absolute(stateDirectory) }
        if let isolation { configuration.isolation = isolation }
        if reproducible { configuration.builds.isReproducible = true }
        try registries.apply(to: &configuration)
        try git.apply(to: &configuration.git)
        for index in configuration.repositories.indices {
            if var own = configuration.repositories[index].git {
                try git.apply(to: &own)
                configuration.repositories[index].git = own
            }
        }
        return configuration
    }

    /// `$XDG_CACHE_HOME/slipway`: what is there may be lost at any time.
    static var defaultStateDirectory: String {
        if let cache = getenv("XDG_CACHE_HOME").map({ String(cString: $0) }), cache.hasPrefix("/") {
            return cache + "/slipway"
        }
        if let home = getenv("HOME").map({ String(cString: $0) }), home.hasPrefix("/") {
            return home + "/.cache/slipway"
        }
        return "/var/lib/slipway"
    }
}
