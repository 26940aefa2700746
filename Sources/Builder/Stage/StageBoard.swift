import OCI

/// Where the stages of one build, which run side by side, learn of each other: who is done, how many steps may run at
/// once, and that it is all over because one has failed.
actor StageBoard {
    private var finished: [Int: StageResult] = [:]
    private var failure: BuildError?
    private var waiting: [Int: [CheckedContinuation<Void, Never>]] = [:]
    private var slots: Int
    private var queue: [CheckedContinuation<Void, Never>] = []
    /// Stages that do or will do something that no earlier build did.
    private var missed: Set<Int> = []
    /// The stages that stand on a stage or take files from it.
    private let dependents: [Int: [Int]]

    /// - Parameter limit: how many steps may run at once.
    init(_ plan: BuildPlan, limit: Int) {
        slots = max(1, limit)
        dependents = plan.dependents
    }

    /// What a stage has come to, when it is done.
    func result(of stage: Int) async throws(BuildError) -> StageResult {
        while true {
            if let result = finished[stage] { return result }
            if failure != nil { throw Self.abandoned }
            await withCheckedContinuation { waiting[stage, default: []].append($0) }
        }
    }

    func publish(_ result: StageResult, of stage: Int) {
        finished[stage] = result
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
    /// - Returns: the stages of which this was not known.
    func miss(_ stage: Int) -> [Int] {
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
