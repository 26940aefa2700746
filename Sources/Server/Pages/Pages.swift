import Agent
import Glibc
import NIOHTTP1

/// The pages: each is made of what the agent tells at that moment.
struct Pages: Sendable {
    let control: any AgentControl
    let forms: ActionForms
    let shelf: PageShelf
    /// Seconds since 1970.
    var now: @Sendable () -> Int64 = { Int64(time(nil)) }

    /// Foreign text is escaped where pages are made; this holds if that should ever fail.
    private static let headers = [
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
                + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        ("Referrer-Policy", "same-origin"),
    ]

    /// What the script asks by that reads a page anew, and so by no reader who waits for what he did.
    private static let live = "Slipway-Live"

    func answer(_ page: PageRoute, _ request: ServerRequest, _ response: Response) async throws(ControlError) {
        if case .search = page { return await search(request, response) }
        let document: HTMLDocument
        if request.headers.contains(name: Self.live), let path = request.path {
            let event = await control.events().newest
            let key = PageShelf.Key(path: path, query: request.query)
            document = try await shelf.document(key, at: event) { () async throws(ControlError) in
                try await self.document(page, request)
            }
        } else {
            document = try await self.document(page, request)
        }
        response.send(.ok, type: Self.type, document.bytes, extra: Self.headers)
    }

    private func document(_ page: PageRoute, _ request: ServerRequest) async throws(ControlError) -> HTMLDocument {
        let clock = PageClock(now: now())
        let overview = await control.overview()
        return switch page {
        case .fleet, .search: FleetPage(overview: overview, clock: clock, request: request).document()
        case .repository(let name): try await repository(name, overview, clock, request)
        case .image(let text): try await image(text, overview, clock, request)
        case .policy(let name, let place): try await policy(name, place, overview, clock, request)
        case .build(let id): try await build(id, overview, clock, request)
        }
    }

    /// Leads to what is found, where it is one thing.
    private func search(_ request: ServerRequest, _ response: Response) async {
        let text = request.query["q"] ?? ""
        let overview = await control.overview()
        let hits = await Search(text, control: control, overview: overview).hits()
        if let hit = hits.first, hits.allSatisfy({ $0.address == hit.address }) {
            return response.redirect(to: hit.address)
        }
        let page = SearchPage(overview: overview, text: text, hits: hits, clock: PageClock(now: now()))
        response.send(.ok, type: Self.type, page.document().bytes, extra: Self.headers)
    }

    /// Tells an error as a page.
    func fail(_ error: ControlError, _ request: ServerRequest, _ response: Response) async {
        let overview = await control.overview()
        var page = ProblemPage(overview: overview, error: error, clock: PageClock(now: now()))
        if error.code.isAbsence, let path = request.path {
            page.near = await NearPages(path, control: control, overview: overview)
        }
        // A browser that is asked for a password would keep it, and send it by itself.
        let status = error.code == .unauthorized ? .forbidden : error.code.status
        response.send(status, type: Self.type, page.document().bytes, extra: Self.headers)
    }

    private static let type = "text/html; charset=utf-8"

    private func repository(
        _ name: String, _ overview: AgentOverview, _ clock: PageClock, _ request: ServerRequest
    ) async throws(ControlError) -> HTMLDocument {
        let status = try overview.status(of: name)
        let isWhole = request.query["all"] == "1"
        let builds = try await control.builds(of: name, limit: isWhole ? 200 : 20, olderThan: nil)
        let cycles = try? await control.cycles(of: name, limit: 200)
        // Before the first cycle there is none.
        let report = try? await control.lastCycle(of: name)
        var page = RepositoryPage(
            overview: overview, status: status, report: report,
            timeline: Timeline(builds: builds, cycles: cycles ?? [], isWhole: isWhole), clock: clock, forms: forms)
        page.result = ActionResult(request)
        let control = control
        // A registry that is slow holds no page up.
        page.running = await control.running()
        page.places = await soon { try? await control.explanations(of: name, nil, trying: nil) } ?? nil
        return page.document()
    }

    private func image(
        _ text: String, _ overview: AgentOverview, _ clock: PageClock, _ request: ServerRequest
    ) async throws(ControlError) -> HTMLDocument {
        let image = try await control.image(text, of: request.query["repository"])
        let running = await control.running()
        return ImagePage(overview: overview, image: image, running: running, clock: clock).document()
    }

    private func policy(
        _ name: String, _ place: String, _ overview: AgentOverview, _ clock: PageClock, _ request: ServerRequest
    ) async throws(ControlError) -> HTMLDocument {
        let trial = request.query["policy"].map { PolicyTrial(policy: $0, current: request.query["current"]) }
        guard let explanation = try await control.explanations(of: name, place, trying: trial).first else {
            throw ControlError(
                .notFound, "nothing at '\(place)' has an image",
                hint: "the file may have changed: look at its repository")
        }
        return PolicyPage(
            overview: overview, repository: name, place: place, explanation: explanation, clock: clock,
            request: request
        ).document()
    }

    private func build(
        _ text: String, _ overview: AgentOverview, _ clock: PageClock, _ request: ServerRequest
    ) async throws(ControlError) -> HTMLDocument {
        guard let id = BuildID(text) else {
            throw ControlError(.unknownBuild, "'\(text)' is not the name of a build")
        }
        let record = try await control.build(id)
        let (bytes, hasMore) = try await LogAnswer.whole(control, id)
        let logs = StepLogs(bytes, of: record.steps, isComplete: !hasMore || bytes.count < LogAnswer.limit)
        var page = BuildPage(
            overview: overview, build: record, logs: logs, window: LogWindow(request), clock: clock, forms: forms)
        page.result = ActionResult(request)
        if record.failure != nil {
            let pipeline = record.description.pipeline
            let older = try? await control.builds(of: pipeline.repository, limit: 50, olderThan: id)
            page.lastGood = older?.first { $0.state == .succeeded && $0.description.pipeline == pipeline && $0.id < id }
        }
        return page.document()
    }
}

/// What a task finds within a moment; `nil` when it takes longer. The task goes on: who asks again may get its result.
///
/// - Parameter patience: how long a page waits for what is only a part of it.
func soon<Value: Sendable>(
    within patience: Duration = .milliseconds(300), _ find: @escaping @Sendable () async -> Value
) async -> Value? {
    let (answers, told) = AsyncStream<Value?>.makeStream()
    Task { told.yield(await find()) }
    let timer = Task {
        do { try await Task.sleep(for: patience) } catch { return }
        told.yield(nil)
    }
    defer { timer.cancel() }
    for await answer in answers { return answer }
    return nil
}
