import Agent
import Glibc
import NIOHTTP1
import OCI
import Telemetry

/// From requests to what the agent is asked, and back.
struct AgentAPI: RequestAnswering {
    let control: any AgentControl
    private let gate: RequestGate
    /// Between the comments of a stream of events.
    private let heartbeat: Duration
    private let frames = EventFrames()
    private let shelf = PageShelf()
    private let webhooks: WebhookService.Part

    init(
        control: any AgentControl, access: APIAccess?, heartbeat: Duration, webhooks: WebhookService.Part = .none
    ) {
        self.control = control
        gate = RequestGate(access: access)
        self.heartbeat = heartbeat
        self.webhooks = webhooks
    }

    func answer(_ request: ServerRequest, _ response: Response) async {
        if await WebhookService(control: control, part: webhooks).answer(request, response) { return }
        do throws(ControlError) {
            try await perform(try await gate.route(of: request), request, response)
        } catch {
            await refuse(request, error, response)
        }
    }

    private func refuse(_ request: ServerRequest, _ error: ControlError, _ response: Response) async {
        let route = request.path.flatMap(Route.init)
        if case .action? = route, request.isForPage {
            // What the page's reader did is answered as a page, and asks for nothing that a browser keeps.
            await pages.fail(error, request, response)
        } else if request.isForPage, ![.forbidden, .unauthorized, .tooManyAttempts].contains(error.code) {
            await pages.fail(error, request, response)
        } else {
            response.fail(error, extra: gate.headers(of: error, request))
        }
    }

    private var pages: Pages {
        let mode = gate.access.map { $0.takesOrders ? ActionForms.Mode.token : .off } ?? .open
        return Pages(control: control, forms: ActionForms(mode: mode), shelf: shelf)
    }

    private func perform(
        _ route: Route, _ request: ServerRequest, _ response: Response
    ) async throws(ControlError) {
        switch route {
        case .page(let page): try await pages.answer(page, request, response)
        case .action(let action): try await perform(action, request, response)
        case .asset(let asset): response.send(asset)
        case .alive: response.send(text: "ok\n")
        case .ready:
            let readiness = control.readiness
            response.send(readiness.isReady ? .ok : .serviceUnavailable, text: readiness.text + "\n")
        case .metrics:
            let format = request.metricsFormat
            response.send(type: format.contentType, text: control.metrics(as: format))
        case .status: response.send(json: await control.overview())
        case .repositories: response.send(json: WatchedRepositories(await control.watched()))
        case .events: try await stream(request, response)
        case .cycle(let repository): response.send(json: try await control.lastCycle(of: repository))
        case .builds(let repository):
            let limit = try request.number("limit", in: 1...200, otherwise: 50)
            let older = try request.query["before"].map(Self.build)
            let builds = try await control.builds(of: repository, limit: limit, olderThan: older)
            response.send(json: BuildListing(builds))
        case .build(let id): response.send(json: try await control.build(try Self.build(id)))
        case .log(let id):
            try await LogAnswer(control: control, build: try Self.build(id)).send(request, response)
        case .workloads(let repository): response.send(json: try await control.workloads(of: repository))
        case .policies(let repository):
            let trial = request.query["policy"].map { PolicyTrial(policy: $0, current: request.query["current"]) }
            response.send(
                json: PolicyListing(
                    try await control.explanations(of: repository, request.query["subject"], trying: trial)))
        case .newestImages: response.send(json: NewestImages(await control.overview()))
        case .image(let text):
            response.send(json: try await control.image(text, of: request.query["repository"]))
        case .queue: response.send(json: QueueListing(await control.overview()))
        case .images(let repository):
            let filter = WorkloadFilter(
                workload: request.query["workload"], namespace: request.query["namespace"])
            response.send(json: try await control.images(of: repository, filter))
        case .sync: try await run(.complete, request, response)
        case .plan: try await run(.plan, request, response)
        case .retry: response.send(json: try await control.retry(try Self.decode(RetryRequest.self, request)))
        case .edits: response.send(json: try await control.edit(try Self.decode(EditRequest.self, request)))
        case .release:
            response.send(json: try await control.edit(try Self.decode(ReleaseRequest.self, request).edit))
        case .pause(let repository):
            let order = request.body.isEmpty ? PauseRequest() : try Self.decode(PauseRequest.self, request)
            response.send(json: try await control.pause(repository, order))
        case .resume(let repository): response.send(json: try await control.resume(repository))
        case .stop(let id): response.send(json: try await control.stopBuild(try Self.build(id)))
        }
    }

    private func perform(
        _ action: PageAction, _ request: ServerRequest, _ response: Response
    ) async throws(ControlError) {
        guard let form = request.form else {
            throw ControlError(
                .invalidRequest, "this address takes a page's form", place: "Content-Type",
                hint: "programs use /api/v1: docs/agent.md lists its requests")
        }
        response.redirect(to: try await action.perform(control, form))
    }

    /// Streams events until the client goes.
    private func stream(_ request: ServerRequest, _ response: Response) async throws(ControlError) {
        var filter = EventFeed.Filter()
        if let name = request.query["repository"] {
            filter.repository = try await control.overview().status(of: name).repository
        }
        if let id = request.query["build"] { filter.build = try await control.build(try Self.build(id)).id }
        guard request.method != .HEAD else { return response.send(.ok, type: "text/event-stream", []) }
        // A browser sends the header by itself; who begins again can say it in the query.
        let last = request.headers.first(name: "Last-Event-ID") ?? request.query["lastEventID"]
        response.feed(filter, frames).run(
            await control.events(), after: last.map { EventID($0) }, now: Int64(time(nil)), heartbeat: heartbeat)
    }

    /// What is wrong with the request has a status of its own; what fails later comes at the end of the stream.
    private func run(_ mode: CycleMode, _ request: ServerRequest, _ response: Response) async throws(ControlError) {
        let order = try Self.decode(CycleRequest.self, request)
        let known = Set(await control.watched().map(\.name))
        if let name = order.repositories.first(where: { !known.contains($0) }) {
            throw ControlError(
                .unknownRepository, "the agent watches no repository '\(name)'",
                hint: "/api/v1/repositories lists those that it watches")
        }
        let stream = response.stream()
        do throws(ControlError) {
            let reports = try await control.run(order, mode) { stream.say($0.text) }
            stream.end(CycleEvent(reports: reports))
        } catch {
            stream.end(CycleEvent(error: error))
        }
    }

    private static func build(_ text: String) throws(ControlError) -> BuildID {
        guard let id = BuildID(text) else {
            throw ControlError(.unknownBuild, "'\(text)' is not the name of a build")
        }
        return id
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ request: ServerRequest
    ) throws(ControlError) -> Value {
        do { return try CanonicalJSON.decode(type, from: request.body) } catch {
            throw ControlError(
                .invalidRequest, "the body is not what is asked for here", cause: error.cause,
                hint: "docs/agent.md shows one")
        }
    }
}
