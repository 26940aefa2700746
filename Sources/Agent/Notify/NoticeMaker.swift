import Notifications

/// What the agent does, as notices: a failure once and its end once, whatever comes between.
struct NoticeMaker: Sendable {
    /// By the names of the repositories.
    private(set) var incidents: [String: Incidents]
    var pages: String?
    /// In seconds.
    var failingFor: Int64 = 0

    init(_ incidents: [String: Incidents] = [:]) { self.incidents = incidents }

    /// Repositories that the configuration has no more fail no more, and nobody wants to know.
    mutating func keep(only repositories: Set<String>) {
        incidents = incidents.filter { repositories.contains($0.key) }
    }

    private func writer(_ repository: String, _ now: Int64) -> NoticeWriter {
        NoticeWriter(repository: repository, pages: pages, now: now)
    }

    private mutating func change<Value>(
        _ repository: String, _ body: (inout Incidents) -> Value
    ) -> Value {
        var known = incidents[repository] ?? Incidents()
        let value = body(&known)
        incidents[repository] = known.isEmpty ? nil : known
        return value
    }

    /// What the world is at fault for may be over the next moment; the rest is told at once.
    private func isDue(_ failure: CycleReport.Failure, since: Int64, _ now: Int64) -> Bool {
        failure.disposition == .stalled || now - since >= failingFor
    }

    // MARK: Builds

    /// A build ended.
    ///
    /// - Parameter record: as history has it.
    mutating func notices(of build: BuildEnd, _ record: BuildRecord?, at now: Int64) -> [Notice] {
        let (repository, pipeline) = (build.key.repository, build.key.pipeline)
        switch build.result {
        case .success(let image):
            let ended = change(repository) { $0.ended(.build(pipeline)) }
            return [writer(repository, now).built(image, record, ended: ended)]
        case .failure(let error):
            // What was cancelled says nothing of the pipeline.
            guard error.remembered != nil else { return [] }
            var report = CycleReport(repository: repository, url: "", branch: "")
            report.fail(error)
            return report.failures.compactMap { failed($0, pipeline, of: repository, record, at: now) }
        }
    }

    private mutating func failed(
        _ failure: CycleReport.Failure, _ pipeline: String, of repository: String, _ record: BuildRecord?,
        at now: Int64
    ) -> Notice? {
        let known = incidents[repository]?.since(.build(pipeline))
        let since = known ?? failure.since ?? now
        let isDue = isDue(failure, since: since, now)
        let news = change(repository) { $0.found(.build(pipeline), since: since, isDue: isDue) }
        return news == .begins ? writer(repository, now).buildFailed(pipeline, failure, record) : nil
    }

    // MARK: Cycles

    /// A cycle ended.
    mutating func notices(of report: CycleReport, at now: Int64) -> [Notice] {
        let writer = writer(report.repository, now)
        var notices = failures(report, writer)
        for decision in report.decisions where decision.isHold == true {
            let news = change(report.repository) { $0.found(.hold(decision.subject), since: now, isDue: true) }
            if news == .begins { notices.append(writer.held(decision)) }
        }
        if let commit = writer.committed(report.commits, report.updates) { notices.append(commit) }
        for pull in report.pullRequests {
            let news = change(report.repository) { $0.found(.pullRequest(pull.url), since: now, isDue: true) }
            if news == .begins { notices.append(writer.opened(pull)) }
        }
        notices += report.images.filter { !$0.built && !$0.digest.isEmpty }.map(writer.named)
        return notices + ends(report, writer)
    }

    private mutating func failures(_ report: CycleReport, _ writer: NoticeWriter) -> [Notice] {
        var notices: [Notice] = []
        for failure in report.failures where failure.attempts != nil {
            guard let pipeline = failure.subject else { continue }
            if let notice = failed(failure, pipeline, of: report.repository, nil, at: writer.now) {
                notices.append(notice)
            }
        }
        let others = report.failures.filter { $0.attempts == nil }
        guard !others.isEmpty else { return notices }
        let since = incidents[report.repository]?.since(.cycle) ?? writer.now
        let isDue = others.contains { self.isDue($0, since: since, writer.now) }
        let ways = Set(others.map(Self.way))
        let news = change(report.repository) { $0.found(.cycle, ways: ways, since: since, isDue: isDue) }
        switch news {
        case .nothing: return notices
        case .begins: return notices + [writer.failing(others, isFurther: false)]
        case .widens(let new):
            return notices + [writer.failing(others.filter { new.contains(Self.way($0)) }, isFurther: true)]
        }
    }

    private static func way(_ failure: CycleReport.Failure) -> String {
        "\(failure.phase.rawValue) \(BoundedText.ends(of: failure.subject ?? "", limit: 200))"
    }

    /// A cycle that failed, or that goes on beside a build, did not look at everything: what it does not find may still be there.
    private mutating func ends(_ report: CycleReport, _ writer: NoticeWriter) -> [Notice] {
        let hasOthers = report.failures.contains { $0.attempts == nil }
        guard !hasOthers else { return [] }
        return change(report.repository) { incidents in
            var notices: [Notice] = []
            if let ended = incidents.ended(.cycle) { notices.append(writer.recovered(ended)) }
            guard report.failures.isEmpty else { return notices }
            if report.pending.isEmpty {
                for pipeline in incidents.failingPipelines {
                    guard let ended = incidents.ended(.build(pipeline)) else { continue }
                    notices.append(writer.buildRecovered(pipeline, ended))
                }
            }
            let holds = Set(report.decisions.lazy.filter { $0.isHold == true }.map(\.subject))
            for subject in incidents.holds where !holds.contains(subject) {
                if let ended = incidents.ended(.hold(subject)) { notices.append(writer.released(subject, ended)) }
            }
            let pulls = Set(report.pullRequests.map(\.url))
            for url in incidents.pullRequests where !pulls.contains(url) { _ = incidents.ended(.pullRequest(url)) }
            return notices
        }
    }

    // MARK: People

    func notices(of commit: CycleReport.Published, in repository: String, at now: Int64) -> [Notice] {
        writer(repository, now).committed([commit], []).map { [$0] } ?? []
    }

    /// - Parameter pause: `nil`: a person resumed it.
    func notices(of pause: RepositoryPause?, _ repository: String, at now: Int64) -> [Notice] {
        [pause.map(writer(repository, now).paused) ?? writer(repository, now).resumed()]
    }
}
