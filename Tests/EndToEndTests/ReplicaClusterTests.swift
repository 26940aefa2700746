import Cluster
import Foundation
import JSON
import TestSupport
import Testing

/// Two agents, the Lease of a real API server, and a network that fails.
@Suite(
    .tags(.endToEnd), .thorough, .serialized,
    .enabled(if: ReplicaPair.kubeconfig != nil, "KUBECONFIG names no cluster"))
struct ReplicaClusterTests {
    @Test func `a leader that is cut off in the middle of a push ends before the other one leads`() async throws {
        try await ReplicaPair.run("replica-cut") { pair in
            try pair.holdPushes()
            let one = try await pair.start("one")
            try await waitUntil("one pushes", seconds: 60) { pair.isPushing }
            let two = try await pair.start("two")
            try await waitUntil("two stands by", seconds: 30) { try two.get("/readyz").body.contains("standby: one_") }
            #expect(try two.get("/api/v1/status").body.contains("\"shop\""))
            // The network to the API server, and nothing else.
            one.proxy.send(SIGSTOP)
            try await waitUntil("two leads", seconds: 60) {
                guard two.agent.log.contains(ReplicaPair.leads) else { return false }
                #expect(!one.agent.isAlive, "\(one.agent.log)")
                return true
            }
            try await waitUntil("the end of one is known") { one.agent.end != nil }
            #expect(one.agent.end == .exit(1), "\(one.agent.log)")
            #expect(one.agent.log.contains("could not renew its Lease in time"), "\(one.agent.log)")
            try pair.releasePushes()
            try await waitUntil("two has nothing left to do", seconds: 40) {
                try two.get("/api/v1/status").body.contains("\"state\":\"ok\"")
            }
            // What the git server held of the first push and the second push were one commit.
            let log = try pair.loop.log()
            #expect(log.count == 2, "\(log)")
            #expect(try pair.loop.repository.content(of: "deploy/web.yaml").contains("acme/web:1.1.0"))
            try pair.loop.repository.checkIntegrity()
            two.agent.stop()
        }
    }

    @Test func `a leader that stops hands over at once, and nobody is left without an answer`() async throws {
        try await ReplicaPair.run("replica-roll") { pair in
            let one = try await pair.start("one")
            try await waitUntil("one leads", seconds: 60) {
                // A standby says more than that.
                try one.get("/readyz").body.split(separator: "\n") == ["ready"]
            }
            let two = try await pair.start("two")
            try await waitUntil("two stands by", seconds: 30) { try two.get("/readyz").status == "200" }
            one.agent.send(SIGTERM)
            var statuses: Set<String> = []
            try await waitUntil("two leads", seconds: 30) {
                statuses.insert(try two.get("/api/v1/status").status)
                return two.agent.log.contains(ReplicaPair.leads)
            }
            statuses.insert(try two.get("/api/v1/status").status)
            #expect(statuses == ["200"])
            try await waitUntil("one has ended", seconds: 30) { one.agent.end != nil }
            #expect(one.agent.end == .exit(0), "\(one.agent.log)")
            let lease = try #require(try await pair.lease())
            #expect(lease.holder?.hasPrefix("two_") == true)
            // It was given back: nobody had to wait until it was over.
            #expect(lease.transitions == 1)
            #expect(
                two.agent.log.contains("msg=\"another replica leads\" address=http://127.0.0.1:\(one.port)"),
                "\(two.agent.log)")
            two.agent.stop()
            #expect(try await pair.lease()?.holder == nil)
        }
    }
}

/// What two agents work on: a repository whose images have a newer tag.
final class ReplicaPair: Sendable {
    struct Replica: Sendable {
        let agent: Server
        let proxy: ConnectProxy
        let port: Int

        func get(_ path: String) throws -> (status: String, body: String) {
            let output = try Shell.run(
                ["curl", "-s", "-m", "15", "-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"],
                allowFailure: true)
            let lines = output.stdout.split(separator: "\n", omittingEmptySubsequences: false)
            return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
        }
    }

    let loop: GitLoop
    private let client: ClusterClient
    private let kubeconfigText: String
    private let namespace = "lease-\(UUID().uuidString.prefix(8).lowercased())"

    /// What a replica logs when its turn begins.
    static let leads = "msg=\"this replica leads\""

    static let kubeconfig: String? = {
        let file = ProcessInfo.processInfo.environment["KUBECONFIG"] ?? ""
        return file.isEmpty ? nil : file
    }()

    /// Runs `body` in a namespace of its own.
    static func run(_ name: String, _ body: (ReplicaPair) async throws -> Void) async throws {
        let pair = try ReplicaPair(name)
        let path = ResourcePath(.namespace, name: pair.namespace)
        _ = try await pair.client.create(
            ["kind": "Namespace", "apiVersion": "v1", "metadata": ["name": .string(pair.namespace)]], at: path)
        do { try await body(pair) } catch {
            try await pair.client.delete(path)
            throw error
        }
        try await pair.client.delete(path)
    }

    private init(_ name: String) throws {
        let file = try #require(Self.kubeconfig)
        client = ClusterClient(try Kubeconfig(file: file).endpoint(), userAgent: "slipway-test")
        kubeconfigText = try String(contentsOfFile: file, encoding: .utf8)
        loop = try GitLoop(name)
        try loop.standard()
    }

    func lease() async throws -> Lease? {
        let kind = ResourceKind("coordination.k8s.io", "v1", plural: "leases", kind: "Lease")
        return try await client.find(ResourcePath(kind, namespace: namespace, name: "slipway")).map(Lease.init)
    }

    /// Starts an agent whose way to the API server is a proxy of its own.
    func start(_ name: String) async throws -> Replica {
        let folder = loop.scratch.file(name)
        try Shell.run(["mkdir", "-p", folder])
        let proxy = try await ConnectProxy(directory: folder)
        let isFlow = kubeconfigText.contains("{server:")
        let text =
            isFlow
            ? kubeconfigText.replacingOccurrences(of: "{server:", with: "{proxy-url: \"\(proxy.url)\", server:")
            : kubeconfigText.replacing(/(?m)^( +)server:/) {
                "\($0.output.1)proxy-url: \"\(proxy.url)\"\n\($0.output.1)server:"
            }
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/kubeconfig"))
        let port = try Server.freePort()
        let configuration = """
            stateDirectory: \(folder)/state
            interval: 1s
            listen: 127.0.0.1:\(port)
            cluster: {kubeconfig: \(folder)/kubeconfig}
            leaderElection: {namespace: \(namespace), leaseDuration: 8s, renewDeadline: 4s, retryPeriod: 1s}
            registries:
              - {host: docker.io, map: ["oci:\(loop.images)"]}
            repositories:
              - {name: shop, url: "\(loop.repository.path)", branch: main}

            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: folder + "/agent.yaml"))
        let agent = try Server(
            [try Loop.binary, "agent", "--config", folder + "/agent.yaml"],
            environment: [
                "HOME": folder, "DOCKER_CONFIG": folder, "GIT_TERMINAL_PROMPT": "0", "POD_NAME": name,
                "NO_PROXY": "", "no_proxy": "",
            ], log: folder + "/log")
        return Replica(agent: agent, proxy: proxy, port: port)
    }

    // MARK: A git server that takes its time

    /// Pushes arrive, and wait before they count.
    func holdPushes() throws {
        let (hold, held) = (loop.scratch.file("hold"), loop.scratch.file("held"))
        try Data().write(to: URL(fileURLWithPath: hold))
        let hook = loop.repository.path + "/hooks/pre-receive"
        try "#!/bin/sh\ntouch \(held)\nwhile [ -e \(hold) ]; do sleep 0.05; done\n"
            .write(toFile: hook, atomically: true, encoding: .utf8)
        try Shell.run(["chmod", "755", hook])
    }

    var isPushing: Bool { FileManager.default.fileExists(atPath: loop.scratch.file("held")) }

    func releasePushes() throws { try FileManager.default.removeItem(atPath: loop.scratch.file("hold")) }
}
