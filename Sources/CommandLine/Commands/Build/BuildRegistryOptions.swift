import Agent
import ArgumentParser
import Glibc
import OCI
import Registry

/// What `slipway build` and `slipway warm` say of registries, in kaniko's words and with kaniko's meaning.
struct BuildRegistryOptions: ParsableArguments {
    @OptionGroup var registries: RegistryOptions

    @Flag(help: "Where a destination's registry does not speak TLS, push in plain HTTP.")
    var insecure = false

    @Flag(name: .customLong("insecure-pull"), help: "Where a registry does not speak TLS, pull in plain HTTP.")
    var insecurePull = false

    @Flag(name: .customLong("skip-tls-verify"), help: "Do not verify the certificate of any registry.")
    var skipVerify = false

    @Flag(
        name: .customLong("skip-tls-verify-pull"),
        help: "Do not verify the certificate of any registry that is only read.")
    var skipVerifyPull = false

    @Option(
        name: .customLong("push-retry"),
        help: ArgumentHelp("How often a failed push is tried again; 4 by default.", valueName: "number"))
    var pushRetry: Int?

    @Option(
        name: .customLong("image-download-retry"),
        help: ArgumentHelp("How often a failed download is tried again; 4 by default.", valueName: "number"))
    var pullRetry: Int?

    @Option(
        name: .customLong("image-fs-extract-retry"),
        help: ArgumentHelp(
            "The same, for layers: the larger of the two numbers counts for both.", valueName: "number"))
    var extractRetry: Int?

    @Option(
        name: .customLong("credential-helpers"),
        help: ArgumentHelp(
            "Which clouds' identities are used where config.json has no credentials: google, ecr, acr, gitlab or env, by commas or repeated; all by default, and none with 'none'.",
            valueName: "names"))
    var helpers: [String] = []

    mutating func validate() throws {
        for (name, value) in [
            ("--push-retry", pushRetry), ("--image-download-retry", pullRetry),
            ("--image-fs-extract-retry", extractRetry),
        ] {
            if let value, !(0...1000).contains(value) { throw ValidationError("\(name) is \(value); write 0 to 1000") }
        }
        let known = ["env", "google", "ecr", "acr", "gitlab", "none"]
        for name in helperNames ?? [] where !known.contains(name) {
            throw ValidationError(
                "--credential-helpers '\(name)' is unknown; there are \(known.joined(separator: ", "))")
        }
    }

    private var helperNames: [String]? {
        helpers.isEmpty ? nil : helpers.flatMap { $0.split(separator: ",").map(String.init) }
    }

    /// - Parameters:
    ///   - destinations: where is pushed to; `--insecure` is about them.
    ///   - cacheDirectory: what `slipway warm` filled.
    ///   - isExecutor: registries of this machine and of private networks may then lack TLS, as with kaniko.
    func registryAccess(
        _ configuration: inout AgentConfiguration, pushingTo destinations: [ImageLocation], isExecutor: Bool,
        cacheDirectory: String?
    ) throws -> RegistryAccess {
        var options = registries
        let environment = OutputOptions.environment
        options.mirrors = (environment("KANIKO_REGISTRY_MIRROR").map { [$0] } ?? []) + options.mirrors
        options.maps = (environment("KANIKO_REGISTRY_MAP").map { [$0] } ?? []) + options.maps
        if options.dockerConfig == nil, isExecutor, environment("DOCKER_CONFIG") == nil {
            let folder = (environment("KANIKO_DIR") ?? "/kaniko") + "/.docker"
            if access(folder + "/config.json", R_OK) == 0 { options.dockerConfig = folder }
        }
        // kaniko pushes to where the destination says; only what is read is looked for elsewhere.
        options.readMaps()
        try options.apply(to: &configuration)
        var push = configuration.registryConfiguration
        push.userAgent = Version.userAgent + (environment("UPSTREAM_CLIENT_TYPE").map { ",\($0)" } ?? "")
        if configuration.isolation == .inPlace {
            push.systemBundle = InPlaceFiles.saveCertificates(in: configuration.stateDirectory)
        }
        push.plainFallback = push.insecureRegistries
        push.insecureRegistries = []
        push.fallsBackToPlainLocally = isExecutor
        if insecure {
            for case .registry(let host, _) in destinations.map(\.repository) { push.plainFallback.insert(host) }
        }
        if skipVerify { push.skipsAllTLSVerification = true }
        var pull = push
        pull.imageCache = cacheDirectory
        if insecurePull { pull.plainFallback.insert("*") }
        if skipVerifyPull { pull.skipsAllTLSVerification = true }
        if let pushRetry { push.retry.attempts = pushRetry + 1 }
        if let retry = [pullRetry, extractRetry].compactMap({ $0 }).max() { pull.retry.attempts = retry + 1 }
        return RegistryAccess(configuration: push, pulling: pull, keychain: keychain(configuration))
    }

    /// Credentials that are there by default, and that this user may not read.
    func unreadableCredentials(isExecutor: Bool) -> [String] {
        let file = (OutputOptions.environment("KANIKO_DIR") ?? "/kaniko") + "/.docker/config.json"
        let isAsked = isExecutor && registries.dockerConfig == nil && OutputOptions.environment("DOCKER_CONFIG") == nil
        let own = isAsked && access(file, R_OK) != 0 && errno == EACCES ? [file] : []
        return own + Keychain.standard.unreadable
    }

    private func keychain(_ configuration: AgentConfiguration) -> Keychain {
        var keychain = configuration.dockerConfig.map { Keychain(file: $0) } ?? .standard
        let names = helperNames
        if let names { keychain.limit(toClouds: Set(names)) }
        // What GitLab's runners give to their jobs.
        if names?.contains("gitlab") ?? true {
            let environment = OutputOptions.environment
            for prefix in ["CI_REGISTRY", "CI_DEPENDENCY_PROXY"] {
                let host = environment(prefix == "CI_REGISTRY" ? prefix : prefix + "_SERVER")
                if let host, let user = environment(prefix + "_USER"), let password = environment(prefix + "_PASSWORD")
                {
                    keychain.setFallback(.basic(user: user, password: password), for: host)
                }
            }
        }
        return keychain
    }
}

extension RegistryOptions {
    /// Maps become mirrors, which are for reading only; layouts on disk stay for both.
    fileprivate mutating func readMaps() {
        let all = maps.flatMap { $0.split(separator: ";").map(String.init) }
        maps = all.filter { $0.contains("=oci:") }
        mirrors = all.filter { !$0.contains("=oci:") } + mirrors
    }
}
