import Notifications
import Text

/// The words of notices.
struct NoticeWriter: Sendable {
    let repository: String
    /// Where pages are.
    let pages: String?
    /// In seconds since 1970.
    let now: Int64

    private func notice(
        _ kind: NoticeKind, about subject: String? = nil, _ title: String, text: String = "", hint: String? = nil,
        facts: [Notice.Fact] = [], link: String? = nil, incident: Incidents.Subject? = nil
    ) -> Notice {
        Notice(
            kind, of: repository, subject: subject, title: "\(repository): \(title)", text: text, hint: hint,
            facts: facts, link: link ?? page, incident: incident.map { "\(repository)/\($0.key)" }, at: now)
    }

    private var page: String? { pages.map { "\($0)/repositories/\(PercentEncoding.encode(repository))" } }

    private func page(of build: BuildRecord?) -> String? {
        pages.flatMap { pages in build.map { "\(pages)/builds/\($0.id)" } }
    }

    // MARK: Builds

    /// - Parameter build: as history has it.
    func buildFailed(_ pipeline: String, _ failure: CycleReport.Failure, _ build: BuildRecord?) -> Notice {
        var facts = commit(build?.description.revision)
        if let next = failure.nextAt {
            facts.append(Notice.Fact("Next attempt", UTCDate(secondsSince1970: next).rfc3339))
        }
        return notice(
            .buildFailed, about: pipeline, "the build of \(pipeline) failed", text: failure.message,
            hint: failure.hint, facts: facts, link: page(of: build), incident: .build(pipeline))
    }

    /// - Parameter ended: what it ends, where the pipeline failed before.
    func built(_ image: CycleReport.Image, _ build: BuildRecord?, ended: Incidents.Incident?) -> Notice {
        var facts = [Notice.Fact("Digest", image.digest)] + commit(build?.description.revision)
        if let ended { facts.append(failedFor(ended)) }
        return notice(
            ended == nil ? .buildSucceeded : .buildRecovered, about: image.pipeline,
            ended == nil ? "\(image.pipeline) was built" : "\(image.pipeline) was built again",
            text: image.references.joined(separator: "\n"), facts: facts, link: page(of: build),
            incident: ended == nil ? nil : .build(image.pipeline))
    }

    func buildRecovered(_ pipeline: String, _ ended: Incidents.Incident) -> Notice {
        notice(
            .buildRecovered, about: pipeline, "\(pipeline) does not fail any more",
            text: "There is nothing to build.", facts: [failedFor(ended)], incident: .build(pipeline))
    }

    func named(_ image: CycleReport.Image) -> Notice {
        notice(
            .imagePushed, about: image.pipeline, "the image of \(image.pipeline) got another name",
            text: image.references.joined(separator: "\n"), facts: [Notice.Fact("Digest", image.digest)])
    }

    // MARK: Cycles

    /// - Parameter isFurther: whether it is told already that the repository fails.
    func failing(_ failures: [CycleReport.Failure], isFurther: Bool) -> Notice {
        let names = Set(failures.map(\.phase.rawValue)).sorted().joined(separator: ", ")
        return notice(
            .repositoryFailing, "the cycle \(isFurther ? "also " : "")fails at: \(names)",
            text: failures.map(\.message).joined(separator: "\n"), hint: failures.lazy.compactMap(\.hint).first,
            incident: .cycle)
    }

    func recovered(_ ended: Incidents.Incident) -> Notice {
        notice(.repositoryRecovered, "cycles succeed again", facts: [failedFor(ended)], incident: .cycle)
    }

    func committed(_ commits: [CycleReport.Published], _ updates: [CycleReport.Update]) -> Notice? {
        guard let last = commits.last else { return nil }
        let shown = 20
        var lines = updates.prefix(shown).map { "\($0.workload) \($0.container): \($0.old) -> \($0.new)" }
        if updates.count > shown { lines.append("and \(updates.count - shown) more") }
        let title = last.message.split(whereSeparator: \.isNewline).first.map(String.init) ?? "committed"
        return notice(
            .updateCommitted, commits.count > 1 ? "\(title) (\(commits.count) commits)" : title,
            text: lines.joined(separator: "\n"),
            facts: commit(last.commit) + [Notice.Fact("Branch", last.branch)])
    }

    func opened(_ pull: CycleReport.PullRequest) -> Notice {
        let isLink = pull.url.hasPrefix("https://") || pull.url.hasPrefix("http://")
        return notice(
            .pullRequestOpened, about: pull.branch, "pull request \(pull.number) is open", text: pull.title,
            link: isLink && pull.url.utf8.allSatisfy { (0x21...0x7e).contains($0) } ? pull.url : nil)
    }

    func held(_ decision: CycleReport.Decision) -> Notice {
        notice(
            .updateHeld, about: decision.subject, "an update of \(decision.subject) is held back",
            text: decision.reason, hint: decision.remedy, incident: .hold(decision.subject))
    }

    func released(_ subject: String, _ ended: Incidents.Incident) -> Notice {
        notice(
            .updateReleased, about: subject, "nothing holds back \(subject) any more",
            facts: [Notice.Fact("Held for", Self.length(now - ended.since))], incident: .hold(subject))
    }

    func paused(_ pause: RepositoryPause) -> Notice {
        notice(
            .repositoryPaused, "paused" + (pause.user.map { " by \($0)" } ?? ""), text: pause.message ?? "",
            hint: "'slipway resume \(repository)' switches it on again")
    }

    func resumed() -> Notice { notice(.repositoryResumed, "resumed") }

    // MARK: Facts

    private func commit(_ revision: String?) -> [Notice.Fact] {
        revision.map { [Notice.Fact("Commit", String($0.prefix(12)))] } ?? []
    }

    private func failedFor(_ incident: Incidents.Incident) -> Notice.Fact {
        Notice.Fact("Failed for", Self.length(now - incident.since))
    }

    /// `2 h 5 min`.
    static func length(_ seconds: Int64) -> String {
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days) d \(hours) h" }
        if hours > 0 { return "\(hours) h \(minutes) min" }
        return minutes > 0 ? "\(minutes) min" : "\(max(0, seconds)) s"
    }
}
