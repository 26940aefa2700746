import Diagnostics
import Git
import ManifestUpdater
import OCI
import RegistryPoller

/// Chooses the image of each place that is followed.
struct ImageSelector: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let remote: any GitRemote
    /// Whether changes go to a branch where people look at them before they are merged.
    let goesToBranch: Bool
    /// How the agent's commits come to be, where no object of the repository says it.
    let git: AgentConfiguration.GitConfiguration

    /// What a cycle knows when it chooses.
    struct Facts: Sendable {
        let tree: RevisionTree
        let followed: RevisionCache.Scan
        let history: BranchHistory
        /// Repositories whose images the agent itself builds.
        let built: Set<RepositoryLocation>
        let catalog: TagCatalog
    }

    /// A place whose policy or image is wrong is its own failure; the others go on.
    ///
    /// - Parameter trace: what is told of every place that is looked at.
    func choices(
        _ facts: Facts, in cycle: CycleRecorder, tracing trace: SelectionTrace? = nil
    ) async -> [ImageChoice] {
        let followed = facts.followed
        if followed.targets.allSatisfy({ $0.held == .unannotated }), followed.applications.isEmpty, followed.skipped.isEmpty {
            cycle.decide(
                "updates", "no workload is annotated",
                remedy: "annotate one with fluxcd.io/automated: \"true\" to have its images updated")
        }
        let answerer = ImageAnswerer(built: facts.built, history: facts.history, catalog: facts.catalog)
        let workloads = AnnotatedWorkloads(
            items: followed.targets.filter { !$0.isMarker }, repository: repository, goesToBranch: goesToBranch,
            answerer: answerer)
        let marked = followed.targets.filter(\.isMarker)
        let automations = FluxAutomations(
            followed.flux, repository: repository, git: git, tree: facts.tree, hasMarkers: !marked.isEmpty)
        cycle.decide(automations.decisions)
        let markers = FluxMarkers(
            items: marked, inventory: followed.flux, automations: automations, overrides: repository.policies,
            built: facts.built)
        let (images, wrong) = ArgoApplications.items(of: followed.applications)
        let applications = ArgoApplications(
            items: images, repository: repository, tree: facts.tree, remote: remote)
        await facts.catalog.prefetch(
            Set(workloads.items.compactMap(workloads.scan) + markers.items.compactMap(markers.scan)))
        let tail = SelectionTail(answerer: answerer, tree: facts.tree, cycle: cycle, trace: trace)
        var choices = await tail.choices(from: workloads)
        choices += await tail.choices(from: markers)
        cycle.decide(wrong)
        choices += await tail.choices(from: applications)
        return choices
    }
}

/// What is done with every item of every dialect: ask, hold back, tell, fail.
private struct SelectionTail {
    let answerer: ImageAnswerer
    let tree: RevisionTree
    let cycle: CycleRecorder
    let trace: SelectionTrace?

    func choices<Source: UpdateSource>(from source: Source) async -> [ImageChoice] {
        var choices: [ImageChoice] = []
        for item in source.items {
            let subject = source.subject(of: item)
            var asked: Inquiry.Asked?
            let outcome: Result<SelectionOutcome, ReconcileError>
            do throws(ReconcileError) {
                outcome = .success(try await self.outcome(of: item, called: subject, source, &asked))
            } catch {
                outcome = .failure(error)
            }
            await trace?.saw(item, of: source, outcome, asked: asked, by: answerer)
            do throws(ReconcileError) {
                switch try outcome.get() {
                case .left(let reason): cycle.decide(subject, reason)
                case .held(let reason):
                    cycle.decide([CycleReport.Decision(subject: subject, reason: reason, isHold: true)])
                case .chosen(let choice): choices.append(choice)
                }
            } catch {
                cycle.fail(error)
            }
        }
        return choices
    }

    /// What a manifest says wrong stays so; a registry that does not answer may do so the next time.
    private func outcome<Source: UpdateSource>(
        of item: Source.Item, called subject: String, _ source: Source, _ inquired: inout Inquiry.Asked?
    ) async throws(ReconcileError) -> SelectionOutcome {
        if let hold = source.hold(on: item) { return .left("not updated: \(hold)") }
        let inquiry = try await cycle.phase(.select, subject: subject) { try await source.inquiry(for: item) }
        switch inquiry {
        case .left(let reason): return .left(reason)
        case .ask(var asked):
            asked.question.takenBack = answerer.history.written.takenBack(
                at: asked.place.written, current: asked.place.current, isGone: { tree.entry($0) == nil })
            inquired = asked
            let question = asked.question
            let answer = try await cycle.phase(.scan, subject: subject) { try await answerer.answer(question) }
            guard let tag = answer.tag else { return .left("not updated: \(answer.reason)") }
            let outcome: SelectionOutcome
            do throws(AgentError) {
                outcome = try source.outcome(
                    for: item, asked, ChosenTag(tag: tag, digest: answer.digest, reason: answer.reason))
            } catch {
                throw ReconcileError(error, subject: subject, in: .select)
            }
            guard case .chosen = outcome, let value = answer.heldFor else { return outcome }
            return .held(
                "held: a person took back \(value.text), which \(value.commit.short) wrote; "
                    + "\(tag) waits until something newer appears, or for 'slipway release'")
        }
    }
}
