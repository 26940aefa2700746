import Foundation
import TestSupport
import Testing

/// The daemon: it loops, answers, and stops when told to.
@Suite(.tags(.endToEnd)) struct AgentDaemonTests {
    @Test func `the daemon makes the bump, answers and stops`() async throws {
        let loop = try Loop("daemon")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let port = try Server.freePort()
        let server = try Server(
            [
                try Loop.binary, "agent", "--repo", loop.repository.path, "--branch", "master", "--build-context",
                "site-base=oci-layout://\(loop.base)", "--state-dir", loop.scratch.file("state"), "--listen",
                "127.0.0.1:\(port)",
            ] + images.flags, environment: ["HOME": loop.scratch.file("home")], log: loop.scratch.file("agent.log"))
        defer { server.stop() }
        func get(_ path: String) throws -> (status: String, body: String) {
            let output = try Shell.run(
                ["curl", "-s", "-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"], allowFailure: true)
            let lines = output.stdout.split(separator: "\n", omittingEmptySubsequences: false)
            return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
        }
        try await waitUntil("the agent is ready") { try get("/readyz").status == "200" }
        #expect(try get("/healthz").status == "200")
        #expect(try get("/nowhere").status == "404")
        try await waitUntil("the bump is there") {
            try loop.repository.git("log", "-1", "--format=%s", "master").hasPrefix("Auto-release")
        }
        try await waitUntil("the cycle is counted") {
            try get("/metrics").body.contains("slipway_commits_total{repository=\"kaniko-site\"} 1")
        }
        let answer = try get("/api/v1/status").body
        let overview = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any]
        let status = overview?["repositories"] as? [[String: Any]]
        #expect(status?.map { $0["repository"] as? String } == ["kaniko-site"])
        let pushed = status?.first?["lastImages"] as? [[String: Any]]
        #expect(pushed?.map { $0["references"] as? [String] } == [["docker.io/exampleorg/site:v4"]], "\(answer)")
        #expect(status?.first?["report"] == nil)
        let cycle = try get("/api/v1/repositories/kaniko-site/cycle").body
        let report = try JSONSerialization.jsonObject(with: Data(cycle.utf8)) as? [String: Any]
        #expect(report?["repository"] as? String == "kaniko-site", "\(cycle)")
        #expect(report?["steps"] is [Any])
        server.stop()
        #expect(server.log.contains("stopped"), "\(server.log)")
        #expect(server.log.split(separator: "\n").allSatisfy { $0.hasPrefix("time=") }, "\(server.log)")
    }

    @Test func `one bad repository of three harms nobody, and is named`() async throws {
        let fixture = try AgentFixture("daemon-three")
        let good = try ["blog", "shop"].map { ($0, try fixture.repository($0, step: "cat /number > /made")) }
        try fixture.write(fixture.configuration(["bad", "blog", "shop"]))
        let agent = try fixture.start()
        defer { agent.stop() }
        try await waitUntil("the others are well") {
            try fixture.states() == ["bad": "failing", "blog": "ok", "shop": "ok"]
        }
        for (name, repository) in good { #expect(try fixture.image(of: name, in: repository) == "acme/\(name):v1") }
        let readiness = try fixture.get("/readyz")
        #expect(readiness.status == "200")
        #expect(readiness.body.contains("bad: failing"), "\(readiness)")
        let metrics = try fixture.get("/metrics").body
        #expect(metrics.contains("slipway_repository_up{repository=\"bad\"} 0"))
        #expect(metrics.contains("slipway_repository_up{repository=\"shop\"} 1"))
        #expect(metrics.contains("slipway_images_built_total{repository=\"shop\"} 1"))
        let lint = try Shell.run(
            ["promtool", "check", "metrics"], input: Array((metrics + "\n").utf8), allowFailure: true)
        #expect(lint.status == 0 && lint.stderr.isEmpty, "\(lint)")
    }

    @Test func `a failing step is built once, by the next process too, until a commit`() async throws {
        let fixture = try AgentFixture("daemon-stalled")
        let shop = try fixture.repository("shop", step: "exit 7")
        try fixture.write(fixture.configuration(["shop"]))
        for (turn, builds) in [1, 0].enumerated() {
            let agent = try fixture.start()
            defer { agent.stop() }
            try await waitUntil("it is stalled") { try fixture.states() == ["shop": "stalled"] }
            // Several looks later it still is, and nothing was built again.
            try await waitUntil("it was looked at again and again") {
                let cycles = try fixture.get("/metrics").body.split(separator: "\n").first {
                    $0.hasPrefix("slipway_cycles_total{repository=\"shop\",result=\"failure\"}")
                }
                return cycles.flatMap { Double($0.split(separator: " ").last ?? "") } ?? 0 >= 4
            }
            #expect(agent.log.components(separatedBy: "Building ").count - 1 == builds, "\(agent.log)")
            guard turn == 1 else { continue }
            try shop.commit(["app/Dockerfile": "FROM busybox\nCOPY number /number\n"])
            try await waitUntil("the commit is built") { try fixture.states() == ["shop": "ok"] }
            #expect(try fixture.image(of: "shop", in: shop) == "acme/shop:v1")
        }
    }
}
