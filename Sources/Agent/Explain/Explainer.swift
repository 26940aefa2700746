import Diagnostics
import Git
import ManifestUpdater

/// Says of a place, an object or an image who decides about it, which tags were considered, and what would have to change. It
/// goes the way of a cycle up to its choices, and changes nothing.
package struct Explainer: Sendable {
    let reconciler: Reconciler
    /// `nil`: the branch is fetched.
    let known: TrustedHead?

    /// Explains the branch's head, fetched anew, by what registries hold now.
    package init(_ reconciler: Reconciler) {
        self.reconciler = reconciler
        known = nil
    }

    /// Explains a head that is known, by the registries' last scans.
    init(_ reconciler: Reconciler, at head: TrustedHead) {
        self.reconciler = reconciler
        known = head
    }

    /// - Parameters:
    ///   - trial: another policy to judge the tags by.
    ///   - tagLimit: of the tags that are told with their verdicts.
    /// - Returns: in the order of the files; empty when nothing of the kind is in the repository.
    package func explain(
        _ query: ExplainQuery, trying trial: PolicyTrial? = nil, tagLimit: Int = Explanation.tagLimit
    ) async throws(ReconcileError) -> [Explanation] {
        let cycle = CycleRecorder(reconciler.report(dryRun: true)) { _ in }
        let head: TrustedHead
        if let known { head = known } else { head = try await reconciler.sync(in: cycle) }
        let found = try await cycle.phase(.discover) { try await reconciler.discover(at: head) }
        let trace = SelectionTrace(query, trying: trial, tagLimit: tagLimit)
        _ = await reconciler.selector.choices(
            ImageSelector.Facts(
                tree: found.tree, followed: Self.narrowed(found.followed, to: query), history: found.history,
                built: found.builtRepositories,
                catalog: TagCatalog(reconciler.services.tags, reuse: known == nil ? 0 : Self.lastScan)),
            in: cycle, tracing: trace)
        var explanations = trace.explanations
        for skip in found.followed.skipped where query.matches(skip.place, image: nil) {
            explanations.append(Explanation(subject: skip.place, state: .left, reason: skip.reason))
        }
        explanations += try await cycle.phase(.discover) {
            try await unfollowed(query, in: found.tree, known: Set(explanations.map(\.subject)))
        }
        return query.narrowed(explanations)
    }

    /// Whatever age the last scan has, a cycle decided by it.
    private static let lastScan = Int64.max

    /// A selection looks at more than what is asked for, but not at everything: neighbours in a file tell of each other.
    private static func narrowed(_ scan: RevisionCache.Scan, to query: ExplainQuery) -> RevisionCache.Scan {
        let files = Set(
            scan.targets.filter { target in
                target.isMarker
                    || query.matches(
                        "\(target.file):\(target.location.line) \(target.workload)", image: target.image.description)
            }.map(\.file))
        var scan = scan
        scan.targets.removeAll { target in
            if let file = query.file { target.file != file } else { !files.contains(target.file) }
        }
        return scan
    }

    /// Containers that nothing speaks of.
    private func unfollowed(
        _ query: ExplainQuery, in tree: RevisionTree, known: Set<String>
    ) async throws(AgentError) -> [Explanation] {
        let files = RevisionFiles(tree: tree, remote: reconciler.services.git.remote)
        let rules = try await reconciler.services.git.revisions.imageRules(in: tree).rules
        var explanations: [Explanation] = []
        for entry in tree.entries where UpdateRequest.isManifest(entry.path) && query.file ?? entry.path == entry.path {
            guard let bytes = try? await files.read(entry.path, limit: RevisionCache.manifestLimit) else { continue }
            for container in ManifestScan.containers(file: entry.path, bytes: bytes, rules: rules).0 {
                let workload = "\(container.file):\(container.line) \(container.workload)"
                let subject = "\(workload) \(container.container)"
                guard query.matches(subject, image: container.image.description), !known.contains(subject),
                    !known.contains(workload),
                    container.held?.isNoAutomation ?? false
                else { continue }
                var one = Explanation(
                    subject: subject, state: .left, reason: container.held.map { "\($0)" } ?? "nothing asks for updates"
                )
                one.current = container.image.description
                one.remedy =
                    "annotate it: 'slipway automate -w \(container.workload)', or mark the image with an image policy"
                explanations.append(one)
            }
        }
        return explanations
    }
}
