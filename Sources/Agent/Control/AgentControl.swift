package import Telemetry
package import Webhooks

/// What a running agent can be asked: by its API, and so by commands beside it. It triggers and tells; nothing of it
/// configures.
package protocol AgentControl: Sendable {
    /// Whether the first attempts are made, in words.
    var readiness: (isReady: Bool, text: String) { get }
    /// All metrics, as a scrape gets them.
    func metrics(as format: MetricsFormat) -> String

    /// What is watched.
    func watched() async -> [WatchedRepository]
    func overview() async -> AgentOverview
    /// What the last cycle of a repository did and decided.
    func lastCycle(of repository: String) async throws(ControlError) -> CycleReport

    /// What happens from now on, and happened a moment ago.
    func events() async -> EventJournal

    // MARK: History

    /// The builds of a repository, the newest first.
    ///
    /// - Parameter older: only those that are older than it.
    func builds(of repository: String, limit: Int, olderThan older: BuildID?) async throws(ControlError)
        -> [BuildRecord]
    func build(_ id: BuildID) async throws(ControlError) -> BuildRecord
    /// What the cycles of a repository did, the newest first. Those that did and decided nothing new are not kept.
    func cycles(of repository: String, limit: Int) async throws(ControlError) -> [CycleEntry]
    /// Whole lines of a build's log.
    ///
    /// - Parameter start: in bytes: 0, or the end of the piece before.
    func log(of id: BuildID, from start: Int) async throws(ControlError) -> LogPart

    // MARK: Policies and images

    /// Who decides about places of a repository's last known head, and what was considered.
    ///
    /// - Parameters:
    ///   - subject: a place, an object or an image, as `slipway explain` takes it; `nil` for all, without their tags.
    ///   - trial: another policy to judge the tags by.
    func explanations(
        of repository: String, _ subject: String?, trying trial: PolicyTrial?
    ) async throws(ControlError) -> [Explanation]
    /// An image of the agent's, and where the manifests have it.
    ///
    /// - Parameters:
    ///   - text: a digest, or a reference with its tag.
    ///   - repository: whose builds are looked through; `nil`: those of all, the newest of them.
    func image(_ text: String, of repository: String?) async throws(ControlError) -> ImageDetails

    /// What the configuration's cluster runs, by the last look at it; `nil` where there is none. Returns at once.
    func running() async -> RunningWorkloads?

    // MARK: Triggers

    /// Runs a cycle of each repository that is named, behind the one that is under way; none: of all. A sync waits for the builds
    /// that it began, and rolls them out. What has begun ends, whether or not anybody waits for it.
    ///
    /// - Parameter say: lines for people, while it runs.
    func run(
        _ request: CycleRequest, _ mode: CycleMode, say: @escaping @Sendable (ProgressLine) -> Void
    ) async throws(ControlError) -> [CycleReport]
    /// Switches a repository off: no cycle of it begins, over restarts too. What is under way goes on.
    func pause(_ repository: String, _ request: PauseRequest) async throws(ControlError) -> PauseAnswer
    /// Switches it on again, with a cycle at once.
    func resume(_ repository: String) async throws(ControlError) -> PauseAnswer
    /// Stops a build that waits or runs. The same content is not built again before somebody retries it.
    func stopBuild(_ id: BuildID) async throws(ControlError) -> StopAnswer
    /// Lets what failed be tried again at once.
    func retry(_ request: RetryRequest) async throws(ControlError) -> RetryAnswer

    /// A request for one of the webhook receivers: verified, and answered without waiting for what it begins.
    func webhook(_ receiver: String, _ request: WebhookRequest) async -> WebhookAnswer

    // MARK: Workloads

    /// Edits manifests, in a commit.
    func edit(_ request: EditRequest) async throws(ControlError) -> EditAnswer
    /// The workloads of a repository's head.
    func workloads(of repository: String) async throws(ControlError) -> WorkloadListing
    /// The images that they run and could run.
    func images(of repository: String, _ filter: WorkloadFilter) async throws(ControlError) -> ImageListing
}
