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
        #expect(try get("/api/v1/status").body.contains("exampleorg/site:v4"))
        server.stop()
        #expect(server.log.contains("stopped"), "\(server.log)")
        #expect(server.log.split(separator: "\n").allSatisfy { $0.hasPrefix("time=") }, "\(server.log)")
    }
}
