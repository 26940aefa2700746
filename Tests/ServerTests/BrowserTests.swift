import Foundation
import TestSupport
import Testing

@testable import Agent

/// The pages in a real browser: foreign text runs nothing, and the browser has nothing to complain about.
@Suite(.tags(.integration), .thorough) struct BrowserTests {
    private static let text =
        "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">javascript:alert(1)"

    @Test(.timeLimit(.minutes(5))) func `pages in Chromium`() async throws {
        let bench = try await PageBench()
        for (name, path) in try PageGallery.fill(bench.agent, text: Self.text)
        where !["paused", "running", "empty"].contains(name) {
            // The browser's clock stands still while a stream is open.
            let seen = try await Self.look(at: bench.url + path + (path.contains("?") ? "&" : "?") + "live=0")
            #expect(seen.dom.contains("· Slipway</title>"), "\(path): \(seen.dom.prefix(300))")
            #expect(!seen.dom.contains("taken</title>"), "\(path)")
            #expect(["nothing", "search", "near"].contains(name) || seen.dom.contains("&lt;script&gt;"), "\(path)")
            #expect(seen.complaints == [], "\(path)")
            // The script ran: times are counted from the server's moment on.
            #expect(seen.dom.contains("<h1>"), "\(path)")
        }
        await bench.stop()
    }

    @Test(.timeLimit(.minutes(2))) func `a page gets the lines that a build says while it is looked at`() async throws {
        let bench = try await PageBench()
        let build = try PageFixtures.build(1, .running)
        bench.agent.show([build], log: "first\n")
        async let seen = Self.look(at: "\(bench.url)/builds/\(build.id)")
        try await waitUntil("the page listens") { bench.agent.journal.listenerCount == 1 }
        bench.agent.show([build], log: "first\n<b>second</b>\n")
        let reads = bench.agent.logReads
        var event = AgentEvent(.output, of: "shop", at: 1_700_000_000)
        event.build = build.id
        bench.agent.journal.append(event)
        try await waitUntil("the page is read again") { bench.agent.logReads > reads }
        // The browser's clock goes on when the stream is over.
        await bench.stop()
        let dom = try await seen.dom
        #expect(dom.contains("&lt;b&gt;second&lt;/b&gt;"), "\(dom.suffix(3_000))")
        #expect(dom.contains("id=\"0:1\"") && dom.contains("id=\"0:2\""))
    }

    @Test(.timeLimit(.minutes(2))) func `rows keep their place while the fleet is looked at`() async throws {
        let bench = try await PageBench()
        bench.agent.show([PageFixtures.status("alpha", .ok), PageFixtures.status("beta", .ok)])
        async let seen = Self.look(at: bench.url)
        try await waitUntil("the page listens") { bench.agent.journal.listenerCount == 1 }
        bench.agent.show([PageFixtures.status("alpha", .ok), PageFixtures.status("beta", .stalled)])
        // Who opens the page now gets what needs attention at its top.
        let fresh = try await bench.page("/")
        #expect(try Self.place("r-beta", fresh) < Self.place("r-alpha", fresh))
        let asked = bench.agent.overviews
        bench.agent.journal.append(AgentEvent(.cycle, of: "beta", at: 1_700_000_000))
        try await waitUntil("the page is read again") { bench.agent.overviews > asked }
        await bench.stop()
        let dom = try await seen.dom
        #expect(try Self.place("r-alpha", dom) < Self.place("r-beta", dom))
        let row = dom[try Self.place("r-beta", dom)...].prefix { $0 != "\u{0}" }
        #expect(row.prefix(300).contains("st stalled"), "\(row.prefix(600))")
        #expect(dom.contains("1 needs attention: "))
    }

    @Test(.timeLimit(.minutes(2))) func `a step that ends stays unfolded while it is looked at`() async throws {
        let bench = try await PageBench()
        func build(_ seconds: Double?) throws -> BuildRecord {
            try PageFixtures.build(1, .running) { build in
                build.steps = [
                    BuildRecord.Step(
                        stage: "app", index: 1, count: 1, text: "RUN make", startedAt: 1_700_000_001, seconds: seconds)
                ]
            }
        }
        let log = "  [app 1/1] RUN make\n    | first\n"
        bench.agent.show([try build(nil)], log: log)
        let address = "/builds/\(try build(nil).id)"
        async let seen = Self.look(at: bench.url + address)
        try await waitUntil("the page listens") { bench.agent.journal.listenerCount == 1 }
        bench.agent.show([try build(3)], log: log + "    | second\n")
        #expect(try await bench.page(address).contains("<details class=\"step ok\" id=\"1\">"))
        let reads = bench.agent.logReads
        var event = AgentEvent(.step, of: "shop", at: 1_700_000_000)
        event.build = try build(3).id
        bench.agent.journal.append(event)
        try await waitUntil("the page is read again") { bench.agent.logReads > reads }
        await bench.stop()
        let dom = try await seen.dom
        #expect(dom.contains("<details class=\"step ok\" id=\"1\" open"), "\(dom.suffix(3_000))")
        #expect(dom.contains("id=\"1:1\"") && dom.contains("id=\"1:2\"") && dom.contains(">second</span>"))
    }

    private static func place(_ id: String, _ page: String) throws -> String.Index {
        try #require(page.range(of: "id=\"\(id)\"")).lowerBound
    }

    /// The document after its scripts ran, and what the console got.
    private static func look(at url: String) async throws -> (dom: String, complaints: [Substring]) {
        // The server under test shares this process: the wait must not take one of its threads.
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try browse(url) }) }
        }
    }

    private static func browse(_ url: String) throws -> (dom: String, complaints: [Substring]) {
        let profile = try TemporaryDirectory("chromium")
        let result = try Shell.run([
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(profile.path)",
            "--enable-logging=stderr", "--virtual-time-budget=2500", "--dump-dom", url,
        ])
        return (result.stdout, result.stderr.split(separator: "\n").filter { $0.contains(":CONSOLE") })
    }
}
