import Agent
package import ArgumentParser
import ContentStore
import Dockerfile
import OCI
import Registry

/// `slipway warm`: base images into a directory from which later builds take them; kaniko's warmer.
package struct WarmCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "warm",
        abstract: "Fetch base images into a directory for later builds.",
        discussion: """
            Images are kept below the directory as OCI layouts, one for each repository: DIRECTORY/HOST/REPOSITORY. A build \
            that is given the directory by --cache-dir asks the registry what a tag points at, and takes what it finds here \
            by that digest. Several calls may work on one directory at a time. A link called 'warmer' to this program does \
            the same, and 'slipway warmer' too.

            EXAMPLE
              slipway warm --cache-dir /cache --image debian:12-slim --image registry.example.com/base:v3
              slipway warm --cache-dir /cache --dockerfile Dockerfile --build-arg VERSION=12
            """)

    @Option(
        name: [.customShort("i"), .long],
        help: ArgumentHelp("An image to fetch. Repeat for several.", valueName: "image"))
    var image: [String] = []

    @Option(
        name: [.customShort("d"), .long],
        help: ArgumentHelp("Fetch the images of this Dockerfile's FROM and COPY --from.", valueName: "file"))
    var dockerfile: String?

    @Option(
        name: .customLong("build-arg"),
        help: ArgumentHelp("The value of an ARG of that Dockerfile.", valueName: "name=value"))
    var buildArguments: [String] = []

    @Option(
        name: [.customShort("c"), .customLong("cache-dir")],
        help: ArgumentHelp("Where the images are kept.", valueName: "directory"))
    var cacheDirectory: String = "/cache"

    @Flag(name: .shortAndLong, help: "Check what is there already, and fetch anew what is damaged.")
    var force = false

    @Option(
        name: [.long, .customLong("custom-platform")],
        help: ArgumentHelp("The platform of the images.", valueName: "os/arch"))
    var platform: String?

    @OptionGroup(title: "Registries") var registries: BuildRegistryOptions
    @OptionGroup(title: "Log") var log: LogOptions

    @Option(
        name: .customLong(Invocation.residue),
        help: ArgumentHelp("A flag of kaniko's that is taken without effect, or refused.", visibility: .private))
    var kanikoFlags: [String] = []

    @Option(
        name: .customLong(Invocation.formerName),
        help: ArgumentHelp("A spelling of a flag that kaniko has given up.", visibility: .private))
    var formerNames: [String] = []

    package init() {}

    package mutating func validate() throws {
        try KanikoFlags.warmer.refuse(kanikoFlags)
        if image.isEmpty && dockerfile == nil {
            throw ValidationError("say what to fetch with --image or --dockerfile")
        }
    }

    package mutating func run() async throws {
        let console = Console(isQuiet: log.quiet || log.verbosity < .info)
        for note in KanikoFlags.warmer.notes(formerNames: formerNames) + KanikoFlags.warmer.notes(kanikoFlags) {
            console.progress("note: \(note)")
        }
        let platform = try platform.map { try Platform($0) } ?? .host
        var names = image
        if let dockerfile { names += try images(of: dockerfile, platform) }
        var configuration = AgentConfiguration(stateDirectory: "")
        let registry = try registries.registryAccess(
            &configuration, pushingTo: [], isExecutor: false, cacheDirectory: nil)
        let folder = TextFile.absolute(cacheDirectory)
        var failure: (any Error)?
        var done: Set<String> = []
        for name in names where done.insert(name).inserted {
            // One image that is not there does not keep the others away.
            do { try await fetch(name, platform, registry, folder, console) } catch {
                console.alert("Error: \(error)")
                failure = error
            }
        }
        if failure != nil { throw ExitCode.failure }
    }

    private func fetch(
        _ name: String, _ platform: Platform, _ registry: RegistryAccess, _ folder: String, _ console: Console
    ) async throws {
        let location = try ImageLocation(name).withDefaultTag
        guard case .registry(let host, let path) = location.repository else {
            console.progress("\(name) is on this machine already")
            return
        }
        let layout = "\(folder)/\(host)/\(path)"
        if force { try await discardDamaged(layout) }
        let copy = ImageCopy(registry: registry, platforms: [platform], scratch: folder) { event in
            if case .blob(let digest, let size, let outcome) = event, outcome == .uploaded {
                console.progress("  fetched \(digest) (\(BuildProgress.size(size)))")
            }
        }
        // An image that was asked for by its digest is found by it; it needs no tag.
        let report = try await copy.run(
            from: location,
            to: ImageLocation(
                repository: .layout(path: layout), tag: location.digest == nil ? location.tag : nil))
        console.result("\(location) \(report.digest)")
    }

    /// Removes blobs whose content is not what their names say.
    private func discardDamaged(_ layout: String) async throws {
        guard let repository = try? await LayoutRepository(path: layout).tagList(), repository != [] else { return }
        try await ImageCheck.discardDamaged(inLayout: layout)
    }

    private func images(of file: String, _ platform: Platform) throws -> [String] {
        let parsed = try Dockerfile.parse(try TextFile.read(file, limit: 16 << 20), file: file)
        let arguments = try buildArguments.map { try RegistryOptions.pair(allowingEmpty: $0, flag: "--build-arg") }
        let graph = try StageGraph.resolve(
            parsed, buildArguments: arguments, platform: platform.description,
            buildPlatform: Platform.host.description, includesUnused: true)
        return graph.externalSources.compactMap { source in
            if case .image(let name) = source { name } else { nil }
        }
    }
}
