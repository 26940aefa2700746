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
        var report = CycleReport(repository: "shop", url: "u", branch: "main")
        let failures: [(String, Disposition, Int?, Int64?)] = [
            ("the step failed", .stalled, 1, nil), ("the registry is away", .retry, 2, 1_700_000_060),
            ("no such file", .stalled, nil, nil), ("git is away", .retry, nil, nil),
        ]
        report.failures = failures.map { message, disposition, attempts, next in
            CycleReport.Failure(
                phase: .execute, subject: nil, message: message, hint: nil, disposition: disposition,
                attempts: attempts, since: nil, nextAt: next, isRemembered: nil)
        }
        status.report = report
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
