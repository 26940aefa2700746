import AgentFakes
import Cluster
import Git
import JSON
import Notifications
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// Events on the agent's Deployment.
@Suite(.tags(.unit)) struct EventRecorderTests {
    private let namespace = FakeNamespace()
    private let clock = FakeClock()
    private let collected = LogCollector()
    private let pod: AgentPod

    init() throws { pod = try #require(AgentPod(PodEnvironment(name: "slipway-abc-1", namespace: "ci"))) }

    private func notice(
        _ kind: NoticeKind, of repository: String = "shop", _ title: String = "it happened", text: String = ""
    ) -> Notice {
        Notice(kind, of: repository, title: title, text: text, hint: "look at it", at: clock.now)
    }

    private func poster() -> EventPoster {
        EventPoster(namespace, pod: pod, clock: clock, log: EventLog(collected.logger))
    }

    @Test func `an Event is on the Deployment, and says what happened`() async throws {
        namespace.deploy()
        await poster().post(notice(.buildFailed, "shop: the build of web failed", text: "RUN make: exit code 2"))
        let event = try #require(namespace.events.first)
        #expect(
            event["regarding"] == [
                "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ci", "name": "slipway", "uid": "u-1",
            ])
        #expect(event["reason"] == "BuildFailed")
        #expect(event["type"] == "Warning")
        #expect(event["note"] == "shop: the build of web failed\nRUN make: exit code 2\nHint: look at it")
        #expect(event["eventTime"] == "2023-11-14T22:13:20.000000Z")
        #expect(event["metadata"]["namespace"] == "ci")
        #expect(event["reportingInstance"] == "slipway-abc-1")
    }

    @Test(arguments: [
        ("Pod slipway-abc-1", "Pod", "slipway-abc-1", "get pods"),
        ("ReplicaSet slipway-abc", "ReplicaSet", "slipway-abc", "get replicasets.apps"),
    ])
    func `without the right to read an owner it is on what is known, and that is logged once`(
        forbidden: String, kind: JSONValue, name: JSONValue, right: String
    ) async throws {
        namespace.deploy()
        namespace.forbid(forbidden)
        let poster = poster()
        for repository in ["a", "b"] { await poster.post(notice(.buildSucceeded, of: repository)) }
        #expect(namespace.events.map { $0["regarding"]["kind"] } == [kind, kind])
        #expect(namespace.events.map { $0["regarding"]["name"] } == [name, name])
        #expect(namespace.events.first?["type"] == "Normal")
        #expect(collected.lines.count == 1)
        #expect(collected.lines.first?.contains("right=\(right) in ci") == true, "\(collected.lines)")
        // Rights that are granted later are used.
        namespace.allow()
        await poster.post(notice(.buildSucceeded, of: "c"))
        #expect(namespace.events.last?["regarding"]["kind"] == "Deployment")
    }

    @Test(arguments: [("create", "Events are not written"), ("patch", "repeated Events are not counted")])
    func `a right that is missing is logged once`(verb: String, effect: String) async throws {
        namespace.deploy()
        namespace.forbid(verb)
        let poster = poster()
        for _ in 0..<4 { await poster.post(notice(.updateCommitted)) }
        let lines = collected.lines
        #expect(lines.count == 1)
        #expect(lines.first?.contains("\(effect): a right is missing") == true, "\(lines)")
        #expect(lines.first?.contains("right=\(verb) events.events.k8s.io in ci") == true, "\(lines)")
        #expect(lines.first?.contains("cluster.events: false") == true)
    }

    @Test func `an outage is logged once, until it is over`() async throws {
        namespace.deploy()
        let poster = poster()
        for isDown in [true, true, false, true] {
            if isDown { namespace.forbid("create", as: .unavailable) } else { namespace.allow() }
            await poster.post(notice(.updateCommitted, of: "shop \(clock.now)"))
            clock.advance(by: 1)
        }
        #expect(namespace.events.count == 1)
        #expect(collected.lines.filter { $0.contains("an Event was not written") }.count == 2)
    }

    @Test func `the same reason is counted, and after a while is another Event`() async throws {
        let poster = poster()
        for title in ["fetch", "push", "scan"] { await poster.post(notice(.repositoryFailing, title)) }
        await poster.post(notice(.repositoryFailing, of: "other"))
        await poster.post(notice(.updateHeld))
        #expect(namespace.events.map { $0["reason"] } == ["RepositoryFailing", "RepositoryFailing", "UpdateHeld"])
        let name = namespace.events.first?["metadata"]["name"].text ?? ""
        #expect(namespace.counts == ["\(name) 2", "\(name) 3"])
        clock.advance(by: 400)
        await poster.post(notice(.repositoryFailing))
        #expect(namespace.events.count == 4)
    }

    @Test func `an Event that the API server deleted is written again`() async throws {
        let poster = poster()
        await poster.post(notice(.updateHeld))
        namespace.forbid("patch", as: .notFound)
        await poster.post(notice(.updateHeld))
        #expect(namespace.events.count == 2)
        #expect(collected.lines.isEmpty)
    }

    @Test func `many at once are not all written, and the next count has them`() async throws {
        let poster = poster()
        for number in 0..<100 { await poster.post(notice(.buildSucceeded, of: "r\(number)")) }
        #expect(namespace.events.count == 25)
        clock.advance(by: 60)
        for number in 100..<200 { await poster.post(notice(.buildSucceeded, of: "r\(number)")) }
        #expect(namespace.events.count == 30)
        for _ in 0..<3 { await poster.post(notice(.buildSucceeded, of: "r0")) }
        #expect(namespace.counts.isEmpty)
        clock.advance(by: 12)
        await poster.post(notice(.buildSucceeded, of: "r0"))
        #expect(namespace.counts.map { $0.split(separator: " ").last } == ["5"])
    }

    @Test func `a clock that is set back stops nothing`() {
        var pace = EventPace()
        let times: [Int64] = Array(repeating: 1_000_000, count: 26) + [1_000, 1_012]
        let admitted = times.map { pace.admits(at: $0) }
        #expect(admitted == Array(repeating: true, count: 25) + [false, false, true])
    }

    @Test(arguments: ["x", "ü", "€", "🚢"])
    func `a note is no longer than the API takes`(character: String) async throws {
        await poster().post(notice(.buildFailed, text: "a" + String(repeating: character, count: 2_900) + " the end"))
        let note = try #require(namespace.events.first?["note"].text)
        #expect(note.utf8.count <= 1_024)
        #expect(note.hasPrefix("it happened") && note.hasSuffix("look at it"))
    }

    @Test func `an API server that does not answer holds nothing up, and what waits is bounded`() async throws {
        namespace.stop()
        let recorder = EventRecorder(namespace, pod: pod, clock: clock, logger: collected.logger)
        for number in 0..<1_000 { recorder.take([notice(.updateHeld, of: "r\(number)")]) }
        #expect((99...100).contains(recorder.backlog))
        namespace.goOn()
        // The pace lets no more through.
        try await waitUntil("Events are written") { namespace.events.count == 25 }
        #expect(recorder.adopt(Self.settings(events: false)) == false)
        clock.advance(by: 3_600)
        recorder.take([notice(.updateHeld, of: "another")])
        #expect(recorder.adopt(Self.settings(events: nil)) == true)
        recorder.take([notice(.updateCommitted, of: "the last")])
        try await waitUntil("the next Event is written") { namespace.events.last?["reason"] == "UpdateCommitted" }
        #expect(!namespace.events.contains { $0["note"].text?.contains("another") == true })
    }

    private static func settings(events: Bool?) -> AgentConfiguration.ClusterSettings {
        var settings = AgentConfiguration.ClusterSettings()
        settings.events = events
        return settings
    }

    @Test func `every kind of notice has its reason`() {
        let reasons = NoticeKind.events.compactMap(\.eventReason)
        #expect(Set(reasons).count == NoticeKind.events.count)
        #expect(NoticeKind.test.eventReason == nil)
    }

    @Test func `outside of a pod that knows its name there are no Events`() {
        for pod in [PodEnvironment(), PodEnvironment(name: "a"), PodEnvironment(namespace: "b")] {
            #expect(EventRecorder.open(Self.settings(events: nil), pod: pod, logger: collected.logger) == nil)
        }
        #expect(collected.lines.isEmpty)
        #expect(EventRecorder.open(Self.settings(events: true), pod: .init(), logger: collected.logger) == nil)
        #expect(collected.lines.count == 1)
    }

    @Test func `what the agent does is written, without any channel`() async throws {
        namespace.deploy()
        let world = try await DaemonWorld(
            "shop", events: EventRecorder(namespace, pod: pod, logger: collected.logger))
        try await world.begin()
        world.host("shop").fail("fetch", with: GitError(.network, "no route"))
        try await world.nextLook()
        try await waitUntil("an Event is there") { !namespace.events.isEmpty }
        #expect(namespace.events.first?["reason"] == "RepositoryFailing")
        #expect(namespace.events.first?["regarding"]["kind"] == "Deployment")
        await world.loop.stop()
    }
}

/// A namespace of an API server in memory.
private final class FakeNamespace: EventKeeping {
    private struct State: Sendable {
        var objects: [String: JSONValue] = [:]
        var events: [JSONValue] = []
        var counts: [String] = []
        /// By the verb, or by kind and name.
        var failures: [String: ClusterError.Code] = [:]
        var isStopped = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var events: [JSONValue] { state.withLock(\.events) }
    var counts: [String] { state.withLock(\.counts) }

    func find(_ kind: ResourceKind, _ name: String, in namespace: String) async throws(ClusterError) -> JSONValue? {
        try check("\(kind.kind) \(name)")
        return state.withLock { $0.objects["\(kind.kind) \(name)"] }
    }

    func create(_ event: JSONValue, in namespace: String) async throws(ClusterError) {
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.isStopped { state.waiting.append(continuation) }
                return !state.isStopped
            }
            if goesOn { continuation.resume() }
        }
        try check("create")
        state.withLock { $0.events.append(event) }
    }

    func count(_ series: JSONValue, of name: String, in namespace: String) async throws(ClusterError) {
        try check("patch")
        state.withLock { $0.counts.append("\(name) \(series["count"].integer ?? 0)") }
    }

    private func check(_ what: String) throws(ClusterError) {
        if let code = state.withLock({ $0.failures[what] }) { throw ClusterError(code, "no") }
    }

    func forbid(_ what: String, as code: ClusterError.Code = .forbidden) { state.withLock { $0.failures[what] = code } }
    func allow() { state.withLock { $0.failures = [:] } }

    /// Answers nothing from now on.
    func stop() { state.withLock { $0.isStopped = true } }

    func goOn() {
        let waiting = state.withLock { state in
            defer { (state.waiting, state.isStopped) = ([], false) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// A pod of a Deployment.
    func deploy() {
        func owned(by kind: JSONValue, _ name: JSONValue) -> JSONValue {
            let owner: JSONValue = [
                "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u-1", "controller": true,
            ]
            return ["metadata": ["uid": "u", "ownerReferences": [owner]]]
        }
        state.withLock {
            $0.objects["Pod slipway-abc-1"] = owned(by: "ReplicaSet", "slipway-abc")
            $0.objects["ReplicaSet slipway-abc"] = owned(by: "Deployment", "slipway")
        }
    }
}
