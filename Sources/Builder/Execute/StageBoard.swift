import OCI

/// Where the stages of one build, which run side by side, learn of each other: who is done, how many steps may run at
/// once, and that it is all over because one has failed.
actor StageBoard {
    private var finished: [Int: StageFiles] = [:]
    private var failure: BuildError?
    private var waiting: [Int: [CheckedContinuation<Void, Never>]] = [:]
    private var slots: Int
    private var queue: [CheckedContinuation<Void, Never>] = []
    /// Stages that do or will do something that no earlier build did.
    private var missed: Set<Int> = []

    init(limit: Int) { slots = max(1, limit) }

    /// What a stage has come to, when it is done.
    func files(of stage: Int) async throws(BuildError) -> StageFiles {
        while true {
            if let files = finished[stage] { return files }
            if failure != nil { throw Self.abandoned }
            await withCheckedContinuation { waiting[stage, default: []].append($0) }
        }
    }

    func publish(_ files: StageFiles, of stage: Int) {
        finished[stage] = files
        for waiter in waiting.removeValue(forKey: stage) ?? [] { waiter.resume() }
    }

    /// Ends the waiting of all others.
    func fail(_ error: BuildError) {
        if failure == nil { failure = error }
        for waiter in waiting.values.joined() + queue { waiter.resume() }
        waiting = [:]
        queue = []
    }

    private static var abandoned: BuildError {
        BuildError(.cancelled, "the build was given up, because another stage failed")
    }

    // MARK: Slots

    /// Waits until a step may run; `release` must follow. A step that has a slot waits for nobody else's.
    func acquire() async throws(BuildError) {
        while failure == nil, slots == 0 { await withCheckedContinuation { queue.append($0) } }
        if failure != nil { throw Self.abandoned }
        slots -= 1
    }

    func release() {
        slots += 1
        if !queue.isEmpty { queue.removeFirst().resume() }
    }

    // MARK: The one root in its own place

    /// Whose files are in it, and how many of the stage's layers. Asked for and set by who holds the root's lock.
    private(set) var occupant: (stage: Int, layers: Int)?

    func occupy(_ occupant: (stage: Int, layers: Int)?) { self.occupant = occupant }

    // MARK: What is new

    /// Notes that a stage does something new, and so do those that depend on it.
    ///
    /// - Parameter dependents: by stage.
    /// - Returns: the stages of which this was not known.
    func miss(_ stage: Int, dependents: [Int: [Int]]) -> [Int] {
        var found: [Int] = []
        var pending = [stage]
        while let next = pending.popLast() {
            guard missed.insert(next).inserted else { continue }
            found.append(next)
            pending += dependents[next] ?? []
        }
        return found
    }
}
