import Blocking
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
        let argo = await argoFollowing(facts)
        if followed.targets.allSatisfy({ $0.held == .unannotated }), followed.skipped.isEmpty, argo.images.isEmpty,
            argo.decisions.isEmpty
        {
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
        let applications = ArgoApplications(
            items: argo.images,
            places: ArgoPlaceFinder(
                argo.images, repository: repository, tree: facts.tree, goesToBranch: goesToBranch), remote: remote)
        let tail = SelectionTail(answerer: answerer, tree: facts.tree, cycle: cycle, trace: trace)
        let (annotated, byMarker, applied) = (
            await tail.questions(of: workloads), await tail.questions(of: markers),
            await tail.questions(of: applications)
        )
        await facts.catalog.prefetch(
            (annotated.inquiries + byMarker.inquiries + applied.inquiries).compactMap(tail.scan))
        var choices = await tail.choices(from: annotated)
        choices += await tail.choices(from: byMarker)
        cycle.decide(argo.decisions)
        choices += await tail.choices(from: applied)
        return choices
    }

    /// What Argo CD's Applications want, those that ApplicationSets make among them.
    private func argoFollowing(_ facts: Facts) async -> ArgoFollowing {
        let (followed, updaters) = (facts.followed, facts.followed.imageUpdaters)
        var sets = ApplicationSetExpansion(
            repository: repository, files: SetFiles(tree: facts.tree, remote: remote))
        await sets.expand(followed.applicationSets, areSelected: !updaters.isEmpty)
        return ArgoFollowing(
            applications: followed.applications + sets.applications, updaters: updaters,
            told: sets.decisions
                + (updaters.isEmpty ? [] : followed.unreadApplications).map {
                    CycleReport.Decision(subject: $0.place, reason: $0.reason, isPassedOver: true)
                })
    }
}

/// What the items of one dialect ask.
private struct Questions<Source: UpdateSource>: Sendable {
    let source: Source
    let inquiries: [Result<Inquiry, ReconcileError>]
}

/// What is done with every item of every dialect: ask, hold back, tell, fail.
private struct SelectionTail: Sendable {
    let answerer: ImageAnswerer
    let tree: RevisionTree
    let cycle: CycleRecorder
    let trace: SelectionTrace?

    /// What the items want to know; no registry is asked for that.
    func questions<Source: UpdateSource>(of source: Source) async -> Questions<Source> {
        var inquiries: [Result<Inquiry, ReconcileError>] = []
        for item in source.items {
            if let hold = source.hold(on: item) {
                inquiries.append(.success(.left("not updated: \(hold)")))
                continue
            }
            do throws(ReconcileError) {
                let inquiry = try await cycle.phase(.select, subject: source.subject(of: item)) {
                    try await source.inquiry(for: item)
                }
                inquiries.append(.success(withTakenBack(inquiry)))
            } catch {
                inquiries.append(.failure(error))
            }
        }
        return Questions(source: source, inquiries: inquiries)
    }

    /// With what people took back at the place that is asked for.
    private func withTakenBack(_ inquiry: Inquiry) -> Inquiry {
        guard case .ask(var asked) = inquiry else { return inquiry }
        asked.question.takenBack = answerer.history.written.takenBack(
            at: asked.place.written, current: asked.place.current, isGone: { tree.entry($0) == nil })
        return .ask(asked)
    }

    /// What is to be known of a registry for an inquiry.
    func scan(_ inquiry: Result<Inquiry, ReconcileError>) -> TagCatalog.ScanRequest? {
        guard case .success(.ask(let asked)) = inquiry else { return nil }
        return answerer.scan(for: asked.question)
    }

    /// Registries are asked side by side; what comes of it is told in the order of the files.
    func choices<Source: UpdateSource>(from questions: Questions<Source>) async -> [ImageChoice] {
        let source = questions.source
        let outcomes = await concurrentMap(Array(zip(source.items, questions.inquiries)), width: TagCatalog.width) {
            (item, inquiry) -> Result<SelectionOutcome, ReconcileError> in
            do throws(ReconcileError) {
                return .success(try await outcome(of: item, inquiry, source))
            } catch {
                return .failure(error)
            }
        }
        var choices: [ImageChoice] = []
        for (number, (item, outcome)) in zip(source.items, outcomes).enumerated() {
            let subject = source.subject(of: item)
            var asked: Inquiry.Asked?
            if case .success(.ask(let found)) = questions.inquiries[number] { asked = found }
            await trace?.saw(item, of: source, outcome, asked: asked, by: answerer)
            switch outcome {
            case .success(.left(let reason)), .success(.paused(let reason)): cycle.decide(subject, reason)
            case .success(.held(let reason)):
                cycle.decide([CycleReport.Decision(subject: subject, reason: reason, isHold: true)])
            case .success(.chosen(let choice)): choices.append(choice)
            case .failure(let error): cycle.fail(error)
            }
        }
        return choices
    }

    /// What a manifest says wrong stays so; a registry that does not answer may do so the next time.
    private func outcome<Source: UpdateSource>(
        of item: Source.Item, _ inquiry: Result<Inquiry, ReconcileError>, _ source: Source
    ) async throws(ReconcileError) -> SelectionOutcome {
        let subject = source.subject(of: item)
        switch try inquiry.get() {
        case .left(let reason): return .left(reason)
        case .paused(let reason): return .paused(reason)
        case .ask(let asked):
            let question = asked.question
            let answer = try await cycle.phase(.scan, subject: subject) { try await answerer.answer(question) }
            if let created = answer.createdInUse { cycle.runs(question.image.repository, created: created) }
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
