/// The builds that are under way, each in a task of its own: a cycle may wait for one, or go on without.
package actor BuildDispatcher {
    /// How a build ended.
    package typealias Result = Swift.Result<CycleReport.Image, ReconcileError>

    package struct InFlight: Sendable {
        package let key: PipelineKey
        package let contentKey: String
        package let task: Task<Result, Never>
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
    private var isClosed = false
    private var onEnd: (@Sendable (PipelineKey) async -> Void)?

    package init() {}

    /// Says what is done whenever a build ended.
    package func whenBuildEnds(_ action: @escaping @Sendable (PipelineKey) async -> Void) { onEnd = action }

    /// Begins a build, unless the pipeline's is under way.
    func begin(
        _ key: PipelineKey, contentKey: String, _ body: @escaping @Sendable () async -> Result
    ) -> Beginning {
        if let known = builds[key] {
            return known.contentKey == contentKey ? .underWay(known, isNew: false) : .busy(known)
        }
        guard !isClosed else { return .closed }
        let task = Task {
            let result = await body()
            await end(key)
            return result
        }
        let build = InFlight(key: key, contentKey: contentKey, task: task)
        builds[key] = build
        return .underWay(build, isNew: true)
    }

    private func end(_ key: PipelineKey) async {
        builds[key] = nil
        await onEnd?(key)
    }

    /// Whether a pipeline's build is under way.
    func isUnderWay(_ key: PipelineKey) -> Bool { builds[key] != nil }

    /// Cancels all builds and begins no other. Returns when they have ended.
    package func close() async {
        isClosed = true
        onEnd = nil
        let tasks = builds.values.map(\.task)
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.value }
    }
}
