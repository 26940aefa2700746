import Agent

/// What a form of a page asks for. A form has its token in its body, where no browser puts it by itself.
enum PageAction: Sendable, Equatable {
    case sync(String), pause(String), resume(String), retry(String), release(String)
    case retryBuild(String), stopBuild(String)

    init?(_ path: [String]) {
        guard path.count == 3 else { return nil }
        switch (path[0], path[2]) {
        case ("repositories", "sync"): self = .sync(path[1])
        case ("repositories", "pause"): self = .pause(path[1])
        case ("repositories", "resume"): self = .resume(path[1])
        case ("repositories", "retry"): self = .retry(path[1])
        case ("repositories", "release"): self = .release(path[1])
        case ("builds", "retry"): self = .retryBuild(path[1])
        case ("builds", "stop"): self = .stopBuild(path[1])
        default: return nil
        }
    }

    /// Where its form goes.
    var address: Address {
        switch self {
        case .sync(let name): .page(["repositories", name, "sync"])
        case .pause(let name): .page(["repositories", name, "pause"])
        case .resume(let name): .page(["repositories", name, "resume"])
        case .retry(let name): .page(["repositories", name, "retry"])
        case .release(let name): .page(["repositories", name, "release"])
        case .retryBuild(let id): .page(["builds", id, "retry"])
        case .stopBuild(let id): .page(["builds", id, "stop"])
        }
    }

    /// - Parameter form: its fields.
    /// - Returns: the page that tells what became of it.
    func perform(_ control: any AgentControl, _ form: [String: String]) async throws(ControlError) -> Address {
        let done: ActionResult
        switch self {
        case .sync(let name):
            let status = try await control.overview().status(of: name)
            guard status.paused == nil else {
                throw ControlError(.paused, "'\(name)' is paused", hint: "resume it first")
            }
            // The page does not wait for builds: it shows them.
            Task { try? await control.run(CycleRequest(repositories: [name]), .complete) { _ in } }
            done = .sync
        case .pause(let name):
            _ = try await control.pause(
                name, PauseRequest(user: Self.text(form["user"]), message: Self.text(form["message"])))
            done = .pause
        case .resume(let name):
            _ = try await control.resume(name)
            done = .resume
        case .retry(let name):
            _ = try await control.retry(RetryRequest(repository: name, pipeline: Self.text(form["pipeline"])))
            done = .retry
        case .release(let name): done = try await Self.release(name, control, form)
        case .retryBuild(let id):
            let pipeline = try await control.build(try Self.build(id)).description.pipeline
            _ = try await control.retry(RetryRequest(repository: pipeline.repository, pipeline: pipeline.pipeline))
            return FleetPage.page(pipeline.repository, done: .retry)
        case .stopBuild(let id):
            let build = try Self.build(id)
            _ = try await control.stopBuild(build)
            return BuildPage.page(build, done: .stop)
        }
        return FleetPage.page(repository, done: done)
    }

    private var repository: String {
        switch self {
        case .sync(let name), .pause(let name), .resume(let name), .retry(let name), .release(let name): name
        case .retryBuild, .stopBuild: ""
        }
    }

    private static func release(
        _ name: String, _ control: any AgentControl, _ form: [String: String]
    ) async throws(ControlError) -> ActionResult {
        guard let workload = text(form["workload"]) else {
            throw ControlError(.invalidRequest, "the form names no workload", place: "workload")
        }
        var request = ReleaseRequest(repository: name)
        request.workloads = [workload]
        request.user = text(form["user"])
        request.message = text(form["message"])
        let answer = try await control.edit(request.edit)
        if let failed = answer.workloads.first(where: { $0.status == "failed" }) {
            throw ControlError(
                .failed, "\(failed.workload) was not released", cause: failed.updates.joined(separator: ", "))
        }
        return answer.commit == nil ? .nothing : .release
    }

    private static func build(_ text: String) throws(ControlError) -> BuildID {
        if let id = BuildID(text) { return id }
        throw ControlError(.unknownBuild, "'\(text)' is not the name of a build")
    }

    /// An empty field says nothing.
    private static func text(_ value: String?) -> String? { value.flatMap { $0.isEmpty ? nil : $0 } }
}

/// What became of a form, as the page after it tells by its query.
enum ActionResult: String, Sendable {
    case sync, pause, resume, retry, stop, release, nothing

    init?(_ request: ServerRequest) {
        guard let result = request.query["done"].flatMap(ActionResult.init(rawValue:)) else { return nil }
        self = result
    }

    private var text: String {
        switch self {
        case .sync: "The agent looks at git and the registries now."
        case .pause: "The repository is paused."
        case .resume: "The repository is watched again."
        case .retry: "What failed is tried again now."
        case .stop: "The build is being stopped."
        case .release: "The release is committed."
        case .nothing: "Nothing was to be changed: the manifests have that image already."
        }
    }

    var html: HTML { Tag.div(.class("why ok"), .role("status")) { Tag.p(.class("b")) { text } } }
}
