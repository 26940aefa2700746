/// What cycles, builds and repositories say in metrics.
extension Metrics {
    /// The last cycle without failure ended.
    ///
    /// - Parameter now: in seconds since 1970.
    func succeeded(_ repository: String, at now: Double) {
        set("slipway_last_success_timestamp_seconds", now, [("repository", repository)])
    }

    /// How a repository is doing now.
    package func record(_ status: RepositoryStatus) {
        let isUp = status.state != .failing && status.state != .stalled && status.state != .starting
        let repository = [("repository", status.repository)]
        set("slipway_repository_up", isUp ? 1 : 0, repository)
        set("slipway_repository_failing_since_timestamp_seconds", status.failingSince.map { Double($0) }, repository)
        set("slipway_held_updates", Double(status.holds.count), repository)
        let state = status.paused == nil ? status.state : .paused
        replace(
            "slipway_repository_state", of: status.repository, with: [(labels: [("state", state.rawValue)], value: 1)])
    }

    /// A cycle ended that a webhook began.
    func recordHinted(seconds: Double) {
        observe("slipway_webhook_cycle_seconds", seconds)
        add("slipway_webhook_cycles_total")
        add("slipway_webhook_latency_seconds_total", seconds)
    }

    /// The queue of builds has changed.
    func record(_ load: BuildQueue.Load) {
        set("slipway_build_queue_length", Double(load.waiting), [("state", "waiting")])
        set("slipway_build_queue_length", Double(load.running), [("state", "running")])
        if let waited = load.waited { observe("slipway_build_queue_wait_seconds", waited) }
    }

    /// A build ended.
    package func record(_ build: BuildEnd) {
        let repository = ("repository", build.key.repository)
        var (result, failed) = ("success", nil as Phase?)
        switch build.result {
        case .success: add("slipway_images_built_total", 1, [repository])
        case .failure(let error):
            (result, failed) = (error.remembered == nil ? "cancelled" : "failure", error.phase)
            if error.remembered != nil {
                add("slipway_failures_total", 1, [repository, ("phase", error.phase.rawValue)])
            }
        }
        add("slipway_builds_total", 1, [repository, ("result", result)])
        for step in build.steps { record(step, result: step.phase == failed ? result : "success") }
    }

    private func record(_ step: CycleReport.Step, result: String) {
        add("slipway_phase_seconds_total", step.seconds, [("phase", step.phase.rawValue)])
        switch step.phase {
        case .execute: observe("slipway_build_seconds", step.seconds, [("result", result)])
        case .push: observe("slipway_push_seconds", step.seconds, [("result", result)])
        default: break
        }
    }

    package func record(_ report: CycleReport, seconds: Double, now: Double) {
        let repository = ("repository", report.repository)
        add("slipway_cycles_total", 1, [repository, ("result", report.failures.isEmpty ? "success" : "failure")])
        observe("slipway_cycle_seconds", seconds, [repository])
        for step in report.steps {
            let failed = report.failures.contains { $0.phase == step.phase && $0.subject == step.subject }
            record(step, result: failed ? "failure" : "success")
        }
        add("slipway_updates_total", report.commit == nil ? 0 : Double(report.updates.count), [repository])
        add("slipway_commits_total", report.commit == nil ? 0 : 1, [repository])
        // Builds are counted when they end, once each, whoever waited for them.
        for failure in report.failures where failure.attempts == nil {
            add("slipway_failures_total", 1, [repository, ("phase", failure.phase.rawValue)])
        }
        if report.failures.isEmpty { succeeded(report.repository, at: now) }
    }

    /// What the build cache takes of the disk.
    func record(_ cache: CacheUse) {
        if let size = cache.size { set("slipway_cache_size_bytes", Double(size)) }
        if let limit = cache.limit { set("slipway_cache_limit_bytes", Double(limit)) }
    }
}
