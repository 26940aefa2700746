import OCI
import YAML

/// Reads `builds:` at the top: what holds for the builds of all repositories.
enum BuildsReader {
    static func builds(_ value: YAMLValue) throws(YAMLError) -> AgentConfiguration.BuildsConfiguration {
        var settings = AgentConfiguration.BuildsConfiguration()
        try value.object { (object) throws(YAMLError) in
            settings.credentials = try object.optional("credentials")?.list(AllowedReader.place) ?? []
            if let value = object.optional("concurrency") { settings.concurrency = try value.integer(in: 1...256) }
            if let value = object.optional("reproducible") { settings.isReproducible = try value.bool() }
            if let value = object.optional("stepTimeout") { settings.stepTimeout = try positive(value) }
            if let value = object.optional("stepMemory") { settings.stepMemory = try memory(value) }
            if let value = object.optional("stepProcesses") {
                settings.stepProcesses = try value.integer(in: 1...Int(Int32.max))
            }
            if let value = object.optional("logLimit") { settings.logLimit = Int(try size(value)) }
            if let value = object.optional("unpackLimit") { settings.unpackLimit = try size(value) }
            if let value = object.optional("contextFileLimit") { settings.contextFileLimit = try size(value) }
            if let value = object.optional("submodules") { settings.fetched.submodules = try value.bool() }
            if let value = object.optional("lfs") { settings.fetched.largeFiles = try value.bool() }
            try object.optional("cache")?.object { (cache) throws(YAMLError) in
                if let value = cache.optional("repository") {
                    settings.cacheRepository = try repository(value)
                }
                if let value = cache.optional("ttl") { settings.cacheTTL = try positive(value) }
                if let value = cache.optional("maxSize") { settings.cacheMaxSize = try size(value) }
                if let value = cache.optional("minFree") { settings.cacheMinFree = try size(value) }
                if let value = cache.optional("minFreeInodes") {
                    settings.cacheMinFreeInodes = Int64(try value.integer(in: 0...Int(Int32.max)))
                }
            }
        }
        return settings
    }

    private static func positive(_ value: YAMLValue) throws(YAMLError) -> Duration {
        let duration = try value.duration()
        guard duration > .zero else {
            throw value.error("the time must be longer than nothing", hint: "write 90s, 10m or 1h")
        }
        return duration
    }

    static func size(_ value: YAMLValue) throws(YAMLError) -> Int64 {
        let text = try value.nonEmptyString()
        guard let size = ByteSize.parse(text) else {
            throw value.error("invalid size '\(text.prefix(40))'", hint: "write bytes, or 64k, 10m, 2g")
        }
        return size
    }

    /// Less than a shell needs would fail every step.
    private static func memory(_ value: YAMLValue) throws(YAMLError) -> Int64 {
        let size = try size(value)
        guard size >= 4 << 20 else { throw value.error("a step needs more memory than that", hint: "write 4m or more") }
        return size
    }

    private static func repository(_ value: YAMLValue) throws(YAMLError) -> RepositoryLocation {
        let text = try value.nonEmptyString()
        do throws(OCIError) { return try RepositoryLocation(text) } catch {
            throw value.error(error.summary, hint: error.hint)
        }
    }
}

/// Sizes as people write them: `4096`, `64k`, `10m`, `2g`, by powers of 1024.
package enum ByteSize {
    package static func parse(_ text: String) -> Int64? {
        let shifts: [Character: Int64] = ["k": 10, "m": 20, "g": 30]
        let shift = text.last.flatMap { shifts[Character($0.lowercased())] } ?? 0
        guard let value = Int64(shift == 0 ? text : String(text.dropLast())), value > 0, value <= Int64.max >> shift
        else { return nil }
        return value << shift
    }
}
