import Agent
import Glibc
import NIOHTTP1

/// The pages: each is made of what the agent tells at that moment, and nothing is kept between two requests.
struct Pages: Sendable {
    let control: any AgentControl
    let forms: ActionForms
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

    func answer(_ page: PageRoute, _ request: ServerRequest, _ response: Response) async throws(ControlError) {
        let clock = PageClock(now: now())
        let overview = await control.overview()
        let document =
            switch page {
            case .fleet: FleetPage(overview: overview, clock: clock, request: request).document()
            case .repository(let name): try await repository(name, overview, clock, request)
            case .image(let text): try await image(text, overview, clock, request)
            case .policy(let name, let place): try await policy(name, place, overview, clock, request)
            case .build(let id): try await build(id, overview, clock, request)
            }
        response.send(.ok, type: Self.type, document.bytes, extra: Self.headers)
    }

    /// Tells an error as a page.
    func fail(_ error: ControlError, _ response: Response) async {
        let page = ProblemPage(overview: await control.overview(), error: error, clock: PageClock(now: now()))
        // A browser that is asked for a password would keep it, and send it by itself.
        let status = error.code == .unauthorized ? .forbidden : error.code.status
        response.send(status, type: Self.type, page.document().bytes, extra: Self.headers)
    }

    private static let type = "text/html; charset=utf-8"

    private func repository(
        _ name: String, _ overview: AgentOverview, _ clock: PageClock, _ request: ServerRequest
    ) async throws(ControlError) -> HTMLDocument {
        let status = try overview.status(of: name)
        let builds = try await control.builds(of: name, limit: 50, olderThan: nil)
        let report: CycleReport?
        // Before the first cycle there is none.
        do throws(ControlError) { report = try await control.lastCycle(of: name) } catch { report = nil }
        return RepositoryPage(
            overview: overview, status: status, builds: builds, report: report, clock: clock, forms: forms,
            result: ActionResult(request)
        ).document()
    }

    private func image(
        _ text: String, _ overview: AgentOverview, _ clock: PageClock, _ request: ServerRequest
    ) async throws(ControlError) -> HTMLDocument {
        let image = try await control.image(text, of: request.query["repository"])
        return ImagePage(overview: overview, image: image, clock: clock).document()
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
        let (bytes, _) = try await LogAnswer.whole(control, id)
        var view = BuildLogView(
            id: id, text: bytes, window: BuildLogView.Window(request), isComplete: bytes.count < LogAnswer.limit)
        view.isGrowing = !record.state.isOver
        return BuildPage(
            overview: overview, build: record, log: view, clock: clock, forms: forms, result: ActionResult(request)
        ).document()
    }
}
