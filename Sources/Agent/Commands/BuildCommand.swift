package import ArgumentParser
import Builder
import Glibc
import OCI
import Sandbox
import YAML

/// `slipway build`: one image, from a directory.
package struct BuildCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Build one image from a directory and push it.",
        discussion: """
            Progress goes to standard error; the image's digest is the only line on standard output. A destination is a \
            registry's REPOSITORY:TAG or oci:/DIRECTORY:TAG.

            EXAMPLES
              slipway build --context . --destination registry.example.com/acme/app:v1
              slipway build --context dir:///src --dockerfile docker/Dockerfile --build-arg FLAVOUR=red \\
                  --destination oci:/srv/images/app:v1
              slipway build --context . --build-context nginx=oci-layout:///srv/base --no-push
              slipway build --context . --build-context assets=https://git.example.com/assets.git#main:dist \\
                  --secret id=token,env=NPM_TOKEN --no-push
            """)

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "The build context: a directory, dir://PATH, tar://PATH, tar://stdin, git://HOST/REPOSITORY[#REF[#COMMIT]], or the URL of a git repository or of an archive.",
            valueName: "context"))
    var context: String = "."

    @Option(
        help: ArgumentHelp(
            "How a git context is fetched: branch=NAME,recurse-submodules=true,insecure-skip-tls=true.",
            valueName: "options"))
    var git: String?

    @Option(
        name: .customLong("context-sub-path"),
        help: ArgumentHelp("A directory inside the context that is used as the context.", valueName: "path"))
    var contextSubPath: String?

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp("The Dockerfile: in the context, or any other file.", valueName: "file"))
    var dockerfile: String = "Dockerfile"

    @Option(
        name: [.customShort("d"), .long],
        help: ArgumentHelp("Where the image goes. Repeat for several.", valueName: "image"))
    var destination: [String] = []

    @Flag(name: .customLong("no-push"), help: "Build only.")
    var noPush = false

    @Option(name: .customLong("build-arg"), help: ArgumentHelp("The value of an ARG.", valueName: "name=value"))
    var buildArguments: [String] = []

    @Option(help: ArgumentHelp("The stage to build; the last one by default.", valueName: "stage"))
    var target: String?

    @Option(help: ArgumentHelp("A label of the image.", valueName: "name=value"))
    var label: [String] = []

    @Option(help: ArgumentHelp("An annotation of the manifest.", valueName: "name=value"))
    var annotation: [String] = []

    @Option(
        name: [.long, .customLong("custom-platform")],
        help: ArgumentHelp("The platform of base images and of the image.", valueName: "os/arch"))
    var platform: String?

    @Option(
        name: .customLong("build-context"),
        help: ArgumentHelp(
            "What a name in FROM or COPY --from stands for: a directory, docker-image://REF, oci-layout:///PATH, target:STAGE, a git repository or an http(s) URL.",
            valueName: "name=value"))
    var contexts: [String] = []

    @Option(
        help: ArgumentHelp(
            "A secret for RUN --mount=type=secret, from a file or from the environment. It reaches neither image nor log.",
            valueName: "id=name,src=file|env=variable"))
    var secret: [String] = []

    @Option(
        name: .customLong("image-format"),
        help: ArgumentHelp("The media types of the image: oci or docker.", valueName: "format"))
    var format: BuildRequest.ImageFormat = .oci

    @Option(
        help: ArgumentHelp(
            "How many steps of independent stages run at once; as many as there are processors by default.",
            valueName: "number"))
    var jobs: Int?

    @Option(
        name: .customLong("digest-file"), help: ArgumentHelp("Write the image's digest to a file.", valueName: "file"))
    var digestFile: String?

    @OptionGroup(title: "Registries") var registries: RegistryOptions

    @Option(
        name: .customLong("ssh-key"),
        help: ArgumentHelp(
            "The private key for git sources by SSH; the SSH agent and ~/.ssh by default.", valueName: "file"))
    var sshKey: String?

    @Option(
        name: .customLong("known-hosts"),
        help: ArgumentHelp("Host keys for git sources by SSH; ~/.ssh/known_hosts by default.", valueName: "file"))
    var knownHosts: String?

    @Option(
        name: .customLong("git-ca-file"),
        help: ArgumentHelp("Certificates for git sources by HTTPS.", valueName: "file"))
    var gitCertificates: String?

    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp("Where unpacked images are kept; a cache that may be lost.", valueName: "directory"))
    var stateDirectory: String?

    @Option(help: "How RUN steps are isolated: auto, namespaces, chroot or in-place.")
    var isolation: AgentConfiguration.IsolationChoice?

    @Flag(name: .customLong("no-cache"), help: "Run every step, also those whose layers are known.")
    var noCache = false

    @Option(
        name: .customLong("cache-ttl"),
        help: ArgumentHelp("How long layers that nobody uses are kept.", valueName: "duration"))
    var cacheTTL: String = "336h"

    @OptionGroup(title: "RUN steps") var steps: StepOptions

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    @Flag(help: "Print no progress.")
    var quiet = false

    package init() {}

    package mutating func validate() throws {
        guard DurationText.parse(cacheTTL) != nil else {
            throw ValidationError("--cache-ttl '\(cacheTTL)' is no duration; write 336h or 14d")
        }
        if destination.isEmpty && !noPush {
            throw ValidationError("say where the image goes with --destination, or --no-push")
        }
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs); at least one step has to run") }
    }

    private struct Result: Encodable {
        let digest: String
        let destinations: [String]
        let layers: [CycleReport.Layer]
        let isolation: String?
    }

    package mutating func run() async throws {
        let console = Console(isQuiet: quiet)
        var configuration = AgentConfiguration(
            stateDirectory: TextFile.absolute(stateDirectory ?? RepositoryOptions.defaultStateDirectory))
        if let isolation { configuration.isolation = isolation }
        try registries.apply(to: &configuration)
        var locations: [ImageLocation] = []
        for text in destination { locations.append(try ImageLocation(text).withDefaultTag) }

        let builder = try Builder(
            stateDirectory: configuration.stateDirectory, registry: Workshop.registry(configuration),
            report: try await Workshop.isolation(configuration) { console.progress($0) },
            fetcher: try fetcher(configuration))
        let location = try ContextLocation(
            context, git: try git.map { try GitContextOptions($0) } ?? GitContextOptions(),
            pullMethod: getenv("GIT_PULL_METHOD").map { String(cString: $0) })
        let opened = try await location.open(try contextTools(builder, configuration))
        let request = try request(opened)
        try await build(request, with: builder, to: locations, console)
        let limits = StoreLimits(age: DurationText.parse(cacheTTL) ?? StoreLimits().age)
        _ = try await builder.collect(limits, now: SystemClock().now, every: .seconds(600))
    }

    private func build(
        _ request: BuildRequest, with builder: Builder, to locations: [ImageLocation], _ console: Console
    ) async throws {
        let progress = BuildProgress { console.progress($0) }
        let image = try await builder.build(request, progress: progress.handle)
        if !noPush { _ = try await builder.push(image, to: locations, progress: progress.handle) }
        if let digestFile { try TextFile.write("\(image.manifestDigest)", to: digestFile) }
        switch output {
        case .text: console.result("\(image.manifestDigest)")
        case .json:
            let result = Result(
                digest: "\(image.manifestDigest)", destinations: noPush ? [] : locations.map(\.description),
                layers: image.layers.map {
                    CycleReport.Layer(
                        digest: "\($0.descriptor.digest)", size: $0.descriptor.size, createdBy: $0.createdBy)
                }, isolation: image.isolation?.rawValue)
            console.result(String(decoding: try CanonicalJSON.encode(result), as: UTF8.self))
        }
    }

    /// Credentials of the environment are for the user's own repositories, not for any host that a Dockerfile names.
    private func fetcher(_ configuration: AgentConfiguration) throws -> RemoteFetcher {
        var git = configuration.git
        git.sshKey = sshKey
        git.knownHosts = knownHosts
        git.caFile = gitCertificates
        return RemoteFetcher(
            stateDirectory: configuration.stateDirectory, credentials: try GitAccess.credentials(git),
            trustedHosts: [], usesKeysEverywhere: true)
    }

    private func contextTools(
        _ builder: Builder, _ configuration: AgentConfiguration
    ) throws -> ContextLocation.Tools {
        var git = configuration.git
        git.sshKey = sshKey
        git.knownHosts = knownHosts
        git.caFile = gitCertificates
        return ContextLocation.Tools(
            builder: builder, stateDirectory: configuration.stateDirectory, fetcher: try fetcher(configuration),
            git: git)
    }

    private func request(_ opened: ContextLocation.Opened) throws -> BuildRequest {
        var request = BuildRequest(
            context: opened.context, platform: try platform.map { try Platform($0) } ?? .host,
            createdAt: SystemClock().now)
        if let revision = opened.revision {
            // As the agent builds it: the same commit gives the same image, whoever builds it.
            request.createdAt = revision.time
            request.fileTimes = .ofBase
            request.annotations[Annotation.revision] = revision.commit
            request.annotations[Annotation.source] = revision.repository
            request.annotations[Annotation.created] = CalendarTime(secondsSince1970: revision.time).rfc3339
        }
        request.contextRoot = String(PodFiles.clean(contextSubPath ?? "").dropFirst())
        let folder = request.contextRoot.isEmpty ? "" : request.contextRoot + "/"
        let isInContext = opened.directory.map { access("\($0)/\(folder)\(dockerfile)", R_OK) == 0 } ?? true
        if dockerfile.hasPrefix("/") || !isInContext {
            request.dockerfile = .bytes(try TextFile.read(dockerfile, limit: 16 << 20), name: dockerfile)
        } else {
            request.dockerfile = .path(String(PodFiles.clean(dockerfile).dropFirst()))
        }
        request.target = target
        request.noCache = noCache
        request.buildArguments = try buildArguments.map { text in
            if text.contains("=") { return try RegistryOptions.pair(allowingEmpty: text, flag: "--build-arg") }
            guard let value = getenv(text) else {
                throw ValidationError("--build-arg '\(text)': the environment has no such variable; write NAME=VALUE")
            }
            return (text, String(cString: value))
        }
        request.labels = try label.map { try RegistryOptions.pair(allowingEmpty: $0, flag: "--label") }
        for text in annotation {
            let (name, value) = try RegistryOptions.pair(allowingEmpty: text, flag: "--annotation")
            request.annotations[name] = value
        }
        for text in contexts {
            let (name, value) = try RegistryOptions.pair(text, flag: "--build-context")
            request.namedContexts[name] = try NamedContext(value)
        }
        for text in secret {
            let option = try SecretOption(text)
            request.secrets[option.id] = option.value
        }
        request.format = format
        try steps.apply(to: &request)
        request.jobs = jobs
        return request
    }
}

extension BuildRequest.ImageFormat: ExpressibleByArgument {}
