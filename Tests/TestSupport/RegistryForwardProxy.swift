import Foundation

/// A forward proxy in the test's own process: absolute requests and `CONNECT`, for names that only it knows.
///
/// `@unchecked Sendable`: everything mutable is touched under the lock.
package final class ForwardProxy: @unchecked Sendable {
    package let port: Int
    package var host: String { "127.0.0.1:\(port)" }

    private let listener: Int32
    private let authorization: String?
    private let targets: [String: Int]
    private let lock = NSLock()
    private var seen: [String] = []

    /// - Parameter targets: loopback ports by the names (`host:port`) that requests have.
    package init(user: String? = nil, password: String = "", resolving targets: [String: Int]) throws {
        authorization = user.map { "Basic " + Data("\($0):\(password)".utf8).base64EncodedString() }
        self.targets = targets
        (listener, port) = try LoopbackSocket.listen()
        let listener = listener
        let proxy = WeakProxy(self)
        Thread.detachNewThread {
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 && errno == EINTR { continue }
                guard connection >= 0, let proxy = proxy.proxy else { break }
                Thread.detachNewThread { proxy.serve(connection) }
            }
            close(listener)
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    /// First lines of the requests, without the version.
    package var requests: [String] { lock.withLock { seen } }

    private func serve(_ client: Int32) {
        defer { close(client) }
        guard let head = LoopbackSocket.readHead(client) else { return }
        var lines = head.text.components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ").map(String.init)
        guard words.count == 3 else { return }
        lock.withLock { seen.append("\(words[0]) \(words[1])") }
        let fields = lines.dropFirst().map { $0.lowercased() }
        if let authorization, !lines.contains("Proxy-Authorization: \(authorization)"), !fields.isEmpty {
            LoopbackSocket.send(
                client, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"p\"\r\nContent-Length: 0\r\n\r\n")
            return
        }
        let isTunnel = words[0] == "CONNECT"
        var name = words[1]
        if !isTunnel, let url = URLComponents(string: words[1]), let host = url.host {
            name = "\(host):\(url.port ?? 80)"
            let path = words[1].drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" }
            lines[0] = "\(words[0]) \(path) \(words[2])"
        }
        guard let port = targets[name], let server = LoopbackSocket.connect(port) else {
            LoopbackSocket.send(client, "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
            return
        }
        defer { close(server) }
        if isTunnel {
            LoopbackSocket.send(client, "HTTP/1.1 200 Connected\r\n\r\n")
        } else {
            let kept = lines.filter { !$0.lowercased().hasPrefix("proxy-") }
            LoopbackSocket.send(server, kept.joined(separator: "\r\n") + "\r\n\r\n")
        }
        LoopbackSocket.send(server, head.rest)
        LoopbackSocket.splice(client, server)
    }
}

private final class WeakProxy: Sendable {
    weak let proxy: ForwardProxy?

    init(_ proxy: ForwardProxy) { self.proxy = proxy }
}

/// Sockets as far as test servers need them.
enum LoopbackSocket {
    static func listen() throws -> (Int32, Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isReady = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && Foundation.listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isReady else { throw TestSupportError("no listening socket: errno \(errno)") }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    static func connect(_ port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return descriptor }
        close(descriptor)
        return nil
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// The lines before the empty one, and what came after it already.
    static func readHead(_ connection: Int32) -> (text: String, rest: [UInt8])? {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 1 << 16 {
            if let end = bytes.indices.dropLast(3).first(where: { Array(bytes[$0..<$0 + 4]) == [13, 10, 13, 10] }) {
                return (String(decoding: bytes[..<end], as: UTF8.self), Array(bytes[(end + 4)...]))
            }
            let count = recv(connection, &piece, piece.count, 0)
            guard count > 0 else { return nil }
            bytes += piece[..<count]
        }
        return nil
    }

    @discardableResult
    static func send(_ connection: Int32, _ text: String) -> Bool { send(connection, Array(text.utf8)) }

    @discardableResult
    static func send(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Moves bytes both ways until either side ends.
    static func splice(_ first: Int32, _ second: Int32) {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var waiting = [
                pollfd(fd: first, events: Int16(POLLIN), revents: 0),
                pollfd(fd: second, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&waiting, 2, 30_000) > 0 else { return }
            for (from, to) in [(0, second), (1, first)] where waiting[from].revents != 0 {
                let count = recv(waiting[from].fd, &piece, piece.count, 0)
                guard count > 0, send(to, Array(piece[..<count])) else { return }
            }
        }
    }
}
