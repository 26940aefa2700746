import Agent
import ArgumentParser
import Builder

/// All options of `slipway build`, which `executor` shares.
struct BuildOptions: ParsableArguments {
    @OptionGroup(title: "Context") var context: ContextOptions
    @OptionGroup(title: "Image") var image: ImageOptions
    @OptionGroup(title: "Output") var output: OutputOptions
    @OptionGroup(title: "Registries") var registries: BuildRegistryOptions
    @OptionGroup(title: "Cache") var cache: CacheOptions
    @OptionGroup(title: "RUN steps") var steps: StepOptions

    @Option(help: "How RUN steps are isolated: auto, namespaces, chroot or in-place.")
    var isolation: AgentConfiguration.IsolationChoice?

    @Option(
        help: ArgumentHelp(
            "How many steps of independent stages run at once; as many as there are processors by default.",
            valueName: "number"))
    var jobs: Int?

    @Flag(help: "Print what would be done, and do nothing.")
    var dryrun = false

    @OptionGroup(title: "Log") var log: LogOptions

    @Option(
        name: .customLong(Invocation.residue),
        help: ArgumentHelp("A flag of kaniko's that is taken without effect, or refused.", visibility: .private))
    var kanikoFlags: [String] = []

    @Option(
        name: .customLong(Invocation.formerName),
        help: ArgumentHelp("A spelling of a flag that kaniko has given up.", visibility: .private))
    var formerNames: [String] = []

    func check() throws {
        try KanikoFlags.executor.refuse(kanikoFlags)
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs); at least one step has to run") }
        if context.dockerfile == "-", context.context == "tar://stdin" {
            throw ValidationError(
                "standard input cannot be the Dockerfile and the context: leave out '-f -' and put the Dockerfile into "
                    + "the archive")
        }
        try output.check()
    }

    /// What the user should know of flags that do nothing.
    func notes() -> [String] {
        KanikoFlags.executor.notes(formerNames: formerNames) + KanikoFlags.executor.notes(kanikoFlags) + cache.notes()
    }
}

extension KanikoFlags {
    /// `NAME=VALUE` of flags that no option stands for.
    func refuse(_ residue: [String]) throws {
        for text in residue {
            let (name, value) = Self.pair(text)
            guard let flag = self[name] else { throw ValidationError("Unknown option '--\(name)'") }
            if !flag.form.takesValue, GoBoolean.parse(value) == nil {
                throw ValidationError("--\(name) is '\(value)', which is neither true nor false")
            }
            if name == "snapshot-mode", !["full", "redo", "time"].contains(value) {
                throw ValidationError("--snapshot-mode is '\(value)'; there are full, redo and time")
            }
            if case .refused(let reason, let remedy) = flag.handling, GoBoolean.parse(value) != false {
                throw ValidationError("--\(name) cannot be honoured: \(reason); \(remedy)")
            }
        }
    }

    func notes(_ residue: [String]) -> [String] {
        residue.compactMap { text in
            let (name, value) = Self.pair(text)
            // A default that is spelled out needs no explanation.
            guard case .idle(let reason)? = self[name]?.handling,
                GoBoolean.parse(value) != false || name == "compressed-caching"
            else { return nil }
            return "--\(name) has no effect: \(reason)"
        }
    }

    /// Kaniko's own warning, in its words.
    func notes(formerNames: [String]) -> [String] {
        formerNames.compactMap { name in
            self[name].map { "Flag --\(name) is deprecated. Use: --\($0.name)" }
        }
    }

    private static func pair(_ text: String) -> (String, String) {
        let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (sides[0], sides.count == 2 ? sides[1] : "true")
    }
}
