import Agent
package import ArgumentParser
import Builder
import Glibc
import OCI
import Registry
import Text
import YAML

/// `slipway cache`: what builds keep on this machine.
package struct CacheCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "Show and empty what builds keep on this machine: layers, blobs, cache mounts, git mirrors.",
        discussion: """
            Everything there can be made or fetched again. What a running build may need is never removed; docs/cache.md says \
            what is removed by itself, and when.
            """,
        subcommands: [CacheListCommand.self, CachePruneCommand.self])

    package init() {}
}

/// Which state directory is meant, and how the result is printed.
struct LocalCacheOptions: ParsableArguments {
    @OptionGroup var state: StateOptions

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    /// `nil` where there is no such directory; none is made.
    func open() async throws -> LocalCache? {
        let configuration = AgentConfiguration(stateDirectory: try state.directory())
        guard access(configuration.stateDirectory, F_OK) == 0 else { return nil }
        return LocalCache(
            of: try Builder(
                stateDirectory: configuration.stateDirectory, registry: RegistryAccess(),
                isolation: try await MachineIsolation.whenAsked(configuration) { _ in }))
    }
}

/// `slipway cache list`.
package struct CacheListCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List what builds keep, what was not used for longest first.",
        discussion: """
            EXAMPLES
              slipway cache list --state-dir /var/lib/slipway
              slipway cache list --output json
            """)

    @OptionGroup var options: LocalCacheOptions

    package init() {}

    private struct Row: Encodable {
        let kind: String
        let name: String
        let size: Int64
        let lastUsed: String
        let inUse: Bool
    }

    private struct Result: Encodable {
        let items: [Row]
        let size: Int64
    }

    package mutating func run() async throws {
        let items = try await options.open()?.items() ?? []
        let total = items.reduce(0) { $0 + $1.size }
        switch options.output {
        case .json:
            let rows = items.map {
                Row(
                    kind: $0.kind, name: $0.name, size: $0.size,
                    lastUsed: UTCDate(secondsSince1970: $0.used).rfc3339, inUse: $0.isInUse)
            }
            Console().result(
                String(decoding: try CanonicalJSON.encode(Result(items: rows, size: total)), as: UTF8.self))
        case .text:
            let now = SystemClock().now
            var table = [["KIND", "SIZE", "UNUSED FOR", "IN USE", "NAME"]]
            for item in items {
                table.append([
                    item.kind, BuildProgress.size(item.size), Self.age(now - item.used), item.isInUse ? "yes" : "-",
                    item.name,
                ])
            }
            for line in TextTable.lines(table) { Console().result(line) }
            Console().result("\(items.count) \(items.count == 1 ? "item" : "items"), \(BuildProgress.size(total))")
        }
    }

    static func age(_ seconds: Int64) -> String {
        switch max(0, seconds) {
        case let seconds where seconds < 120: "\(seconds)s"
        case let seconds where seconds < 7_200: "\(seconds / 60)m"
        case let seconds where seconds < 172_800: "\(seconds / 3_600)h"
        case let seconds: "\(seconds / 86_400)d"
        }
    }
}

/// `slipway cache prune`.
package struct CachePruneCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove what builds keep: all of it, what is old, or down to a size.",
        discussion: """
            EXAMPLES
              slipway cache prune --older-than 72h
              slipway cache prune --max-size 10g
              slipway cache prune --all --output json
            """)

    @OptionGroup var options: LocalCacheOptions

    @Flag(help: "Remove everything that no running build may need.")
    var all = false

    @Option(
        name: .customLong("older-than"),
        help: ArgumentHelp("Remove what was not used for so long, such as 72h or 7d.", valueName: "duration"))
    var olderThan: String?

    @Option(
        name: .customLong("max-size"),
        help: ArgumentHelp("Remove what was not used for longest until the rest is smaller.", valueName: "size"))
    var maxSize: String?

    package init() {}

    package mutating func validate() throws {
        guard all != (olderThan != nil || maxSize != nil) else {
            throw ValidationError("say what to remove: --all, or --older-than and --max-size")
        }
        if let olderThan, DurationText.parse(olderThan) == nil {
            throw ValidationError("--older-than '\(olderThan)' is not a duration: write 72h or 7d")
        }
        if let maxSize, ByteSize.parse(maxSize) == nil {
            throw ValidationError("--max-size '\(maxSize)' is not a size: write 500m or 10g")
        }
    }

    private struct Result: Encodable {
        let removed: Int
        let bytes: Int64
    }

    package mutating func run() async throws {
        var pruning = all ? .everything : LocalCache.Pruning()
        if let olderThan { pruning.olderThan = DurationText.parse(olderThan) }
        if let maxSize { pruning.maxSize = ByteSize.parse(maxSize) }
        let outcome = try await options.open()?.prune(pruning, now: SystemClock().now) ?? (count: 0, bytes: 0)
        switch options.output {
        case .json:
            let result = Result(removed: outcome.count, bytes: outcome.bytes)
            Console().result(String(decoding: try CanonicalJSON.encode(result), as: UTF8.self))
        case .text:
            Console().result(
                "removed \(outcome.count) \(outcome.count == 1 ? "item" : "items"), \(BuildProgress.size(outcome.bytes))"
            )
        }
    }
}
