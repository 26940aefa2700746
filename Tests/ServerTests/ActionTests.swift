import Agent
import Foundation
import HTTP
import Server
import TestSupport
import Testing

/// The buttons of pages: forms that work without script, and that no other site's page can send.
@Suite(.tags(.integration)) struct ActionTests {
    private static let build = "20261130082800-00001-7k3f9x"

    private static func bench(hasToken: Bool = true) async throws -> PageBench {
        let bench = try await PageBench { settings, directory in
            guard hasToken else { return }
            try Data("correct horse\n".utf8).write(to: URL(fileURLWithPath: directory + "/token"))
            settings.tokenFile = directory + "/token"
        }
        bench.agent.show([
            PageFixtures.status("shop", .held) { status in
                status.holds = [
                    CycleReport.Decision(
                        subject: "deploy/web.yaml:14 shop:deployment/web app", reason: "Ann took v9 back", isHold: true)
                ]
            }
        ])
        bench.agent.show([try PageFixtures.build(1, .running)], log: "one\n")
        return bench
    }

    private static func post(
        _ bench: PageBench, _ path: String, _ body: String, _ headers: [(String, String)] = []
    ) async throws -> HTTPResponse {
        var request = HTTPRequest(
            "POST", try HTTPURL(bench.url + path),
            headers: ["Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"],
            body: .bytes(Array(body.utf8)))
        for (name, value) in headers { request.headers[name] = value }
        return try await bench.client.send(request, limit: 1 << 20)
    }

    @Test(arguments: [
        ("/repositories/shop/sync", "", "complete shop", "/repositories/shop?done=sync"),
        (
            "/repositories/shop/pause", "&user=Ann+B&message=freeze%3A+release", "pause shop Ann B freeze: release",
            "/repositories/shop?done=pause"
        ),
        ("/repositories/shop/pause", "&user=&message=", "pause shop - -", "/repositories/shop?done=pause"),
        ("/repositories/shop/resume", "", "resume shop", "/repositories/shop?done=resume"),
        ("/repositories/shop/retry", "", "retry shop -", "/repositories/shop?done=retry"),
        (
            "/repositories/shop/release", "&workload=shop%3Adeployment%2Fweb", "edit shop - [:]",
            "/repositories/shop?done=nothing"
        ),
        ("/builds/\(build)/retry", "", "retry shop web", "/repositories/shop?done=retry"),
        ("/builds/\(build)/stop", "", "stop \(build)", "/builds/\(build)?done=stop"),
    ])
    func `a form with the token does what its button says, and leads to a page that tells so`(
        _ path: String, _ fields: String, _ asked: String, _ page: String
    ) async throws {
        let bench = try await Self.bench()
        let configuration = try await Self.post(bench, path, "token=correct+horse\(fields)")
        // The client follows to the page; browsers do by GET after 303.
        #expect(configuration.status == 200 || configuration.status == 303)
        try await waitUntil("the agent is asked") { bench.agent.asked.contains(asked) }
        let after = try await bench.page(page)
        #expect(after.contains("<div class=\"why ok\" role=\"status\">"))
        await bench.stop()
    }

    @Test(
        arguments: [
            ("token=correct+hors", [], 403), ("token=", [], 403), ("", [], 403), ("token=%FF", [], 403),
            // A browser sends these by itself: they count for nothing.
            ("", [("Authorization", "Basic YW5uOmNvcnJlY3QgaG9yc2U=")], 403),
            ("token=correct+horse", [("Origin", "https://evil.example")], 403),
            ("token=correct+horse", [("Origin", "null")], 403),
            ("token=correct+horse", [("Sec-Fetch-Site", "cross-site")], 403),
            ("token=correct+horse", [("Sec-Fetch-Site", "same-site")], 403),
            ("token=correct+horse", [("Content-Type", "text/plain")], 403),
            ("token=correct+horse", [("Content-Type", "application/json")], 403),
        ] as [(String, [(String, String)], Int)])
    func `what comes without the token, or from another site, does nothing`(
        _ body: String, _ headers: [(String, String)], _ status: Int
    ) async throws {
        let bench = try await Self.bench()
        for path in ["/repositories/shop/pause", "/builds/\(Self.build)/stop"] {
            let answer = try await Self.post(bench, path, body, headers)
            #expect(answer.status == status, "\(path)")
            // Nothing asks a browser for a password that it would keep.
            #expect(answer.headers["WWW-Authenticate"] == nil && answer.headers["Set-Cookie"] == nil)
            let page = String(decoding: answer.body, as: UTF8.self)
            #expect(page.contains("role=\"alert\"") && !page.contains("horse"), "\(page.prefix(300))")
        }
        #expect(bench.agent.asked.isEmpty)
        await bench.stop()
    }

    @Test func `a refusal of the agent's is a page, too`() async throws {
        let bench = try await Self.bench()
        bench.agent.fail(with: ControlError(.buildIsOver, "the build is over <b>"))
        let answer = try await Self.post(bench, "/builds/\(Self.build)/stop", "token=correct+horse")
        #expect(answer.status == 409)
        #expect(String(decoding: answer.body, as: UTF8.self).contains("the build is over &lt;b&gt;"))
        await bench.stop()
    }

    @Test func `buttons go to forms where there is a token, and say what to set where there is none`() async throws {
        let bench = try await Self.bench()
        let page = try await bench.page("/repositories/shop")
        for action in ["sync", "pause", "release"] {
            #expect(page.contains("<form class=\"card\" method=\"post\" action=\"/repositories/shop/\(action)\">"))
        }
        #expect(page.contains("name=\"workload\" value=\"shop:deployment/web\""))
        #expect(page.contains("type=\"password\"") && !page.contains("disabled"))
        #expect(try await bench.page("/builds/\(Self.build)").contains("action=\"/builds/\(Self.build)/stop\""))
        await bench.stop()
        let closed = try await Self.bench(hasToken: false)
        let disabled = try await closed.page("/repositories/shop")
        #expect(disabled.contains("<button class=\"p\" disabled>") && disabled.contains("<code>api.tokenFile</code>"))
        #expect(!disabled.contains("type=\"password\""))
        #expect(try await Self.post(closed, "/repositories/shop/pause", "token=x").status == 405)
        #expect(
            closed.agent.asked.allSatisfy { note in ["builds", "cycle", "explain"].contains { note.hasPrefix($0) } })
        await closed.stop()
    }

    @Test func `a paused repository offers to go on`() async throws {
        let bench = try await Self.bench()
        bench.agent.show([
            PageFixtures.status("shop", .paused) {
                $0.paused = RepositoryPause(since: 1, user: "ann", message: "freeze")
            }
        ])
        let page = try await bench.page("/repositories/shop")
        #expect(page.contains("/repositories/shop/resume\"") && !page.contains("/repositories/shop/pause\""))
        #expect(try await Self.post(bench, "/repositories/shop/sync", "token=correct+horse").status == 409)
        await bench.stop()
    }
}
