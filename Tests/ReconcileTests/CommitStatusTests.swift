import Agent
import AgentFakes
import Builder
import Synchronization
import TestSupport
import Testing

@testable import Forge

/// What hosts are told of the builds of a commit.
@Suite(.tags(.unit)) struct CommitStatusTests {
    /// A host that notes what it is told, and fails where a test says so.
    private final class Host: CommitStatusHost {
        private let state = Mutex<(told: [String], failures: [ForgeError], calls: Int)>(([], [], 0))
        private let shown = Mutex<[StatusDetails]>([])

        var told: [String] { state.withLock(\.told) }
        var calls: Int { state.withLock(\.calls) }
        var details: [StatusDetails] { shown.withLock(\.self) }

        func fail(_ failures: [ForgeError]) { state.withLock { $0.failures = failures } }

        func set(_ status: CommitStatus, of commit: String, on branch: String) async throws(ForgeError) {
            let failure = state.withLock { state -> ForgeError? in
                state.calls += 1
                guard state.failures.isEmpty else { return state.failures.removeFirst() }
                state.told.append("\(commit.prefix(4)) \(branch) \(status.name) \(status.state) \(status.link ?? "-")")
                return nil
            }
            if let failure { throw failure }
            if let details = status.details { shown.withLock { $0.append(details) } }
        }
    }

    private static let files = [
        ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
    ]

    private static func reporter(_ host: Host, _ clock: FakeClock, pages: String? = nil) -> CommitStatusReporter {
        CommitStatusReporter(host: host, pages: pages, clock: clock, logger: LogCollector().logger, random: { 0 })
    }

    @Test func `a build that is made is told from its turn to its end`() async throws {
        let world = try await World()
        let host = Host()
        let commit = world.host.commit(Self.files.mapValues { $0 })
        world.statuses = Self.reporter(host, world.clock, pages: "https://ci.example")
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        let prefix = "\("\(commit)".prefix(4)) main slipway/web"
        try await waitUntil("the end is told", every: .milliseconds(1)) {
            host.told.last == "\(prefix) success https://ci.example"
        }
        #expect(host.told.allSatisfy { $0.hasPrefix(prefix) })
    }

    @Test(arguments: [
        (BuildError(.step, "the step failed with exit code 7"), CommitStatus.State.failure),
        (BuildError(.registry, "the registry cannot be reached", isTransient: true), .error),
    ])
    func `a build that fails is told with whose fault it is`(_ error: BuildError, _ state: CommitStatus.State)
        async throws
    {
        let world = try await World()
        let host = Host()
        world.host.commit(Self.files.mapValues { $0 })
        world.builder.onBuild(of: "web") { _ throws(BuildError) in throw error }
        world.statuses = Self.reporter(host, world.clock)
        _ = await world.cycle()
        try await waitUntil("the end is told", every: .milliseconds(1)) {
            host.told.last?.contains("slipway/web \(state) -") == true
        }
    }

    @Test(
        arguments: [
            ("web/Dockerfile:3", 3), ("Dockerfile:12:5", 12), ("api/Dockerfile:3", nil), ("acme/base:1.0", nil),
            (nil, nil),
        ] as [(String?, Int?)])
    func `why a build failed is told, with the Dockerfile's line`(_ place: String?, _ line: Int?) async throws {
        let world = try await World()
        let host = Host()
        world.host.commit(Self.files.mapValues { $0 })
        let error = BuildError(.step, "the step failed with exit code 7", place: place, cause: "RUN `make` | tee")
        world.builder.onBuild(of: "web") { _ throws(BuildError) in throw error }
        world.statuses = Self.reporter(host, world.clock)
        _ = await world.cycle()
        try await waitUntil("the end is told", every: .milliseconds(1)) { !host.details.isEmpty }
        let details = try #require(host.details.last)
        #expect(details.summary.hasPrefix("the step failed with exit code 7\n\n"))
        #expect(details.summary.contains("Why: `RUN ?make? ? tee`"))
        #expect(details.annotations.map(\.line) == [line].compactMap(\.self))
        #expect(details.annotations.allSatisfy { $0.path == "web/Dockerfile" })
    }

    @Test func `a host that is away holds up no build, and is told again`() async throws {
        let world = try await World()
        let host = Host()
        world.host.commit(Self.files.mapValues { $0 })
        host.fail(Array(repeating: ForgeError(.unavailable, "the host is away", status: 502), count: 3))
        let clock = FakeClock()
        world.statuses = Self.reporter(host, clock)
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        #expect(report.images.count == 1)
        try await waitUntil("the end is told", every: .milliseconds(1)) {
            clock.advance(by: 60)
            return host.told.last?.contains("slipway/web success") == true
        }
        #expect(host.calls > 3)
    }

    @Test func `what was told already is not told again, and what is out of date not at all`() async throws {
        let host = Host()
        let clock = FakeClock()
        let reporter = Self.reporter(host, clock)
        host.fail([ForgeError(.unavailable, "the host is away", status: 502)])
        for state in [CommitStatus.State.pending, .running, .success, .success] {
            await reporter.report(state, "x", of: "web", at: "abcd1", on: "main", build: nil)
            if state == .pending { await clock.untilAsleep() }
        }
        clock.advance(by: 5)
        try await waitUntil("the end is told", every: .milliseconds(1)) { host.told.count == 1 }
        #expect(host.told == ["abcd main slipway/web success -"])
        await reporter.report(.success, "x", of: "web", at: "abcd1", on: "main", build: nil)
        await reporter.report(.success, "x", of: "api", at: "abcd1", on: "main", build: nil)
        try await waitUntil("the other one is told", every: .milliseconds(1)) { host.told.count == 2 }
        #expect(host.told.last == "abcd main slipway/api success -")
    }

    @Test func `a host that refuses is not asked again for the same`() async throws {
        let host = Host()
        host.fail([ForgeError(.refused, "no", status: 422)])
        let reporter = Self.reporter(host, FakeClock())
        await reporter.report(.pending, "x", of: "web", at: "abcd1", on: "main", build: nil)
        try await waitUntil("it was asked", every: .milliseconds(1)) { host.calls == 1 }
        await reporter.report(.success, "x", of: "web", at: "abcd1", on: "main", build: nil)
        try await waitUntil("the next one is told", every: .milliseconds(1)) { host.told.count == 1 }
        #expect(host.calls == 2)
    }
}
