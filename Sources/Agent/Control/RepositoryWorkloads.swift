import ManifestUpdater
import OCI
package import RegistryPoller

/// The workloads of one repository, for people: listed, and edited by commits. The same in the agent and in a command that works
/// by itself.
package struct RepositoryWorkloads: Sendable {
    private let editor: RepositoryEditor
    private let poller: RegistryPoller
    /// What the editor's mirror is open by.
    private let mirrors: MirrorShelf?

    package init(editor: RepositoryEditor, poller: RegistryPoller, keeping mirrors: MirrorShelf? = nil) {
        self.editor = editor
        self.poller = poller
        self.mirrors = mirrors
    }

    // MARK: Editing

    /// - Parameter alert: takes what a person should know beside the answer.
    package func edit(
        _ request: EditRequest, alert: @escaping @Sendable (String) -> Void
    ) async throws(ControlError) -> EditAnswer {
        switch (request.release, request.policies) {
        case (let order?, nil): return try await release(order, request, alert)
        case (nil, let order?): return try await setPolicies(order, request)
        default:
            throw ControlError(.invalidRequest, "an edit has exactly one of 'release' and 'policies'")
        }
    }

    private func setPolicies(_ order: PolicyOrder, _ request: EditRequest) async throws(ControlError) -> EditAnswer {
        try order.validate()
        let (update, ids, words) = (order.update, Set(order.workloads), request.message)
        let outcome = try await controlled {
            try await editor.edit(
                dryRun: request.dryRun,
                command: PersonalCommand(verb: "policy", user: request.user) { updates in
                    CommitMessage.policies(update, workloads: Set(updates.map(\.workload)).sorted(), user: words)
                }
            ) { path, bytes, rules in
                ManifestUpdater.update(bytes, file: path, policies: update, of: ids, rules: rules)
            }
        }
        let changed = Set(outcome.changes.map(\.object))
        let results = ids.sorted().map { id in
            let reason = outcome.skipped.first { $0.object == id }?.reason
            if let reason { return WorkloadResult(workload: id, status: "failed", updates: [reason]) }
            if changed.contains(id) { return WorkloadResult(workload: id, status: "success", updates: []) }
            return outcome.met.contains(id)
                ? WorkloadResult(workload: id, status: "skipped", updates: ["policies up to date"])
                : WorkloadResult(workload: id, status: "failed", updates: [Release.notFound])
        }
        return EditAnswer(
            commit: outcome.published, workloads: results, changes: outcome.changes.count)
    }

    private func release(
        _ order: ReleaseOrder, _ request: EditRequest, _ alert: @escaping @Sendable (String) -> Void
    ) async throws(ControlError) -> EditAnswer {
        let head = try await controlled { try await editor.fetch() }
        let found = try await controlled { try await editor.containers(at: head, alert: alert) }
        let release = Release(
            selection: try await selection(order, found, head, alert), named: order.workloads,
            excluded: Set(order.excluded), force: order.force)
        var results = release.results(found)
        let outcome = try await controlled {
            try await editor.edit(
                dryRun: request.dryRun,
                command: PersonalCommand(verb: "release", user: request.user) { _ in
                    CommitMessage.release(image: order.image, workloads: order.workloads, user: request.message)
                }
            ) { path, bytes, rules in release.update(bytes, file: path, rules: rules) }
        }
        // What the rewriter refused is a failure of its workload.
        for skip in outcome.skipped {
            guard let index = results.firstIndex(where: { $0.workload == skip.object && $0.status == "success" }) else {
                continue
            }
            results[index].status = "failed"
            results[index].updates = [skip.reason]
        }
        return EditAnswer(
            commit: outcome.published, workloads: results, missing: release.missing(in: found),
            changes: outcome.changes.count)
    }

    /// Asks the registries what has to be known before anything is decided.
    private func selection(
        _ order: ReleaseOrder, _ found: [WorkloadContainer], _ head: TrustedHead, _ alert: (String) -> Void
    ) async throws(ControlError) -> Release.Selection {
        guard let image = order.image else {
            guard order.latest else {
                throw ControlError(
                    .invalidRequest, "the release names no image", place: "release.image",
                    hint: "name one, or set 'latest' for the best that each filter allows")
            }
            let named = order.workloads
            let images = found.filter { named.isEmpty || named.contains($0.workload.description) }.map(\.image)
            let history = try await controlled { try await editor.history(of: head) }
            return .latest(await AvailableImages(of: images, from: poller, history: history))
        }
        guard !order.latest, let reference = try? Reference(image), let tag = ImageLocation(reference).tag else {
            throw ControlError(
                .invalidRequest, "'\(image)' is not an image with its tag", place: "release.image",
                hint: "write NAME:TAG, without 'latest'")
        }
        let record: TagRecord
        do throws(PollError) {
            record = try await poller.look(at: tag, in: ImageLocation(reference).repository)
        } catch {
            alert("warning: it is not known whether the image \(image) exists: \(error.cause ?? error.summary)")
            return .exactly(WrittenReference(image), digest: nil)
        }
        // As in Flux: an image that is not there must not get into git.
        guard record.digest != nil else {
            throw ControlError(
                .missingImage, "image \"\(image)\" does not exist", cause: record.problem,
                hint: "push it first, or look at the tags with 'slipway registry tags'")
        }
        return .exactly(WrittenReference(image), digest: record.digest)
    }

    // MARK: Listing

    /// Every workload of the head.
    package func list(alert: (String) -> Void) async throws(ControlError) -> [WorkloadListing.Workload] {
        let found = try await controlled { try await editor.containers(at: try await editor.fetch(), alert: alert) }
        return found.grouped.map { WorkloadListing.Workload(id: $0, $1) }
    }

    /// The images that workloads run and could run, for each container the one that its filter's order puts first at the front.
    package func images(
        _ filter: WorkloadFilter, alert: (String) -> Void
    ) async throws(ControlError) -> [ImageListing.Workload] {
        let head = try await controlled { try await editor.fetch() }
        let found = try await controlled { try await editor.containers(at: head, alert: alert) }
            .filter { filter.holds($0.workload) }
        let images = await AvailableImages(
            of: found.map(\.image), from: poller,
            history: try await controlled { try await editor.history(of: head) })
        return found.grouped.map { id, containers in
            ImageListing.Workload(id: id, containers: containers.map { ImageListing.Container($0, images) })
        }
    }
}
