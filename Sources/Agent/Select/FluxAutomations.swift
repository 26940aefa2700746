import Diagnostics
import ManifestUpdater

/// Flux v2's automations: which marked values they update, and how these are written back.
///
/// Where the repository holds none, every marker counts. Where it holds one, a marker outside of all of them is left.
struct FluxAutomations: Sendable {
    /// What an automation does with a value.
    struct Duty: Sendable {
        /// What is applied together with the automation; `nil`: not known.
        let cluster: Int?
        /// `nil`: as the agent's configuration says.
        let writeBack: WriteBack?

        /// Whether an object of Flux asks for it, and not the agent's configuration alone.
        var isOfAutomation: Bool { cluster != nil }
    }

    enum Verdict: Sendable {
        case updated(Duty)
        case left(String)
    }

    private struct Entry: Sendable {
        let automation: FluxAutomation
        let cluster: Int
        /// Why it does nothing; `nil` when it works on the watched branch of this repository.
        let rest: String?
        let writeBack: WriteBack
    }

    private let entries: [Entry]
    private let inventory: FluxInventory
    /// What is to be said of the automations themselves.
    let decisions: [CycleReport.Decision]

    init(
        _ inventory: FluxInventory, repository: AgentConfiguration.RepositoryConfiguration,
        git: AgentConfiguration.GitConfiguration, tree: RevisionTree, hasMarkers: Bool
    ) {
        self.inventory = inventory
        var decisions: [CycleReport.Decision] = []
        var entries: [Entry] = []
        for finished in inventory.automations {
            let automation = FluxAutomation(finished.object)
            let rest = Self.rest(of: automation, finished, inventory, repository, tree)
            let subject = "\(automation.location.file):\(automation.location.line) \(automation.subject)"
            if let rest {
                decisions.append(CycleReport.Decision(subject: subject, reason: "does nothing here: it \(rest)"))
            } else {
                decisions += automation.disobeyed(by: git, watching: repository.branch).map {
                    CycleReport.Decision(subject: subject, reason: $0.reason, remedy: $0.remedy)
                }
            }
            entries.append(
                Entry(
                    automation: automation, cluster: finished.cluster, rest: rest,
                    writeBack: automation.writeBack(watching: repository.branch)))
        }
        if entries.isEmpty, hasMarkers, inventory.hasPolicies {
            decisions.append(
                CycleReport.Decision(
                    subject: "image policies",
                    reason: "no ImageUpdateAutomation is in the repository: every marker counts"))
        }
        self.entries = entries
        self.decisions = decisions
    }

    /// Who updates a marked value.
    func duty(for target: ImageTarget) -> Verdict {
        guard case .flux2Marker(let namespace, let name) = target.source else { return .left("no marker") }
        guard !entries.isEmpty else { return .updated(Duty(cluster: nil, writeBack: nil)) }
        var reasons: [String] = []
        for entry in entries {
            let automation = entry.automation
            if let rest = entry.rest {
                reasons.append("the \(automation.subject) (\(automation.location)) \(rest)")
            } else if !automation.covers(target.file) {
                reasons.append("the \(automation.subject) updates '\(automation.path)' only")
            } else if let own = automation.namespace, own != namespace {
                reasons.append(
                    "the \(automation.subject) applies the policies of its own namespace, and the marker names "
                        + "\(namespace):\(name)")
            } else if let reason = selectorLeavesOut(name, in: namespace, entry) {
                reasons.append("the \(automation.subject) \(reason)")
            } else {
                return .updated(Duty(cluster: entry.cluster, writeBack: entry.writeBack))
            }
        }
        let shown = reasons.prefix(3).joined(separator: "; ")
        return .left("not updated: \(shown)" + (reasons.count > 3 ? "; and \(reasons.count - 3) more" : ""))
    }

    private func selectorLeavesOut(_ name: String, in namespace: String, _ entry: Entry) -> String? {
        guard let selector = entry.automation.policySelector else { return nil }
        switch inventory.search(.imagePolicy, name, in: namespace, of: entry.cluster) {
        case .found(let policy) where selector.matches(policy.object.labels): return nil
        case .found: return "leaves the image policy \(namespace):\(name) out by its policySelector"
        case .missing:
            return "selects policies by labels, and the image policy \(namespace):\(name) is not in the repository"
        // That it is unknown is told when the policy is asked.
        case .unknown: return nil
        }
    }

    /// Why an automation does nothing on the branch that is watched.
    private static func rest(
        of automation: FluxAutomation, _ finished: FluxInventory.Finished, _ inventory: FluxInventory,
        _ repository: AgentConfiguration.RepositoryConfiguration, _ tree: RevisionTree
    ) -> String? {
        if let unknown = finished.unknown { return "has a final form that is not known: \(unknown)" }
        if automation.isSuspended { return "is suspended" }
        if let problem = automation.problem { return "cannot be used: \(problem)" }
        guard automation.sourceKind == "GitRepository" else {
            return "cannot be used: its source is a \(automation.sourceKind.prefix(40)), not a GitRepository"
        }
        let space = automation.sourceNamespace ?? automation.namespace ?? ""
        let source: FluxGitRepository
        switch inventory.search(.gitRepository, automation.sourceName, in: space, of: finished.cluster) {
        case .found(let found): source = FluxGitRepository(found.object)
        case .unknown(let reason): return "has a source that is not known: \(reason)"
        case .missing:
            return "names the GitRepository \(space):\(automation.sourceName), which is not in the repository, so that "
                + "nobody knows what it updates"
        }
        guard KanikoDiscovery.isSameRepository(source.url, as: [repository.url] + repository.aliases) else {
            return "updates another repository, \(RepositoryAddress.shown(source.url))"
        }
        let reference = automation.checkout ?? source.reference
        guard let branch = reference?.branch else {
            return "checks out \(reference?.description ?? "nothing"), and the branch '\(repository.branch)' is watched"
        }
        guard branch == repository.branch else {
            return "works on the branch '\(branch)', and '\(repository.branch)' is watched"
        }
        guard tree.isDirectory(automation.path) || tree.file(automation.path) != nil else {
            return "updates '\(automation.path)', which is not in the repository"
        }
        return nil
    }
}

extension FluxAutomation {
    fileprivate var subject: String { "ImageUpdateAutomation " + (namespace.map { "\($0)/" } ?? "") + name }

    /// Who commits, in which words, and where to, as the automation says it.
    fileprivate func writeBack(watching branch: String) -> WriteBack {
        var writeBack = WriteBack(
            subject: subject, location: location, automation: (namespace.map { "\($0)/" } ?? "") + name)
        writeBack.author = WriteBack.Author(name: authorName.isEmpty ? authorEmail : authorName, email: authorEmail)
        // The controller's own default.
        writeBack.message = messageTemplate ?? "Update from image update automation"
        writeBack.values = messageValues
        writeBack.root = path
        if let pushBranch, Self.branch(pushBranch) != branch { writeBack.branch = Self.branch(pushBranch) }
        if let refspec { writeBack.refspecs = [refspec] }
        return writeBack
    }

    private static func branch(_ text: String) -> String {
        let prefix = "refs/heads/"
        return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    }

    /// The second push, from branch to branch; `nil` for other references.
    private var refspec: WriteBack.Refspec? {
        guard let pushRefspec else { return nil }
        let parts = pushRefspec.drop { $0 == "+" }.split(separator: ":", omittingEmptySubsequences: false)
        let prefix = "refs/heads/"
        guard parts.count == 2, parts[0].hasPrefix(prefix), parts[1].hasPrefix(prefix),
            !parts[0].contains("*"), parts[0].count > prefix.count, parts[1].count > prefix.count
        else { return nil }
        return WriteBack.Refspec(
            source: String(parts[0].dropFirst(prefix.count)), destination: String(parts[1].dropFirst(prefix.count)))
    }

    /// What the automation says and is not done, or is said otherwise by the agent's configuration.
    fileprivate func disobeyed(
        by git: AgentConfiguration.GitConfiguration, watching branch: String
    ) -> [(reason: String, remedy: String?)] {
        var reasons: [(reason: String, remedy: String?)] = []
        if hasSigningKey, git.commit.signing == nil {
            reasons.append(
                (
                    "git.commit.signingKey is not obeyed: the key is in a Secret of the cluster",
                    "give the agent the key: 'git.commit.signing' in its configuration"
                ))
        }
        if hasPushOptions { reasons.append(("git.push.options are not obeyed: no push options are sent", nil)) }
        if let pushRefspec {
            if let refspec {
                let own = writeBack(watching: branch).branch ?? branch
                if refspec.source != own, git.pushBranch == nil {
                    reasons.append(
                        (
                            "git.push.refspec is not obeyed: '\(refspec.source)' is not the branch that is committed to, "
                                + "'\(own)'", nil
                        ))
                }
            } else {
                reasons.append(
                    (
                        "git.push.refspec '\(pushRefspec.prefix(200))' is not obeyed: only refs/heads/A:refs/heads/B is",
                        nil
                    ))
            }
        }
        if git.pushBranch != nil, pushBranch != nil || pushRefspec != nil {
            reasons.append(
                ("git.push is not obeyed: the agent's own 'git.push.branch' or 'git.pullRequest' counts", nil))
        }
        if git.saysAuthor {
            reasons.append(("git.commit.author is not obeyed: the agent's own 'git.author' counts", nil))
        }
        if git.commit.message != nil, messageTemplate != nil {
            reasons.append(
                ("git.commit.messageTemplate is not obeyed: the agent's own 'git.commit.message' counts", nil))
        }
        return reasons
    }
}
