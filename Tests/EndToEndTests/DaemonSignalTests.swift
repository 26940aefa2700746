import Foundation
import TestSupport
import Testing

/// What signals do to a running agent, in the middle of a build and otherwise.
@Suite(.tags(.endToEnd)) struct DaemonSignalTests {
    @Test func `SIGTERM ends a step that would take ten minutes, and leaves no process of it`() async throws {
        let fixture = try AgentFixture("daemon-term")
        _ = try fixture.repository("shop", step: "sleep 600")
        try fixture.write(fixture.configuration(["shop"]))
        let agent = try fixture.start()
        defer { agent.stop() }
        try await waitUntil("the step runs") { try !fixture.steps().isEmpty }
        // The first build does not keep it from being ready.
        try await waitUntil("the agent is ready") { try fixture.get("/readyz").status == "200" }
        #expect(try fixture.states() == ["shop": "building"])
        agent.send(SIGTERM)
        try await waitUntil("the agent has ended") { agent.end != nil }
        #expect(agent.end == .exit(0))
        #expect(try fixture.steps().isEmpty)
        #expect(agent.log.contains("msg=stopped"), "\(agent.log)")
        #expect(!agent.log.contains("level=error"), "\(agent.log)")
    }

    @Test func `SIGKILL leaves no process of a step either`() async throws {
        let fixture = try AgentFixture("daemon-kill")
        _ = try fixture.repository("shop", step: "sleep 600")
        try fixture.write(fixture.configuration(["shop"]))
        let agent = try fixture.start()
        defer { agent.stop() }
        try await waitUntil("the step runs") { try !fixture.steps().isEmpty }
        agent.kill()
        try await waitUntil("the step is gone") { try fixture.steps().isEmpty }
        #expect(agent.end == .signal(SIGKILL))
    }

    @Test func `a second SIGTERM ends the agent at once`() async throws {
        let fixture = try AgentFixture("daemon-twice")
        // A git server that takes connections and never says a word, so that the first one has something to wait for.
        let silent = try SilentServer()
        defer { silent.close() }
        try fixture.write(
            fixture.configuration([]) + "  - {name: silent, url: \"http://127.0.0.1:\(silent.port)/acme/shop.git\"}\n")
        let agent = try fixture.start()
        defer { agent.stop() }
        try await waitUntil("the agent waits for the git server") { silent.connections > 0 }
        agent.send(SIGTERM)
        try await waitUntil("the first one is heard") { agent.log.contains("msg=stopping") }
        #expect(agent.end == nil)
        agent.send(SIGTERM)
        try await waitUntil("the agent has ended") { agent.end != nil }
        #expect(agent.end == .signal(SIGTERM))
        #expect(!agent.log.contains("msg=stopped"), "\(agent.log)")
    }

    @Test func `SIGHUP in the middle of a build reloads, and the build goes on`() async throws {
        let fixture = try AgentFixture("daemon-hup")
        let shop = try fixture.repository("shop", step: "sleep 3; cat /number > /made")
        _ = try fixture.repository("blog", step: "true")
        try fixture.write(fixture.configuration(["shop"]))
        let agent = try fixture.start()
        defer { agent.stop() }
        try await waitUntil("the step runs") { try !fixture.steps().isEmpty }
        try fixture.write(fixture.configuration(["shop", "blog"]))
        agent.send(SIGHUP)
        try await waitUntil("it is reloaded") { agent.log.contains("msg=reloaded because=SIGHUP") }
        try await waitUntil("the new repository is watched, and the build is rolled out") {
            try fixture.states() == ["shop": "ok", "blog": "ok"]
        }
        #expect(try fixture.image(of: "shop", in: shop) == "acme/shop:v1")
        #expect(agent.log.components(separatedBy: "Building docker.io/acme/shop:v1").count == 2, "\(agent.log)")

        // A file with a fault keeps what there is; it is said where the fault is, and counted.
        try fixture.write(fixture.configuration(["shop"]) + "repositries: []\n")
        agent.send(SIGHUP)
        try await waitUntil("the fault is told") { agent.log.contains("not reloaded") }
        #expect(agent.log.contains("repositries"), "\(agent.log)")
        #expect(try Set(fixture.states().keys) == ["shop", "blog"])
        let metrics = try fixture.get("/metrics").body
        #expect(metrics.contains("slipway_reloads_total{result=\"failure\"} 1"), "\(metrics)")
        #expect(metrics.contains("slipway_reloads_total{result=\"success\"} 1"), "\(metrics)")
        #expect(agent.isRunning)
    }

    @Test(arguments: ["logfmt", "json"])
    func `a configuration that a link swaps is taken in, and every line of the log can be read`(
        format: String
    ) async throws {
        let fixture = try AgentFixture("daemon-link")
        _ = try fixture.repository("shop", step: "cat /number > /made")
        _ = try fixture.repository("blog", step: "exit 7")
        // As a kubelet mounts a ConfigMap: the file leads through a link to a folder that is replaced as a whole.
        for (folder, names) in [("..1", ["shop"]), ("..2", ["shop", "blog"])] {
            try Shell.run(["mkdir", fixture.scratch.file(folder)])
            try Data(fixture.configuration(names, format: format).utf8)
                .write(to: URL(fileURLWithPath: fixture.scratch.file("\(folder)/agent.yaml")))
        }
        try Shell.run(["ln", "-s", "..1", fixture.scratch.file("..data")])
        try Shell.run(["ln", "-s", "..data/agent.yaml", fixture.configurationFile])
        let agent = try fixture.start()
        defer { agent.stop() }
        try await waitUntil("the first configuration is at work") { try fixture.states() == ["shop": "ok"] }
        try Shell.run(["ln", "-s", "..2", fixture.scratch.file("..tmp")])
        try Shell.run(["mv", "-T", fixture.scratch.file("..tmp"), fixture.scratch.file("..data")])
        try await waitUntil("the second one is") { try fixture.states() == ["shop": "ok", "blog": "stalled"] }
        agent.send(SIGTERM)
        try await waitUntil("the agent has ended") { agent.end != nil }
        let lines = agent.log.split(separator: "\n").map(String.init)
        let records = try lines.map { try format == "json" ? Self.json($0) : Self.logfmt($0) }
        #expect(records.allSatisfy { $0["time"] != nil && $0["level"] != nil && $0["msg"] != nil })
        #expect(records.contains { $0["msg"] == "reloaded" && $0["because"] == "a file changed" })
        let failed = records.filter { $0["level"] == "error" }
        #expect(failed.map { $0["repository"] } == ["blog"], "\(lines)")
        #expect(failed.first?["error"]?.contains("exit code 7") == true)
    }

    /// The texts of a line that is a JSON object.
    private static func json(_ line: String) throws -> [String: String] {
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        guard let object else { throw TestSupportError("no object: \(line)") }
        return object.compactMapValues { $0 as? String }
    }

    /// `key=value` or `key="a value"`, one blank between them; nothing else.
    private static func logfmt(_ line: String) throws -> [String: String] {
        var record: [String: String] = [:]
        var rest = Substring(line)
        while !rest.isEmpty {
            guard let pair = rest.prefixMatch(of: /([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s="\\]*))(?: |$)/) else {
                throw TestSupportError("no logfmt from here: \(rest)")
            }
            record[String(pair.1)] = String(pair.2 ?? pair.3 ?? "")
            rest = rest[pair.range.upperBound...]
        }
        return record
    }
}

/// Takes connections, and never answers.
private final class SilentServer: @unchecked Sendable {
    // `@unchecked Sendable`: the descriptor is only written in `init`; the count is behind the lock.
    private let descriptor: Int32
    let port: Int
    private let lock = NSLock()
    private var count = 0

    var connections: Int { lock.withLock { count } }

    init() throws {
        port = try Server.freePort()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0, listen(descriptor, 8) == 0 else { throw TestSupportError("cannot listen: errno \(errno)") }
        Thread.detachNewThread { [self] in
            while accept(descriptor, nil, nil) >= 0 { lock.withLock { count += 1 } }
        }
    }

    func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}
