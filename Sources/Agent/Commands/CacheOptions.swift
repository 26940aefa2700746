import ArgumentParser
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

    @Option(help: ArgumentHelp("Use a cache of layers in a registry too.", valueName: "true|false"))
    var cache: Toggle?

    @Option(name: .customLong("cache-repo"), help: ArgumentHelp("Where that cache is.", valueName: "repository"))
    var cacheRepository: String?

    @Option(
        name: .customLong("cache-dir"),
        help: ArgumentHelp("Base images that 'slipway warm' fetched; /cache by default.", valueName: "directory"))
    var cacheDirectory: String?

    @Option(name: .customLong("cache-run-layers"), help: ArgumentHelp("Cache RUN steps.", valueName: "true|false"))
    var cachesRun: Toggle?

    @Option(
        name: .customLong("cache-copy-layers"), help: ArgumentHelp("Cache COPY and ADD steps.", valueName: "true|false")
    )
    var cachesCopy: Toggle?

    @Flag(name: .customLong("no-push-cache"), help: "Read the registry's cache only.")
    var noPushCache = false

    @Option(
        name: .customLong("cache-ttl"),
        help: ArgumentHelp("How long layers that nobody uses are kept.", valueName: "duration"))
    var lifetime: String = "336h"

    mutating func validate() throws {
        guard DurationText.parse(lifetime) != nil else {
            throw ValidationError("--cache-ttl '\(lifetime)' is no duration; write 336h or 14d")
        }
    }

    /// Where the builder keeps its things.
    func state(isExecutor: Bool) -> String {
        if let stateDirectory { return TextFile.absolute(stateDirectory) }
        if let directory = kanikoDirectory ?? OutputOptions.environment("KANIKO_DIR") {
            return TextFile.absolute(directory) + "/slipway"
        }
        return TextFile.absolute(RepositoryOptions.defaultStateDirectory)
    }

    /// What was asked for and is not there.
    func notes() -> [String] {
        let asked = cache?.isOn == true || cacheRepository != nil || noPushCache
        return asked ? ["layers are kept in the state directory; a cache in a registry is not supported yet"] : []
    }
}
