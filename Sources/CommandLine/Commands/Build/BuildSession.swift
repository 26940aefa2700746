import Agent
import ArgumentParser
import Builder
import Git
import Glibc
import HTTP
import OCI
import Registry
import Sandbox
import YAML

/// One call of `slipway build`, from its options to the files and images that it leaves.
struct BuildSession {
    private let options: BuildOptions
    private let isExecutor: Bool
    private let console: Console
    private let reporter: BuildReporter

    init(_ options: BuildOptions, isExecutor: Bool) {
        self.options = options
        self.isExecutor = isExecutor
        console = Console(isQuiet: options.log.quiet || options.log.verbosity < .warn)
        reporter = BuildReporter(options.log, console)
    }

    private struct Result: Encodable {
        let digest: String
        let destinations: [String]
        let layers: [Layer]
        let isolation: String?
        var platforms: [String: String]?
        let steps: [Step]

        struct Layer: Encodable {
            let digest: String
            let size: Int64
            let createdBy: String?
        }

        /// One step with a layer, and whether it had to be done.
        struct Step: Encodable {
            let stage: String
            let index: Int
            let text: String
            let source: String
            let reason: String?
        }
    }

    func run() async throws {
        let result = ResultFile(options.output.resultFile)
        do {
            try await work(result)
        } catch {
            result.failed(error)
            throw error
        }
    }

    private func work(_ result: ResultFile) async throws {
        defer { reporter.finish() }
        for note in options.notes() { reporter.say("note: \(note)") }
        for path in EnvironmentCertificates.unreadable {
            reporter.say("note: \(path) cannot be read, which SSL_CERT_FILE or SSL_CERT_DIR names for certificates")
        }
        for path in options.registries.unreadableCredentials(isExecutor: isExecutor) {
            reporter.say("note: \(path) cannot be read, so registries are asked without the credentials in it")
        }
        var configuration = AgentConfiguration(stateDirectory: options.cache.state(isExecutor: isExecutor))
        if let isolation = options.isolation { configuration.isolation = isolation }
        var locations: [ImageLocation] = []
        for text in options.output.destination { locations.append(try ImageLocation(text).withDefaultTag) }
        var pushes = options.output.noPush ? [] : locations
        let outputs = try options.output.outputs()
        if try platforms().count > 1 { try ImageDelivery.refuseArchives(options.output, outputs) }
        for output in outputs {
            if case .push(let name) = output.kind { pushes.append(try ImageLocation(name).withDefaultTag) }
        }
        let registry = try options.registries.registryAccess(
            &configuration,
            pushingTo: pushes
                + [try options.cache.repository(locations)].compactMap { $0 }.map { ImageLocation(repository: $0) },
            isExecutor: isExecutor, cacheDirectory: options.cache.images(isExecutor: isExecutor))
        let builder = try Builder(
            stateDirectory: configuration.stateDirectory, registry: registry,
            isolation: try await MachineIsolation.whenAsked(configuration) { reporter.say($0) },
            unpackLimit: options.steps.unpackSize, fetcher: try fetcher(configuration),
            keptPaths: InPlaceFiles.kept(options, pushes)
        ).with(limits: options.cache.limits)
        let opened = try await result.outside {
            try await contextLocation().open(try contextTools(builder, configuration))
        }
        var request = try await BuildRequestReader(options: options, isExecutor: isExecutor, say: reporter.say)
            .request(opened, fetcher: try fetcher(configuration))
        try options.cache.apply(to: &request, destinations: locations, now: SystemClock().now)
        let product = try await checkedBuild(request, with: builder, to: pushes, names: locations, outputs)
        if let product { result.made(product) }
        _ = try await builder.collect(builder.limits, now: SystemClock().now, every: .seconds(600))
    }

    /// Asks the registries whether they take the image before a step is done, while the base images come. Where no step has to
    /// be done, the push itself is soon enough. Of a build that fails, a registry that takes nothing is told of before anything
    /// else.
    private func checkedBuild(
        _ request: BuildRequest, with builder: Builder, to pushes: [ImageLocation], names: [ImageLocation],
        _ outputs: [ImageOutput]
    ) async throws -> BuildProduct? {
        guard !options.output.skipsPermissionCheck, !options.dryrun else {
            return try await build(request, with: builder, to: pushes, names: names, outputs)
        }
        let check = PushCheck(builder, pushes)
        var request = request
        request.mayBegin = { () async throws(BuildError) in try await check.answer() }
        do {
            return try await build(request, with: builder, to: pushes, names: names, outputs)
        } catch {
            try await check.answer()
            throw error
        }
    }

    /// - Returns: `nil` where nothing was to be done.
    private func build(
        _ request: BuildRequest, with builder: Builder, to pushes: [ImageLocation], names: [ImageLocation],
        _ outputs: [ImageOutput]
    ) async throws -> BuildProduct? {
        let platforms = try platforms()
        let targets = options.image.target.filter { !$0.isEmpty }
        if options.dryrun {
            var one = request
            one.platform = platforms[0]
            one.target = targets.first
            for line in try await builder.outline(one) { console.result(line) }
            return nil
        }
        var images: [BuiltImage] = []
        for platform in platforms {
            var one = request
            one.platform = platform
            one.target = targets.first
            one.uploads = pushes
            images.append(try await builder.build(one, progress: reporter.handle))
            one.uploads = []
            for target in targets.dropFirst() {
                one.target = target
                _ = try await builder.build(one, progress: reporter.handle)
            }
        }
        let product = try BuildProduct(images, format: request.format, annotations: request.annotations)
        try await ImageDelivery(builder: builder, options: options.output, progress: reporter.handle)
            .deliver(product, to: places(of: product, pushes), names: names, outputs)
        reporter.finish()
        report(product, pushes, outputs)
        return product
    }

    private func places(of product: BuildProduct, _ pushes: [ImageLocation]) -> [ImageLocation] {
        guard options.output.pushesByDigest else { return pushes }
        return pushes.map { ImageLocation(repository: $0.repository, digest: product.manifest.digest) }
    }

    private func report(_ product: BuildProduct, _ pushes: [ImageLocation], _ outputs: [ImageOutput]) {
        // Standard output may be an archive.
        if options.output.tarPath == "-" || outputs.contains(where: \.isStandardOutput) { return }
        switch options.output.format {
        case .text: console.result("\(product.manifest.digest)")
        case .json:
            let first = product.images.first
            var result = Result(
                digest: "\(product.manifest.digest)", destinations: pushes.map(\.description),
                layers: (first?.layers ?? []).map {
                    Result.Layer(
                        digest: "\($0.descriptor.digest)", size: $0.descriptor.size, createdBy: $0.createdBy)
                }, isolation: first?.isolation?.rawValue,
                steps: product.images.flatMap(\.steps).map {
                    Result.Step(
                        stage: $0.stage, index: $0.index, text: $0.text, source: $0.source.rawValue, reason: $0.reason)
                })
            if product.images.count > 1 {
                result.platforms = Dictionary(
                    product.images.map { ($0.config.platform.description, "\($0.manifestDigest)") },
                    uniquingKeysWith: { first, _ in first })
            }
            if let text = try? CanonicalJSON.encode(result) { console.result(String(decoding: text, as: UTF8.self)) }
        }
    }

    private func platforms() throws -> [Platform] {
        var found: [Platform] = []
        for text in options.image.platform.flatMap({ $0.split(separator: ",") }) {
            let platform = try Platform(text.trimmed)
            if !found.contains(platform) { found.append(platform) }
        }
        return found.isEmpty ? [.host] : found
    }

    private func contextLocation() throws -> ContextLocation {
        let context = options.context
        var text = context.context ?? (isExecutor ? "/workspace/" : ".")
        if context.context == nil, let bucket = context.bucket, !bucket.isEmpty {
            text = bucket.contains("://") ? bucket : "gs://\(bucket)"
        }
        return try ContextLocation(
            text, git: try context.git.map { try GitContextOptions($0) } ?? GitContextOptions(),
            pullMethod: OutputOptions.environment("GIT_PULL_METHOD"))
    }

    private func gitSettings(_ configuration: AgentConfiguration) -> AgentConfiguration.GitConfiguration {
        var git = configuration.git
        git.sshKey = options.context.sshKey
        git.knownHosts = options.context.knownHosts
        git.caFile = options.context.gitCertificates
        git.sshPassphraseFile = options.context.sshPassphraseFile
        git.username = options.context.gitUsername
        git.passwordFile = options.context.gitPasswordFile
        git.tokenFile = options.context.gitTokenFile
        return git
    }

    /// Credentials of the environment are for the user's own repositories, not for any host that a Dockerfile names.
    private func fetcher(_ configuration: AgentConfiguration) throws -> RemoteFetcher {
        RemoteFetcher(
            stateDirectory: configuration.stateDirectory,
            credentials: try GitAccess.credentials(gitSettings(configuration)),
            scope: try grantedScope() ?? .person(for: []))
    }

    private func contextTools(
        _ builder: Builder, _ configuration: AgentConfiguration
    ) throws -> ContextLocation.Tools {
        ContextLocation.Tools(
            builder: builder, stateDirectory: configuration.stateDirectory, fetcher: try fetcher(configuration),
            git: gitSettings(configuration), scope: try grantedScope(), keepsGitDirectory: keepsGitDirectory)
    }

    /// What the user says of where git credentials are used; `nil`: nothing.
    private func grantedScope() throws -> CredentialScope? {
        guard let own = options.context.gitCredentialsFor.first else { return nil }
        return .repository(
            own,
            granting: try options.context.gitCredentialsFor.dropFirst().map { text in
                guard let place = RepositoryPlace(prefix: text) else {
                    throw ValidationError(
                        "--git-credentials-for '\(text)' is not a URL: write https://HOST/PATH or ssh://HOST/PATH")
                }
                return place
            })
    }

    /// As a clone, kaniko's contexts have it; BuildKit's have it where a build argument asks for it.
    private var keepsGitDirectory: Bool {
        let arguments = options.image.buildArguments.compactMap { text -> (name: String, value: String)? in
            if text == GitDirectoryWish.argument {
                return OutputOptions.environment(text).map { (text, $0) }
            }
            return (try? RegistryOptions.pair(allowingEmpty: text, flag: "--build-arg")).map { ($0.0, $0.1) }
        }
        return GitDirectoryWish.asked(by: arguments) ?? isExecutor
    }
}

extension Substring {
    /// Without blanks at the ends.
    var trimmed: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
