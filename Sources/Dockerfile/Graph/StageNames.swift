/// What names of `FROM`, `--from` and named contexts mean in a file: its stages, and what the build puts in their places.
struct StageNames: Sendable {
    /// Stages that are known so far, by their names.
    private(set) var stages: [String: Int] = [:]
    /// Named contexts that are stages which are known so far, by their normalised names.
    private var aliases: [String: Int] = [:]
    /// All named contexts that are to be stages: the stages' names.
    private let wantedAliases: [String: String]
    /// The other named contexts: as they were given, by their normalised names.
    private let contexts: [String: String]

    /// - Parameters:
    ///   - contexts: names that take the place of stages, images and `--from` sources.
    ///   - stageContexts: names that do so and stand for another stage of the file, by that stage's name.
    init(contexts: Set<String>, stageContexts: [String: String]) {
        self.contexts = Dictionary(contexts.sorted().map { (ContextName.normalize($0), $0) }) { first, _ in first }
        wantedAliases = Dictionary(
            stageContexts.sorted { $0.key < $1.key }.map { (ContextName.normalize($0.key), $0.value.lowercased()) }
        ) { first, _ in first }
    }

    /// The next stage of the file.
    mutating func add(_ stage: Stage) {
        guard let name = stage.name else { return }
        stages[name] = stage.index
        for (alias, target) in wantedAliases where target == name { aliases[alias] = stage.index }
    }

    func context(_ name: String) -> String? { contexts[ContextName.normalize(name)] }

    /// The stage that a named context is; `nil` where there is none of that name, or it is not known yet.
    func alias(_ name: String) -> Int? { aliases[ContextName.normalize(name)] }

    /// The same in a FROM line, which may name only what comes before it.
    func earlierAlias(_ name: String) throws(DockerfileError) -> Int? {
        let name = ContextName.normalize(name)
        guard let target = wantedAliases[name] else { return nil }
        if let index = aliases[name] { return index }
        throw DockerfileError(
            .reference, "the build context \(quoted(name)) is the stage \(quoted(target)), which comes later",
            near: name, hint: "move that stage before this one")
    }

    /// Whether a stage is what a named context of its own name stands for.
    func isItsOwnAlias(_ stage: String) -> Bool { wantedAliases[ContextName.normalize(stage)] == stage }
}
