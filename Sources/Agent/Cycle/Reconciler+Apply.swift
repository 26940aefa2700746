import Git

extension Reconciler {
    /// Applies what the branch holds now: the agent's own commit of this cycle, or the head.
    func apply(_ head: TrustedHead, mode: CycleMode, in cycle: CycleRecorder) async throws(ReconcileError) {
        guard let settings = repository.apply, let services = services.apply else { return }
        guard mode != .plan else {
            cycle.decide("apply", "objects are applied by 'sync' and the agent, not by 'plan'")
            return
        }
        let git = self.services.git
        let own = cycle.report.commits.last { $0.branch == repository.branch }?.commit
        let revision = try await cycle.phase(.apply) { () async throws -> Commit in
            guard let own else { return head.commit }
            return try await git.remote.commit(try ObjectID(hex: own))
        }
        let application = ManifestApplication(
            repository: repository, settings: settings,
            services: try await cycle.phase(.apply) { try services.get() }, git: git)
        // Who waits for builds waits for what they bring.
        let isWaiting = mode != .background && cycle.report.pending.isEmpty
        try await application.run(at: revision, isWaiting: isWaiting, in: cycle)
    }
}
