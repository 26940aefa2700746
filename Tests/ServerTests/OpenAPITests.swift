import Agent
import Foundation
import TestSupport
import Testing

@testable import Server

/// `docs/openapi.yaml` says what the server answers: the same paths and methods, and with the shapes that it promises.
@Suite(.tags(.integration)) struct OpenAPITests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private struct Operation: Hashable {
        let method: String
        let path: String
    }

    /// Of the file: `paths` and what is right below it.
    private static func documented() throws -> Set<Operation> {
        let text = try String(contentsOf: root.appending(path: "docs/openapi.yaml"), encoding: .utf8)
        var (found, path, isInside) = (Set<Operation>(), "", false)
        for line in text.split(separator: "\n") {
            if !line.hasPrefix(" ") { isInside = line == "paths:" }
            guard isInside else { continue }
            if line.hasPrefix("  /") { path = line.dropFirst(2).dropLast().description }
            for method in ["get", "post", "put", "delete", "patch"] where line == "    \(method):" {
                found.insert(Operation(method: method, path: path))
            }
        }
        return found
    }

    /// What each of the API's routes is asked for by; `nil` for pages and their files. A new route has to be named here.
    private static func path(of route: Route) -> String? {
        let api = "/api/v1"
        return switch route {
        case .alive: "/healthz"
        case .ready: "/readyz"
        case .metrics: "/metrics"
        case .status: "\(api)/status"
        case .repositories: "\(api)/repositories"
        case .events: "\(api)/events"
        case .cycle: "\(api)/repositories/{repository}/cycle"
        case .builds: "\(api)/repositories/{repository}/builds"
        case .workloads: "\(api)/repositories/{repository}/workloads"
        case .images: "\(api)/repositories/{repository}/images"
        case .pause: "\(api)/repositories/{repository}/pause"
        case .resume: "\(api)/repositories/{repository}/resume"
        case .build: "\(api)/builds/{build}"
        case .log: "\(api)/builds/{build}/log"
        case .stop: "\(api)/builds/{build}/stop"
        case .sync: "\(api)/sync"
        case .plan: "\(api)/plan"
        case .retry: "\(api)/retry"
        case .release: "\(api)/release"
        case .edits: "\(api)/edits"
        case .queue: "\(api)/queue"
        case .newestImages: "\(api)/images"
        case .image: "\(api)/images/{image}"
        case .policies: "\(api)/repositories/{repository}/policies"
        case .page, .action, .asset: nil
        }
    }

    private static let routes: [Route] = [
        .alive, .ready, .metrics, .status, .repositories, .events, .cycle(repository: "{repository}"),
        .builds(repository: "{repository}"), .workloads(repository: "{repository}"),
        .images(repository: "{repository}"), .pause(repository: "{repository}"), .resume(repository: "{repository}"),
        .queue, .newestImages, .image("{image}"), .policies(repository: "{repository}"), .build(id: "{build}"),
        .log(build: "{build}"), .stop(build: "{build}"), .sync, .plan, .retry, .release, .edits,
    ]

    @Test func `the file names each path and method of the server, and no other`() throws {
        let served = Set(
            Self.routes.compactMap { route in
                Self.path(of: route).map { Operation(method: route.isPost ? "post" : "get", path: $0) }
            } + [Operation(method: "post", path: "/webhooks/{receiver}")])
        #expect(served == (try Self.documented()))
        for route in Self.routes {
            let path = try #require(Self.path(of: route))
            #expect(Route(path.split(separator: "/").map(String.init)) == route, "\(path)")
        }
    }

    @Test(.thorough, .timeLimit(.minutes(3))) func `schemathesis finds nothing that the file does not say`()
        async throws
    {
        let bench = try await PageBench { settings, directory in
            try Data("secret\n".utf8).write(to: URL(fileURLWithPath: directory + "/token"))
            settings.tokenFile = directory + "/token"
            settings.readTokenFile = directory + "/token"
        }
        let build = try PageFixtures.build(1, .succeeded)
        bench.agent.show([build], log: "one\ntwo\n")
        // Where it keeps what it learns.
        let scratch = try TemporaryDirectory("schemathesis")
        let (program, file, url) = (
            Self.root.appending(path: ".build-venv/bin/schemathesis").path,
            Self.root.appending(path: "docs/openapi.yaml").path, bench.url
        )
        let result = try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result {
                        try Shell.run(
                            [
                                program, "run", file, "--url", url, "--header", "Authorization: Bearer secret",
                                "--max-examples", "15", "--seed", "1", "--phases", "examples,coverage,fuzzing",
                                "--checks",
                                "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
                                "--exclude-path-regex", "^/(api/v1/events|webhooks/)", "--generation-database", "none",
                                "--request-timeout", "10", "--no-color",
                            ], in: scratch.path, allowFailure: true)
                    })
            }
        }
        #expect(result.status == 0, "\(result.stdout.suffix(6_000))\(result.stderr.suffix(2_000))")
        // It came through to the agent.
        #expect(bench.agent.asked.contains { $0.hasPrefix("retry") })
        await bench.stop()
    }
}
