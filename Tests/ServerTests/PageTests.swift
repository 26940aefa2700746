import Foundation
import HTTP
import TestSupport
import Testing

@testable import Agent
@testable import Server

@Suite(.tags(.integration)) struct PageTests {
    // MARK: Fleet

    @Test func `what needs attention comes first, with its reason`() async throws {
        let bench = try await PageBench()
        bench.agent.show([
            PageFixtures.status("alpha", .ok),
            PageFixtures.status("beta", .failing) { status in
                status.failures = [
                    Self.failure(
                        "git.example.com: the server refused the credentials", .retry, hint: "check git.tokenFile")
                ]
            },
            PageFixtures.status("gamma", .stalled) {
                $0.failures = [Self.failure("Dockerfile:3: no such stage", .stalled)]
            },
            PageFixtures.status("delta", .held) { status in
                status.holds = [
                    CycleReport.Decision(
                        subject: "deploy/web.yaml:14", reason: "Ann took v9 back", remedy: "slipway release",
                        isHold: true)
                ]
            },
        ])
        let page = try await bench.page("/")
        let order = ["beta", "gamma", "delta", "alpha"].compactMap { page.range(of: "id=\"r-\($0)\"")?.lowerBound }
        #expect(order.count == 4 && order == order.sorted())
        #expect(page.contains("4 repositories. 3 need attention: "))
        #expect(page.contains("the server refused the credentials") && page.contains("check git.tokenFile"))
        #expect(page.contains("not tried again until the content changes or somebody retries"))
        #expect(page.contains("deploy/web.yaml:14 is held") && page.contains("Ann took v9 back. slipway release"))
        await bench.stop()
    }

    @Test func `a state or a text narrows the list`() async throws {
        let bench = try await PageBench()
        bench.agent.show([PageFixtures.status("alpha", .ok), PageFixtures.status("beta", .failing)])
        let failing = try await bench.page("/?state=failing")
        #expect(failing.contains("id=\"r-beta\"") && !failing.contains("id=\"r-alpha\""))
        let found = try await bench.page("/?q=ALPH")
        #expect(found.contains("id=\"r-alpha\"") && !found.contains("id=\"r-beta\""))
        #expect(try await bench.page("/?q=nothing+like+it").contains("No repository matches."))
        // A state that there is not is none asked for.
        #expect(try await bench.page("/?state=%3Cb%3E").contains("id=\"r-alpha\""))
        await bench.stop()
    }

    @Test(arguments: ["1", "2", "0", "-1", "99", "9223372036854775807", "x"])
    func `a long list has pages, and a wrong number is harmless`(_ number: String) async throws {
        let bench = try await PageBench()
        bench.agent.show((0..<150).map { PageFixtures.status("r\(1000 + $0)", .ok) })
        let page = try await bench.page("/?page=\(number)")
        let rows = page.components(separatedBy: "<tbody").count - 1
        #expect(rows == ["1": 100, "0": 100, "-1": 100, "x": 100, "2": 50][number] ?? 0)
        await bench.stop()
    }

    @Test func `an empty agent says what to do`() async throws {
        let bench = try await PageBench()
        bench.agent.show([])
        let page = try await bench.page("/")
        #expect(page.contains("No repository is configured.") && page.contains("repositories:"))
        await bench.stop()
    }

    // MARK: Builds

    @Test func `a repository's builds lead to their pages`() async throws {
        let bench = try await PageBench()
        let builds = [
            try PageFixtures.build(2, .running),
            try PageFixtures.build(1, .failed) { build in
                build.failure = try? JSONDecoder().decode(
                    BuildRecord.Failure.self,
                    from: Data(
                        #"{"kind":"input","reason":{"code":"step","summary":"the command failed with exit code 1"}}"#
                            .utf8))
            },
        ]
        bench.agent.show(builds, log: "one\ntwo\n")
        let page = try await bench.page("/repositories/shop")
        for build in builds {
            #expect(page.contains("href=\"/builds/\(build.id)\""))
            #expect(try await bench.get("/builds/\(build.id)").status == 200)
        }
        let failed = try await bench.page("/builds/\(builds[1].id)")
        #expect(failed.contains("the command failed with exit code 1"))
        #expect(failed.contains("The failure lies in the content"))
        await bench.stop()
    }

    @Test func `steps have their stage, their time and how they ended`() async throws {
        let bench = try await PageBench()
        let build = try PageFixtures.build(1, .failed) { build in
            build.steps = [
                BuildRecord.Step(
                    stage: "deps", index: 1, count: 1, text: "RUN npm ci", startedAt: 1_700_000_001, seconds: 0,
                    isCached: true),
                BuildRecord.Step(
                    stage: "build", index: 1, count: 5, text: "COPY . .", startedAt: 1_700_000_001, seconds: 62.4),
                BuildRecord.Step(stage: "build", index: 2, count: 5, text: "RUN make", startedAt: 1_700_000_063),
            ]
            build.steps[1].why = "step 1 is new"
        }
        bench.agent.show([build], log: "")
        let page = try await bench.page("/builds/\(build.id)")
        for text in [
            "<h3>deps ", "<h3>build ", ">cached</span>", ">made: step 1 is new</span>", "1 min 2 s", ">failed</span>",
            ">not run</span>", "3–5",
            "2 done, 1 of them cached",
        ] { #expect(page.contains(text), "\(text)") }
        #expect(page.contains("The output is no longer kept, or there was none."))
        await bench.stop()
    }

    @Test func `of a long log the beginning and the end are shown, the rest is asked for`() async throws {
        let bench = try await PageBench()
        let build = try PageFixtures.build(1, .succeeded)
        bench.agent.show([build], log: (1...10_000).map { "line \($0) of it\n" }.joined())
        func numbers(_ query: String) async throws -> [Int] {
            let page = try await bench.page("/builds/\(build.id)\(query)")
            return page.components(separatedBy: "<p id=\"0:").dropFirst().compactMap { Int($0.prefix { $0 != "\"" }) }
        }
        #expect(try await numbers("") == Array(1...100) + Array(9_601...10_000))
        #expect(try await numbers("?from=101") == Array(101...1_100))
        #expect(try await numbers("?from=9900") == Array(9_900...10_000))
        #expect(try await numbers("?line=0:5000") == Array(4_800...5_200))
        #expect(try await numbers("?all=1") == Array(1...10_000))
        #expect(try await numbers("?step=0&all=1") == Array(1...10_000))
        // A piece of a step leaves the others as they are.
        #expect(try await numbers("?step=7&from=101") == Array(1...100) + Array(9_601...10_000))
        #expect(try await numbers("?log=LINE+77+") == [75, 76, 77, 78, 79])
        #expect(try await numbers("?log=nowhere") == [])
        for wrong in [
            "?from=0", "?from=-5", "?from=x", "?from=9223372036854775807", "?line=9223372036854775807",
            "?line=0:9223372036854775807", "?line=-1:-1", "?line=:", "?step=-1&all=1", "?step=99&from=1",
        ] {
            #expect(try await bench.get("/builds/\(build.id)\(wrong)").status == 200, "\(wrong)")
        }
        #expect(try await bench.page("/builds/\(build.id)").contains("9,500 lines are not shown"))
        await bench.stop()
    }

    // MARK: What is not there

    @Test(arguments: ["/repositories/nobody", "/builds/20261130082800-99999-7k3f9x", "/builds/x", "/nothing/here"])
    func `what is not there is a page for people and JSON for programs`(_ path: String) async throws {
        let bench = try await PageBench()
        let page = try await bench.get(path)
        #expect(page.status == 404)
        #expect(page.headers["Content-Type"] == "text/html; charset=utf-8")
        #expect(String(decoding: page.body, as: UTF8.self).contains("<h1>Not found</h1>"))
        let answer = try await bench.get(path, accept: "*/*")
        #expect(answer.status == 404 && answer.headers["Content-Type"] == "application/json")
        await bench.stop()
    }

    // MARK: Safety and cost

    private static let hostile = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&\u{202e}\u{1b}[31m"

    @Test func `foreign text is text everywhere`() async throws {
        let bench = try await PageBench()
        let text = Self.hostile
        bench.agent.show([
            PageFixtures.status(text, .failing) { status in
                status.url = text
                status.branch = text
                status.head = text
                status.failures = [Self.failure(text, .retry, hint: text)]
                status.holds = [CycleReport.Decision(subject: text, reason: text, remedy: text, isHold: true)]
                status.passedOver = [CycleReport.Decision(subject: text, reason: text, isPassedOver: true)]
                status.lastCommit = CycleReport.Published(commit: text, message: text, branch: text)
            }
        ])
        var report = CycleReport(repository: text, url: text, branch: text)
        report.decisions = [CycleReport.Decision(subject: text, reason: text, remedy: text)]
        report.updates = [
            CycleReport.Update(
                file: text, line: 1, workload: text, container: text, old: text, new: text, reason: text)
        ]
        report.commit = text
        report.diff = "+\(text)\n-\(text)\n \(text)"
        bench.agent.show(report)
        let build = try PageFixtures.build(1, .failed, reason: text) { build in
            build.description.names = [text]
            build.description.revision = text
            build.digest = text
            build.layers = [CycleReport.Layer(digest: text, size: 1, createdBy: text)]
            build.steps = [BuildRecord.Step(stage: text, index: 1, count: 1, text: text, startedAt: 1)]
        }
        bench.agent.show([build], log: "\(text)\n")
        let encoded = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        for path in [
            "/", "/?q=\(encoded)", "/?state=\(encoded)", "/repositories/\(encoded)", "/repositories/x\(encoded)",
            "/builds/\(build.id)", "/builds/\(build.id)?log=\(encoded)", "/builds/\(encoded)", "/\(encoded)",
            "/search?q=\(encoded)", "/images/\(encoded)",
        ] {
            let page = try await bench.page(path)
            #expect(page.contains("<h1>"), "\(path)")
            #expect(
                !page.contains("<script>") && !page.contains("<img") && !page.contains("onerror=alert(2)>"), "\(path)")
            #expect(!page.contains("\u{202e}") && !page.contains("\u{1b}"), "\(path)")
        }
        await bench.stop()
    }

    @Test func `pages run nothing of others, and are not kept`() async throws {
        let bench = try await PageBench()
        for path in ["/", "/repositories/shop", "/nothing"] {
            let page = try await bench.get(path)
            let policy = page.headers["Content-Security-Policy"] ?? ""
            #expect(policy.hasPrefix("default-src 'none';") && !policy.contains("unsafe"), "\(path)")
            #expect(page.headers["Cache-Control"] == "no-store" && page.headers["X-Content-Type-Options"] == "nosniff")
            let text = String(decoding: page.body, as: UTF8.self)
            #expect(
                !text.contains(" style=") && !text.contains("<style") && text.firstMatch(of: /\ on[a-z]+=/) == nil,
                "\(path)")
        }
        await bench.stop()
    }

    @Test func `files beside the pages change their names with their content`() async throws {
        let bench = try await PageBench()
        let page = try await bench.page("/")
        for asset in [Asset.styleSheet, .script, .icon] {
            #expect(page.contains("\"/\(asset.name)\""))
            let answer = try await bench.get("/\(asset.name)")
            #expect(answer.status == 200 && answer.body == asset.bytes)
            #expect(answer.headers["Content-Type"] == asset.type)
            #expect(answer.headers["Cache-Control"]?.contains("immutable") == true)
        }
        #expect(try await bench.get("/slipway-000000000000.css").status == 404)
        await bench.stop()
    }

    @Test func `pages stay small`() async throws {
        let bench = try await PageBench()
        #expect(Asset.styleSheet.bytes.count <= 14_000 && Asset.script.bytes.count <= 4_000)
        bench.agent.show(
            (0..<10).map { number in
                PageFixtures.status("repository-\(number)", .failing) {
                    $0.failures = [Self.failure("the registry answers 503 Service Unavailable", .retry, hint: "wait")]
                }
            })
        #expect(try await bench.get("/").body.count <= 40_000)
        await bench.stop()
    }

    @Test func `pages only read`() async throws {
        let bench = try await PageBench()
        let answer = try await bench.client.send(
            HTTPRequest("POST", try HTTPURL(bench.url + "/"), body: .bytes([])), limit: 1 << 20)
        #expect(answer.status == 405)
        await bench.stop()
    }

    private static func failure(
        _ message: String, _ disposition: Disposition, hint: String? = nil
    ) -> CycleReport.Failure {
        CycleReport.Failure(
            phase: .sync, subject: nil, message: message, hint: hint, disposition: disposition, attempts: 3,
            since: 1_700_000_000)
    }
}

@Suite(.tags(.unit)) struct PageTextTests {
    @Test(
        arguments: [
            (0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (172_799, "47 h"),
            (172_800, "2 d"),
            (-5, "0 s"),
        ] as [(Int64, String)])
    func lengths(seconds: Int64, text: String) { #expect(PageClock.length(seconds) == text) }

    @Test(arguments: [
        (0.04, "0.0 s"), (0.26, "0.3 s"), (9.94, "9.9 s"), (41, "41 s"), (72, "1 min 12 s"), (-1, "0.0 s"),
    ])
    func durations(seconds: Double, text: String) { #expect(PageClock.duration(seconds) == text) }

    @Test(
        arguments: [
            (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (84_249_000, "84.2 MB"), (999_949_999, "999.9 MB"),
            (999_950_000, "1.0 GB"), (5_000_000_000_000, "5000.0 GB"),
        ] as [(Int64, String)])
    func sizes(bytes: Int64, text: String) { #expect(BuildPage.size(bytes) == text) }

    @Test func `elements and attributes escape what is put into them`() {
        let piece = Tag.a(.href(.page(["a b", "c/d\"e"], query: [("q", "1&2")], at: "x y")), .title("\"<>&'")) {
            "<b>&"
        }
        #expect(
            String(decoding: piece.bytes, as: UTF8.self)
                == "<a href=\"/a%20b/c%2Fd%22e?q=1%262#x%20y\" title=\"&quot;&lt;&gt;&amp;&#39;\">&lt;b&gt;&amp;</a>")
    }
}
