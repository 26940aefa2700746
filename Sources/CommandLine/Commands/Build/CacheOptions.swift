import Agent
import ArgumentParser
import Builder
import OCI
import YAML

/// What `slipway build` keeps and takes from earlier builds.
struct CacheOptions: ParsableArguments {
    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp("Where unpacked images are kept; a cache that may be lost.", valueName: "directory"))
    var stateDirectory: String?

    @Option(
        name: .customLong("kaniko-dir"),
        help: ArgumentHelp("The parent of the state directory, where --state-dir is not given.", valueName: "directory")
    )
    var kanikoDirectory: String?

    @Flag(name: .customLong("no-cache"), help: "Run every step, also those whose layers are known.")
    var noCache = false

    @Option(
        help: ArgumentHelp(
            "Take the layers of steps from a repository that machines share, and bring them there.",
            valueName: "true|false"))
    var cache: Toggle?

    @Option(
        name: .customLong("cache-repo"),
        help: ArgumentHelp(
            "Where that cache is: a repository, or oci:/DIRECTORY; by default the first destination's repository with /cache behind it.",
            valueName: "repository"))
    var cacheRepository: String?

    @Option(
        name: .customLong("cache-dir"),
        help: ArgumentHelp("Base images that 'slipway warm' fetched; /cache by default.", valueName: "directory"))
    var cacheDirectory: String?

    @Option(
        name: .customLong("cache-run-layers"),
        help: ArgumentHelp(
            "Take RUN steps from caches, this machine's too; true by default.", valueName: "true|false"))
    var cachesRun: Toggle?

    @Option(
        name: .customLong("cache-copy-layers"),
        help: ArgumentHelp(
            "The same for COPY, ADD and WORKDIR; true by default, unlike kaniko's.", valueName: "true|false")
    )
    var cachesCopy: Toggle?

    @Flag(name: .customLong("no-push-cache"), help: "Bring nothing to the shared cache.")
    var noPushCache = false

    @Option(
        name: .customLong("cache-ttl"),
        help: ArgumentHelp(
            "How old an entry of the shared cache may be, and how long this machine keeps what nobody uses.",
            valueName: "duration"))
    var lifetime: String = "336h"

    @Option(
        name: .customLong("cache-max-size"),
        help: ArgumentHelp(
            "How much this machine keeps of builds, such as 50g; what was not used for longest goes first. 20 GB by default.",
            valueName: "size"))
    var maxSize: String?

    @Option(
        name: .customLong("cache-min-free"),
        help: ArgumentHelp(
            "How much of the disk stays free of it, such as 5g. A tenth by default, 2g at most.", valueName: "size"))
    var minFree: String?

    @Option(
        name: .customLong("cache-min-free-inodes"),
        help: ArgumentHelp(
            "How many files can still be made on the disk. A twentieth of what it can hold by default.",
            valueName: "number"))
    var minFreeInodes: Int?

    @Flag(
        name: .customLong("explain-cache"),
        help: "Tell of each step that was not cached what differed from the last time: a file, a variable, the base.")
    var explains = false

    mutating func validate() throws {
        guard DurationText.parse(lifetime) != nil else {
            throw ValidationError("--cache-ttl '\(lifetime)' is no duration; write 336h or 14d")
        }
        for (name, text) in [("--cache-max-size", maxSize), ("--cache-min-free", minFree)] {
            guard let text, ByteSize.parse(text) == nil else { continue }
            throw ValidationError("\(name) '\(text)' is not a size: write 500m or 20g")
        }
        if let minFreeInodes, minFreeInodes < 0 {
            throw ValidationError("--cache-min-free-inodes '\(minFreeInodes)' is negative")
        }
    }

    /// What this machine keeps.
    var limits: StoreLimits {
        var limits = StoreLimits(
            minFree: minFree.flatMap(ByteSize.parse), minFreeInodes: minFreeInodes.map(Int64.init))
        if let age = DurationText.parse(lifetime) { limits.age = age }
        if let size = maxSize.flatMap(ByteSize.parse) { limits.size = size }
        return limits
    }

    /// Where the builder keeps its things.
    func state(isExecutor: Bool) -> String {
        if let stateDirectory { return TextFile.absolute(stateDirectory) }
        if let directory = kanikoDirectory ?? OutputOptions.environment("KANIKO_DIR") {
            return TextFile.absolute(directory) + "/slipway"
        }
        return TextFile.absolute(RepositoryOptions.defaultStateDirectory)
    }

    func apply(to request: inout BuildRequest, destinations: [ImageLocation], now: Int64) throws {
        request.noCache = noCache
        request.cachesRuns = cachesRun?.isOn ?? true
        request.cachesCopies = cachesCopy?.isOn ?? true
        request.explainsCache = explains
        guard let repository = try repository(destinations) else { return }
        var shared = RemoteCache(repository: repository, now: now)
        shared.isWritten = !noPushCache
        shared.age = DurationText.parse(lifetime)
        request.remoteCache = shared
    }

    /// Where the shared cache is; `nil` when none is asked for.
    ///
    /// - Parameter destinations: also those that nothing is pushed to.
    func repository(_ destinations: [ImageLocation]) throws -> RepositoryLocation? {
        guard cache?.isOn == true else { return nil }
        if let cacheRepository {
            do throws(OCIError) { return try RepositoryLocation(cacheRepository) } catch {
                throw ValidationError(
                    "--cache-repo '\(cacheRepository)' is neither a repository nor oci:/DIRECTORY; leave out the tag")
            }
        }
        guard case .registry(let host, let path)? = destinations.first?.repository else {
            throw ValidationError(
                "--cache: say where the cache is with --cache-repo, or give a --destination in a registry")
        }
        return .registry(host: host, path: path + "/cache")
    }

    /// What `slipway warm` filled: kaniko's executor looks at /cache by itself.
    func images(isExecutor: Bool) -> String? {
        if let cacheDirectory { return TextFile.absolute(cacheDirectory) }
        return isExecutor ? "/cache" : nil
    }

    /// What was asked for and has no effect.
    func notes() -> [String] {
        guard cache?.isOn != true, cacheRepository != nil || noPushCache else { return [] }
        return ["--cache-repo and --no-push-cache have an effect only with --cache"]
    }
}
