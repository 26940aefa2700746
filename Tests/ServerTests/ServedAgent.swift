import Agent
import Foundation
import HTTP
import Server
import TestSupport

/// A fake agent behind a real server, and a client for it.
struct ServedAgent {
    let agent = FakeAgent()
    let server: AgentServer
    let socket: AgentSocket
    let client: HTTPClient
    private let directory: TemporaryDirectory

    init(limits: ServerLimits = ServerLimits()) async throws {
        directory = try TemporaryDirectory("socket")
        guard let socket = try AgentSocket.bind(in: directory.path) else {
            throw TestSupportError("somebody has the socket of an empty directory")
        }
        self.socket = socket
        server = try await AgentServer.start(socket: socket, control: agent, limits: limits)
        var configuration = HTTPConfiguration()
        configuration.unixSocket = socket.path
        configuration.plainHTTP = .hosts(["agent"])
        client = HTTPClient(configuration)
    }

    func stop() async {
        socket.remove()
        await server.stop()
    }

    func ask(_ method: String, _ path: String, _ body: String? = nil) async throws -> HTTPResponse {
        let request = HTTPRequest(
            method, try HTTPURL("http://agent" + path), body: body.map { .bytes(Array($0.utf8)) } ?? .none)
        return try await client.send(request, limit: 64 << 20)
    }

    /// The code of an answer that tells an error.
    static func code(_ response: HTTPResponse) throws -> String {
        try JSONDecoder().decode(ErrorDocument.self, from: Data(response.body)).error.code.rawValue
    }

    /// The events of a stream.
    static func events(_ response: HTTPResponse) throws -> [CycleEvent] {
        try response.body.split(separator: UInt8(ascii: "\n")).map {
            try JSONDecoder().decode(CycleEvent.self, from: Data($0))
        }
    }

    /// A connection of bare bytes to the socket.
    func connect() throws -> RawConnection { try RawConnection(socket.path) }
}

/// A client that keeps to no protocol.
final class RawConnection: Sendable {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        guard isConnected else { throw TestSupportError("cannot connect to \(path): errno \(errno)") }
    }

    /// To an address of this machine.
    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw TestSupportError("cannot connect to port \(port): errno \(errno)") }
    }

    deinit { close(descriptor) }

    func send(_ text: String) { send(bytes: Array(text.utf8)) }

    func send(bytes: [UInt8]) {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Reads until the other side ends it.
    func readToEnd() -> String {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += chunk[..<count]
        }
    }

    /// Ends it, as a process does that dies.
    func vanish() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}
