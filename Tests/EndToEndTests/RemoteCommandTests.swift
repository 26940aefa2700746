import Foundation
import TestSupport
import Testing

/// Commands that ask an agent by the address of its API: what they may do by which token, and that they print what they print elsewhere.
@Suite(.tags(.endToEnd), .thorough) struct RemoteCommandTests {
    /// An agent of a repository of workloads, with a token for writing and one for reading.
    private final class Place: Sendable {
        let loop: GitLoop
        let url: String
        private let configuration: String

        init(_ name: String) throws {
            loop = try GitLoop(name)
            try loop.standard()
            let port = try Server.freePort()
            url = "http://127.0.0.1:\(port)"
            configuration = loop.scratch.file("agent.yaml")
            for (file, token) in [("write", "correct-horse"), ("read", "battery-staple"), ("wrong", "guess")] {
                try Data("\(token)\n".utf8).write(to: URL(fileURLWithPath: loop.scratch.file(file)))
            }
            let text = """
                stateDirectory: \(loop.scratch.file("state"))
                interval: 1h
                listen: 127.0.0.1:\(port)
                api: {tokenFile: "\(loop.scratch.file("write"))", readTokenFile: "\(loop.scratch.file("read"))"}
                registries:
                  - {host: docker.io, map: ["oci:\(loop.images)"]}
                repositories:
                  - {name: shop, url: "\(loop.repository.path)", branch: main}

                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: configuration))
        }

        private var environment: [String: String] { ["HOME": loop.scratch.file("home")] }

        func agent() throws -> Server {
            try Server(
                [try Loop.binary, "agent", "--config", configuration], environment: environment,
                log: loop.scratch.file("agent.log"))
        }

        /// - Parameter token: the name of its file.
        func ask(_ arguments: String..., token: String?) throws -> Shell.Output {
            try Shell.run(
                [try Loop.binary] + arguments + ["--server", url]
                    + (token.map { ["--token-file", loop.scratch.file($0)] } ?? []),
                environment: environment, allowFailure: true)
        }
    }

    @Test func `an agent is asked from elsewhere by the tokens of its API`() async throws {
        let place = try Place("remote")
        let agent = try place.agent()
        defer { agent.stop() }
        try await waitUntil("the first cycle is over") {
            try place.ask("status", token: "read").stdout.contains("  ok  ")
        }
        for token in [nil, "wrong"] {
            let refused = try place.ask("status", token: token)
            #expect(refused.status == 1)
            #expect(refused.stderr.contains("token"), "\(refused.stderr)")
            #expect(!refused.stderr.contains("battery") && !refused.stderr.contains("guess"))
        }
        let explained = try place.ask("explain", "shop:deployment/web", token: "read")
        #expect(explained.status == 0 || explained.status == 3, "\(explained.stderr)")
        let missing = try place.ask("explain", "deployment/nobody", "--name", "shop", token: "read")
        #expect(missing.status == 3 && missing.stderr.contains("nothing in the repository"), "\(missing.stderr)")
        let reading = try place.ask("pause", "shop", token: "read")
        #expect(reading.status == 1)

        let paused = try place.ask("pause", "shop", "-m", "freeze", "--user", "ann", token: "write")
        #expect(paused.stdout == "shop: paused\n", "\(paused.stderr)")
        let status = try place.ask("status", token: "read").stdout
        #expect(status.contains("  paused  ") && status.contains("shop: paused by ann since"), "\(status)")
        #expect(status.contains("freeze ('slipway resume shop')"), "\(status)")
        let sync = try place.ask("sync", "--name", "shop", token: "write")
        #expect(sync.status == 1)
        #expect(sync.stderr.contains("'shop' is paused by ann"), "\(sync.stderr)")

        // What came meanwhile is done when it goes on.
        let commits = try place.loop.log().count
        try place.loop.publish("acme/web", ["1.2.0"])
        #expect(try place.ask("resume", "shop", token: "write").stdout == "shop: goes on\n")
        try await waitUntil("it goes on") { try place.loop.log().count > commits }
        let idle = try place.ask("sync", "--exit-code", token: "write")
        #expect(idle.status == 3, "\(idle.stderr)")
        #expect(idle.stdout == "nothing to do\n")
    }
}
