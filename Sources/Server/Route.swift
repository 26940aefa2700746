import Agent

/// What can be asked for, by its path.
enum Route: Sendable, Equatable {
    case alive, ready, metrics
    case status, repositories, events
    case cycle(repository: String), builds(repository: String), workloads(repository: String), images(
        repository: String)
    case build(id: String), log(build: String)
    case queue, newestImages, image(String), policies(repository: String)
    case sync, plan, retry, release, edits
    case pause(repository: String), resume(repository: String), stop(build: String)
    case page(PageRoute), action(PageAction), asset(Asset)

    init?(_ path: [String]) {
        if let page = PageRoute(path) {
            self = .page(page)
            return
        }
        if let action = PageAction(path) {
            self = .action(action)
            return
        }
        switch path.count {
        case 1:
            switch path[0] {
            case "healthz": self = .alive
            case "readyz": self = .ready
            case "metrics": self = .metrics
            default:
                guard let asset = Asset.named(path[0]) else { return nil }
                self = .asset(asset)
            }
        case 3...5 where path[0] == "api" && path[1] == "v1": self.init(api: Array(path[2...]))
        default: return nil
        }
    }

    private init?(api path: [String]) {
        switch (path.count, path[0], path.last) {
        case (1, "status", _): self = .status
        case (1, "repositories", _): self = .repositories
        case (1, "events", _): self = .events
        case (1, "sync", _): self = .sync
        case (1, "plan", _): self = .plan
        case (1, "retry", _): self = .retry
        case (1, "release", _): self = .release
        case (1, "edits", _): self = .edits
        case (1, "queue", _): self = .queue
        case (1, "images", _): self = .newestImages
        case (2, "images", _): self = .image(path[1])
        case (2, "builds", _): self = .build(id: path[1])
        case (3, "builds", "log"): self = .log(build: path[1])
        case (3, "builds", "stop"): self = .stop(build: path[1])
        case (3, "repositories", "cycle"): self = .cycle(repository: path[1])
        case (3, "repositories", "builds"): self = .builds(repository: path[1])
        case (3, "repositories", "workloads"): self = .workloads(repository: path[1])
        case (3, "repositories", "images"): self = .images(repository: path[1])
        case (3, "repositories", "policies"): self = .policies(repository: path[1])
        case (3, "repositories", "pause"): self = .pause(repository: path[1])
        case (3, "repositories", "resume"): self = .resume(repository: path[1])
        default: return nil
        }
    }

    /// What who asks by the network has to be allowed. Workloads and images are not known: the agent asks git and registries for them.
    var need: APIAccess.Need {
        switch self {
        case .alive, .ready, .asset: .nothing
        case .metrics, .status, .repositories, .events, .cycle, .builds, .build, .log, .page, .queue, .newestImages,
            .image,
            .policies:
            .reading
        case .action, .workloads, .images, .sync, .plan, .retry, .release, .edits, .pause, .resume, .stop: .writing
        }
    }

    /// Whether it is asked for by POST.
    var isPost: Bool {
        switch self {
        case .sync, .plan, .retry, .release, .edits, .pause, .resume, .stop, .action: true
        default: false
        }
    }
}
