import Agent
import Foundation
import HTTP
import Server
import TestSupport
import Testing

/// The socket's file: its mode, when it appears, who may replace it.
@Suite(.tags(.integration)) struct AgentSocketTests {
    private static func mode(_ path: String) -> Int? {
        (try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]) as? Int
    }

    @Test func `it is its user's alone, and there only while it is listened on`() async throws {
        let directory = try TemporaryDirectory("socket")
        let path = AgentSocket.path(in: directory.path)
        let socket = try #require(try AgentSocket.bind(in: directory.path))
        #expect(Self.mode(path) == nil)
        let server = try await AgentServer.start(socket: socket, control: FakeAgent())
        #expect(Self.mode(path) == 0o600)
        socket.remove()
        await server.stop()
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(left == ["agent.sock.lock"])
    }

    @Test func `what a dead process left is replaced`() async throws {
        let directory = try TemporaryDirectory("socket")
        let path = AgentSocket.path(in: directory.path)
        for name in ["agent.sock", ".agent.sock-halfway"] {
            let file = directory.file(name)
            try Shell.run(["python3", "-c", "import socket; socket.socket(socket.AF_UNIX).bind('\(file)')"])
        }
        #expect(Self.mode(path) != nil)
        let socket = try #require(try AgentSocket.bind(in: directory.path))
        let server = try await AgentServer.start(socket: socket, control: FakeAgent())
        #expect(Self.mode(path) == 0o600)
        var configuration = HTTPConfiguration()
        configuration.unixSocket = path
        configuration.plainHTTP = .hosts(["agent"])
        let answer = try await HTTPClient(configuration).send(
            HTTPRequest("GET", try HTTPURL("http://agent/healthz")), limit: 100)
        #expect(answer.status == 200)
        socket.remove()
        await server.stop()
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(left == ["agent.sock.lock"])
    }

    @Test func `a living agent's is left alone`() async throws {
        let served = try await ServedAgent()
        let directory = String(served.socket.path.dropLast("/agent.sock".count))
        #expect(try AgentSocket.bind(in: directory) == nil)
        #expect(try await served.ask("GET", "/healthz").status == 200)
        await served.stop()
    }

    @Test func `a path that is too long for a socket works all the same`() async throws {
        let directory = try TemporaryDirectory("socket")
        let deep = directory.file(String(repeating: "long/", count: 30) + "state")
        let socket = try #require(try AgentSocket.bind(in: deep))
        let server = try await AgentServer.start(socket: socket, control: FakeAgent())
        let address = try SocketAddress(AgentSocket.path(in: deep))
        var configuration = HTTPConfiguration()
        configuration.unixSocket = address.path
        configuration.plainHTTP = .hosts(["agent"])
        let answer = try await HTTPClient(configuration).send(
            HTTPRequest("GET", try HTTPURL("http://agent/healthz")), limit: 100)
        #expect(answer.status == 200)
        socket.remove()
        await server.stop()
    }
}
