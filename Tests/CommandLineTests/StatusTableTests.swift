import ArgumentParser
import TestSupport
import Testing

@testable import Agent
@testable import CommandLine

@Suite(.tags(.unit)) struct StatusTableTests {
    private static func status(_ name: String) -> RepositoryStatus {
        RepositoryStatus(
            AgentConfiguration.RepositoryConfiguration(name: name, url: "/srv/\(name).git", branch: "main"),
            since: 1_700_000_000)
    }

    @Test func `a repository is a row, what is unknown a dash`() {
        let overview = AgentOverview(repositories: [Self.status("shop")], queue: [], failures: [])
        #expect(
            StatusTable(overview).lines == [
                "REPOSITORY  STATE     SINCE                 LAST SUCCESS  NEXT ATTEMPT  BUILDS  LAST COMMIT",
                "shop        starting  2023-11-14T22:13:20Z  -             -             -       -",
            ])
    }

    @Test func `builds are named with whether they run, failures with what comes next`() {
        var status = Self.status("shop")
        let failures: [(String, Disposition, Int?, Int64?)] = [
            ("the step failed", .stalled, 1, nil), ("the registry is away", .retry, 2, 1_700_000_060),
            ("no such file", .stalled, nil, nil), ("git is away", .retry, nil, nil),
        ]
        status.failures = failures.map { message, disposition, attempts, next in
            CycleReport.Failure(
                phase: .execute, subject: nil, message: message, hint: nil, disposition: disposition,
                attempts: attempts, since: nil, nextAt: next, isRemembered: nil)
        }
        let overview = AgentOverview(
            repositories: [status],
            queue: [
                AgentOverview.Build(repository: "shop", pipeline: "web", state: .running, since: 1),
                AgentOverview.Build(repository: "shop", pipeline: "api", state: .waiting, since: 2),
                AgentOverview.Build(repository: "other", pipeline: "x", state: .running, since: 3),
            ], failures: [])
        let lines = StatusTable(overview).lines
        #expect(lines[1].contains("web (running), api (waiting)  "))
        #expect(
            Array(lines.dropFirst(2)) == [
                "shop: the step failed (waits for a commit, or 'slipway retry shop')",
                "shop: the registry is away (next attempt at 2023-11-14T22:14:20Z)",
                "shop: no such file (waits for a commit)", "shop: git is away (tried again with the next cycle)",
            ])
    }

    @Test func `how long it fails so, what is held and what was not looked at is told`() {
        var status = Self.status("shop")
        var failure = CycleReport.Failure(
            phase: .sync, subject: nil, message: "git is away", hint: nil, disposition: .retry, attempts: nil,
            since: nil,
            nextAt: nil, isRemembered: nil)
        failure.since = 1_700_000_000
        status.failures = [failure]
        status.holds = [
            CycleReport.Decision(subject: "web.yaml:3", reason: "held: a person took back v2", isHold: true)
        ]
        status.passedOver = [
            CycleReport.Decision(
                subject: "big.yaml", reason: "not looked at: more\nthan 8 MiB", isPassedOver: true)
        ]
        let lines = StatusTable(AgentOverview(repositories: [status], queue: [], failures: [])).lines
        #expect(
            Array(lines.dropFirst(2)) == [
                "shop: git is away (tried again with the next cycle; so since 2023-11-14T22:13:20Z)",
                "shop: web.yaml:3: held: a person took back v2", "shop: big.yaml: not looked at: more",
            ])
    }

    @Test func `one repository of several`() throws {
        let overview = AgentOverview(
            repositories: [Self.status("api"), Self.status("shop")],
            queue: [
                AgentOverview.Build(repository: "shop", pipeline: "web", state: .running, since: 1),
                AgentOverview.Build(repository: "api", pipeline: "x", state: .running, since: 3),
            ], failures: [])
        let one = try overview.only("shop")
        #expect(one.repositories.map(\.repository) == ["shop"])
        #expect(one.queue.map(\.pipeline) == ["web"])
        let error = #expect(throws: ControlError.self) { try overview.only("shpo") }
        #expect(error?.code == .unknownRepository)
        #expect(error?.hint == "it watches api, shop")
    }

    @Test(arguments: ["--name", "--repo"])
    func `the option is called as its sisters call it, and as people call it`(_ option: String) throws {
        #expect(try StatusCommand.parse([option, "shop"]).repository == "shop")
    }

    @Test func `a commit's message steers no terminal and takes one line`() {
        var status = Self.status("shop")
        status.lastCommit = CycleReport.Published(
            commit: String(repeating: "ab", count: 20),
            message: "a \u{1b}[31mred\u{1b}[0m subject" + String(repeating: "!", count: 100) + "\n\nbody",
            branch: "main")
        let line = StatusTable(AgentOverview(repositories: [status], queue: [], failures: [])).lines[1]
        #expect(line.hasSuffix("abababa a red subject" + String(repeating: "!", count: 46) + "…"), "\(line)")
        #expect(!line.contains("\u{1b}"))
    }
}
