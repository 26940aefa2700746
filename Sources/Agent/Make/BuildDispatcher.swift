package import Telemetry

/// How a build ended.
package struct BuildEnd: Sendable {
    package let key: PipelineKey
    package let result: Result<CycleReport.Image, ReconcileError>
    /// What took its time, where no cycle's report has it.
    package let steps: [CycleReport.Step]
    /// The image under its names, where there is one.
    package let named: NamedImage?
    /// Its span; `nil` when nothing is traced.
    package let trace: SpanContext?
}

/// The builds that are under way, each in a task of its own: a cycle may wait for one, or go on without.
package actor BuildDispatcher {
    package struct InFlight: Sendable {
        package let key: PipelineKey
        package let contentKey: String
        package let task: Task<BuildEnd, Never>
    }

    /// What became of a build that was asked for.
    enum Beginning: Sendable {
        /// It is under way: just begun, or since an earlier cycle.
        case underWay(InFlight, isNew: Bool)
        /// The pipeline's build of other content is under way.
        case busy(InFlight)
        /// No build begins any more.
        case closed
    }

    private var builds: [PipelineKey: InFlight] = [:]
    /// Builds that have ended, and whose end is being told.
    private var ending: [PipelineKey: InFlight] = [:]
    /// Builds that a person stopped, until they have ended.
    private var stopped: Set<PipelineKey> = []
    private var isClosed = false
    private var onEnd: (@Sendable (BuildEnd) async -> Void)?

    package init() {}

    /// Says what is done whenever a build ended.
    package func whenBuildEnds(_ action: @escaping @Sendable (BuildEnd) async -> Void) { onEnd = action }

    /// Begins a build, unless the pipeline's is under way.
    func begin(
        _ key: PipelineKey, contentKey: String, _ body: @escaping @Sendable () async -> BuildEnd
    ) -> Beginning {
        if let known = builds[key] {
            return known.contentKey == contentKey ? .underWay(known, isNew: false) : .busy(known)
        }
        guard !isClosed else { return .closed }
        let task = Task {
            let end = await body()
            await ended(end)
            return end
        }
        let build = InFlight(key: key, contentKey: contentKey, task: task)
        builds[key] = build
        return .underWay(build, isNew: true)
    }

    private func ended(_ end: BuildEnd) async {
        let build = builds.removeValue(forKey: end.key)
        stopped.remove(end.key)
        ending[end.key] = build
        await onEnd?(end)
        // The pipeline's next build may have ended meanwhile.
        if ending[end.key]?.task == build?.task { ending[end.key] = nil }
    }

    /// Waits until the builds of these pipelines that are under way have ended, and until their ends are told.
    package func wait(for keys: some Collection<PipelineKey>) async {
        let tasks = keys.flatMap { [builds[$0]?.task, ending[$0]?.task].compactMap(\.self) }
        for task in tasks { _ = await task.value }
    }

    /// The same for a repository's builds, but for some.
    func wait(forBuildsOf repository: String, besides keys: Set<PipelineKey>) async {
        await wait(
            for: Set(builds.keys).union(ending.keys).filter { $0.repository == repository && !keys.contains($0) })
    }

    /// Cancels the builds of a repository, those that wait and those that run. Does not wait for their ends.
    ///
    /// - Returns: which; not those that were cancelled before.
    package func cancel(repository: String) -> [PipelineKey] {
        let gone = builds.values.filter { $0.key.repository == repository && !$0.task.isCancelled }
        for build in gone { build.task.cancel() }
        return gone.map(\.key).sorted()
    }

    /// Cancels a pipeline's build because a person wants so. Does not wait for its end.
    ///
    /// - Returns: whether there was one to cancel.
    func stop(_ key: PipelineKey) -> Bool {
        guard let build = builds[key], !build.task.isCancelled else { return false }
        stopped.insert(key)
        build.task.cancel()
        return true
    }

    /// Whether a person stopped the pipeline's build that is under way.
    func isStopped(_ key: PipelineKey) -> Bool { stopped.contains(key) }

    /// Whether a pipeline's build is under way.
    func isUnderWay(_ key: PipelineKey) -> Bool { builds[key] != nil }

    /// Whether no build begins any more.
    var isLeaving: Bool { isClosed }

    /// Cancels all builds and begins no other. Returns when they have ended.
    package func close() async {
        isClosed = true
        onEnd = nil
        let tasks = builds.values.map(\.task)
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.value }
    }
}
