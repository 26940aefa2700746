import Foundation
import TestSupport
import Testing

@testable import Agent
@testable import Server

/// The page of one repository: its timeline, its workloads, and what the last commit of the agent's changed.
@Suite(.tags(.integration)) struct RepositoryPageTests {
    private static let digest = "sha256:" + String(repeating: "b3894cce", count: 8)

    private static func bump() -> CycleEntry {
        var cycle = CycleEntry(at: 1_700_000_090, seconds: 1)
        cycle.commits = [CycleReport.Published(commit: "f3f86bc0ffee", message: "Update web", branch: "main")]
        cycle.updates = [
            CycleReport.Update(
                file: "deploy/web.yaml", line: 14, workload: "shop:deployment/web", container: "app",
                old: "registry.example.com/acme/shop:v46", new: "registry.example.com/acme/shop:v47",
                reason: "the newest")
        ]
        return cycle
    }

    @Test func `a commit leads to its build, its image and the commit that wrote it`() async throws {
        let bench = try await PageBench()
        let built = try PageFixtures.build(1, .succeeded) { $0.digest = Self.digest }
        let failed = try PageFixtures.build(2, .failed) { build in
            build.description.names = ["registry.example.com/acme/shop:v48"]
            build.failure = BuildRecord.Failure(
                kind: .input, reason: FailureRecord.Reason(code: "step", AgentError("exit code 1")))
        }
        bench.agent.show([failed, built], log: "")
        bench.agent.show([PageFixtures.status("shop", .ok) { $0.lastCommit = Self.bump().commits.last }])
        bench.agent.show(cycles: [Self.bump()])
        let page = try await bench.page("/repositories/shop")
        let rows = page.components(separatedBy: "<li id=\"b-").dropFirst().map {
            $0.components(separatedBy: "</li>")[0]
        }
        try #require(rows.count == 2)
        #expect(rows[0].contains("exit code 1") && rows[0].contains(">none</span>") && !rows[0].contains("f3f86bc"))
        #expect(rows[1].contains("title=\"6421d82f00d1c0ffee00000000000000000000aa\">6421d82</span>"))
        #expect(rows[1].contains("the same") && rows[1].contains("href=\"/builds/\(built.id)\""))
        #expect(rows[1].contains("shop:v47") && rows[1].contains("href=\"/images/sha256%3Ab3894cce"))
        #expect(rows[1].contains(">f3f86bc</span>") && rows[1].contains("shop:deployment/web: shop:v46 → shop:v47"))
        // What the last bump changed is known from history, also after a restart.
        #expect(page.contains("<span>deploy/web.yaml:14 shop:deployment/web app</span>"))
        #expect(page.contains("<del>-registry.example.com/acme/shop:v46</del>"))
        #expect(page.contains("<ins>+registry.example.com/acme/shop:v47</ins>"))
        await bench.stop()
    }

    @Test func `a long timeline is cut, and shown on request`() async throws {
        let bench = try await PageBench()
        bench.agent.show(try (1...20).map { try PageFixtures.build($0, .succeeded) }, log: "")
        #expect(try await bench.page("/repositories/shop").contains("href=\"?all=1#h-timeline\""))
        #expect(bench.agent.asked.contains("builds shop 20 -"))
        #expect(!(try await bench.page("/repositories/shop?all=1")).contains("?all=1#"))
        #expect(bench.agent.asked.contains("builds shop 200 -"))
        await bench.stop()
    }

    @Test func `workloads have what runs, the policy, the candidate and the reason; what nobody follows has a remedy`()
        async throws
    {
        let bench = try await PageBench()
        var followed = Explanation(
            subject: "deploy/web.yaml:14 shop:deployment/web app", state: .held, reason: "Ann took v9 back")
        followed.policy = "glob:v*"
        followed.current = "registry.example.com/acme/shop:v8"
        followed.chosen = "registry.example.com/acme/shop:v9"
        followed.remedy = "slipway release"
        var plain = Explanation(
            subject: "deploy/db.yaml:9 shop:deployment/db db", state: .left, reason: "nothing asks for updates")
        plain.remedy = "annotate it"
        bench.agent.show(explanations: [followed, plain])
        let page = try await bench.page("/repositories/shop")
        #expect(bench.agent.asked.contains("explain shop - - -"))
        for text in [
            "1 followed, 1 not", "href=\"/repositories/shop/policies/deploy%2Fweb.yaml%3A14\">shop:deployment/web</a>",
            "<span title=\"registry.example.com/acme/shop:v8\">shop:v8</span>", "glob:v*", ">shop:v9</span>",
            "Ann took v9 back", "slipway release", "nothing asks for updates. annotate it",
        ] { #expect(page.contains(text), "\(text)") }
        await bench.stop()
    }

    @Test func `what the cluster runs stands beside what git says, with its age or what is in its way`() async throws {
        let bench = try await PageBench()
        var place = Explanation(
            subject: "deploy/web.yaml:14 shop:deployment/web app", state: .unchanged, reason: "it is the newest")
        place.policy = "glob:v*"
        place.current = "registry.example.com/acme/shop:v47"
        var other = place
        other.subject = "deploy/db.yaml:9 shop:deployment/db db"
        bench.agent.show(explanations: [place, other])
        #expect(!(try await bench.page("/repositories/shop")).contains("the cluster"))
        var running = RunningWorkloads()
        bench.agent.show(running)
        #expect(try await bench.page("/repositories/shop").contains("The cluster is being read"))
        running.at = 1_700_000_000
        running.workloads = [
            RunningWorkload(
                id: "shop:deployment/web",
                containers: [.init(name: "app", image: "registry.example.com/acme/shop:v46")],
                ready: 1, wanted: 2)
        ]
        running.problem = "it is away <b>"
        bench.agent.show(running)
        let page = try await bench.page("/repositories/shop")
        #expect(page.contains("the cluster: shop:v46</span>, 1 of 2 ready") && page.contains("not in the cluster"))
        #expect(page.contains("The cluster cannot be read: it is away &lt;b&gt;. What the cluster runs was read "))
        running.workloads[0].containers[0].image = "registry.example.com/acme/shop:v47"
        bench.agent.show(running)
        #expect(try await bench.page("/repositories/shop").contains("the cluster: the same"))
        await bench.stop()
    }

    @Test func `the queue leads to the log of its builds, and a repository says how often it is looked at`()
        async throws
    {
        let bench = try await PageBench()
        #expect(try await bench.page("/").contains("href=\"/repositories/shop\">shop / web</a>"))
        let build = try PageFixtures.build(1, .running)
        bench.agent.show([build], log: "")
        #expect(try await bench.page("/").contains("href=\"/builds/\(build.id)#follow\">shop / web</a>"))
        #expect(try await bench.page("/builds/\(build.id)").contains("id=\"follow\""))
        bench.agent.show([PageFixtures.status("shop", .ok) { $0.interval = 90 }])
        #expect(try await bench.page("/repositories/shop").contains("<dt>Interval</dt><dd>1 min 30 s</dd>"))
        await bench.stop()
    }

    @Test func `what is locked is paused, in the words of the lock`() async throws {
        let bench = try await PageBench()
        var locked = Explanation(
            subject: "deploy/web.yaml:14 shop:deployment/web", state: .paused,
            reason: "not updated: locked by ann: the sale is on")
        locked.remedy = "unlock it"
        bench.agent.show(explanations: [locked])
        let page = try await bench.page("/repositories/shop")
        #expect(page.contains("1 followed, 0 not") && page.contains("<span class=\"st paused\">"))
        #expect(page.contains("not updated: locked by ann: the sale is on") && page.contains("unlock it"))
        #expect(!page.contains("left alone"))
        await bench.stop()
    }

    @Test(arguments: [
        ("docker.io/library/x:1", "x:1", true), ("x", "docker.io/library/x:latest", true),
        ("index.docker.io/acme/x:1", "acme/x:1", true), ("x:1", "x:2", false), ("quay.io/x:1", "x:1", false),
        ("x:1@sha256:" + String(repeating: "a", count: 64), "x:1", false), ("NO REFERENCE", "NO REFERENCE", true),
        ("NO REFERENCE", "NO OTHER", false),
    ])
    func `images are compared as references`(_ running: String, _ git: String, _ isSame: Bool) {
        #expect(ClusterNote.isSame(running, git) == isSame && ClusterNote.isSame(git, running) == isSame)
        #expect(!ClusterNote.isSame(running, nil))
    }

    @Test func `a registry that is slow holds no page up`() async throws {
        let bench = try await PageBench()
        let (gate, opener) = AsyncStream<Void>.makeStream()
        bench.agent.onExplain { for await _ in gate {} }
        let page = try await bench.page("/repositories/shop")
        #expect(page.contains("The workloads are not known yet.") && page.contains("<h1>shop</h1>"))
        opener.finish()
        await bench.stop()
    }

    @Test func `readers who look at the same event share one page, and a later event has its own`() async throws {
        let bench = try await PageBench()
        func look(_ query: String = "") async throws -> Int {
            _ = try await bench.live("/repositories/shop\(query)")
            return bench.agent.asked.count { $0.hasPrefix("builds") }
        }
        #expect(try await look() == 1)
        #expect(try await look() == 1)
        #expect(try await look("?all=1") == 2)
        bench.agent.journal.append(AgentEvent(.cycle, of: "shop", at: 1_700_000_000))
        #expect(try await look() == 3)
        // Who opens a page gets what is there now.
        _ = try await bench.page("/repositories/shop")
        #expect(bench.agent.asked.count { $0.hasPrefix("builds") } == 4)
        await bench.stop()
    }
}
