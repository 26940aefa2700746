import Foundation

/// A request that reached a `StubServer`.
package struct StubRequest: Sendable {
    package let method: String
    /// Path and query, as sent.
    package let target: String
    /// Names in lower case.
    package let headers: [String: String]
    package let body: [UInt8]
    /// Counts connections from 1: equal numbers came over one connection.
    package let connection: Int

    package var path: String { String(target.prefix { $0 != "?" }) }
}

package enum StubReply: Sendable {
    case answer(Int, headers: [(String, String)] = [], body: [UInt8] = [])
    /// Bytes as they are; then the connection is closed.
    case raw([UInt8])
    /// Bytes as they are; then the connection is reset.
    case reset([UInt8])
    /// Bytes as they are, and then nothing more for as long as the client waits.
    case stall([UInt8])
    /// The head, then one byte after the other with a pause between them, until the client goes away.
    case drip([UInt8], milliseconds: UInt32)
    /// The head, then the same piece again and again until the client goes away.
    case endless(head: [UInt8], piece: [UInt8])

    package static func text(_ status: Int, _ text: String, headers: [(String, String)] = []) -> StubReply {
        .answer(status, headers: headers, body: Array(text.utf8))
    }
}

/// An HTTP/1.1 server in the test's own process, for answers that no real server gives. Small bodies only.
///
/// `@unchecked Sendable`: everything mutable is touched under the lock.
package final class StubServer: @unchecked Sendable {
    package let port: Int
    package var host: String { "127.0.0.1:\(port)" }
    package var url: String { "http://\(host)" }

    private let listener: Int32
    private let handler: @Sendable (StubRequest) -> StubReply
    private let lock = NSLock()
    private var received: [StubRequest] = []
    private var open: Set<Int32> = []
    private var isStopped = false

    package init(_ handler: @escaping @Sendable (StubRequest) -> StubReply) throws {
        self.handler = handler
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isReady = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isReady else { throw TestSupportError("no stub server: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        let server = WeakServer(self)
        Thread.detachNewThread { Self.acceptAll(listener, server) }
    }

    package var requests: [StubRequest] { lock.withLock { received } }

    package func stop() {
        let connections: Set<Int32>? = lock.withLock {
            guard !isStopped else { return nil }
            isStopped = true
            return open
        }
        guard let connections else { return }
        // Ends the thread that accepts, which closes the descriptor: closed here, its number could be another's by then.
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in connections { shutdown(connection, Int32(SHUT_RDWR)) }
    }

    deinit { stop() }

    private static func acceptAll(_ listener: Int32, _ weak: WeakServer) {
        defer { close(listener) }
        var number = 0
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 && errno == EINTR { continue }
            guard connection >= 0 else { return }
            number += 1
            let current = number
            guard let server = weak.server else {
                close(connection)
                return
            }
            Thread.detachNewThread { server.serve(connection, current) }
        }
    }

    private func serve(_ connection: Int32, _ number: Int) {
        lock.withLock { _ = open.insert(connection) }
        defer {
            lock.withLock { _ = open.remove(connection) }
            close(connection)
        }
        var buffer: [UInt8] = []
        while let request = Self.readRequest(connection, &buffer, number) {
            lock.withLock { received.append(request) }
            switch handler(request) {
            case .answer(let status, let headers, let body):
                var head = "HTTP/1.1 \(status) Stub\r\n"
                for (name, value) in headers { head += "\(name): \(value)\r\n" }
                if !headers.contains(where: { $0.0.lowercased() == "content-length" }) {
                    head += "Content-Length: \(body.count)\r\n"
                }
                guard Self.send(connection, Array((head + "\r\n").utf8) + (request.method == "HEAD" ? [] : body)) else {
                    return
                }
            case .raw(let bytes):
                _ = Self.send(connection, bytes)
                return
            case .reset(let bytes):
                _ = Self.send(connection, bytes)
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Foundation.linger>.size))
                return
            case .stall(let bytes):
                _ = Self.send(connection, bytes)
                var byte: UInt8 = 0
                _ = recv(connection, &byte, 1, 0)
                return
            case .drip(let head, let milliseconds):
                guard Self.send(connection, head) else { return }
                while Self.send(connection, [0x20]) { usleep(milliseconds * 1000) }
                return
            case .endless(let head, let piece):
                guard Self.send(connection, head) else { return }
                while Self.send(connection, piece) {}
                return
            }
        }
    }

    private static func readRequest(_ connection: Int32, _ buffer: inout [UInt8], _ number: Int) -> StubRequest? {
        let separator: [UInt8] = [13, 10, 13, 10]
        var end: Int?
        while end == nil {
            if buffer.count >= 4 {
                end = (0...(buffer.count - 4)).first { Array(buffer[$0..<$0 + 4]) == separator }
            }
            if end == nil { guard receive(connection, &buffer) else { return nil } }
            // The beginning of TLS, which is not spoken here: as the servers of Go's library say it.
            if buffer.first == 0x16 {
                _ = send(connection, Array("HTTP/1.0 400 Bad Request\r\n\r\nnot an HTTP request\n".utf8))
                return nil
            }
        }
        guard let end else { return nil }
        let lines = String(decoding: buffer[..<end], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ").map(String.init)
        guard words.count == 3 else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] =
                line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        buffer.removeFirst(end + 4)
        var body: [UInt8] = []
        if headers["transfer-encoding"] == "chunked" {
            while let chunk = readChunk(connection, &buffer) {
                if chunk.isEmpty {
                    return StubRequest(
                        method: words[0], target: words[1], headers: headers, body: body, connection: number)
                }
                body += chunk
            }
            return nil
        }
        guard let whole = read(Int(headers["content-length"] ?? "0") ?? 0, connection, &buffer) else { return nil }
        body = whole
        return StubRequest(method: words[0], target: words[1], headers: headers, body: body, connection: number)
    }

    private static func read(_ count: Int, _ connection: Int32, _ buffer: inout [UInt8]) -> [UInt8]? {
        while buffer.count < count { guard receive(connection, &buffer) else { return nil } }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    /// A piece of a body whose length nobody told before; the last is empty (RFC 9112, section 7.1). Without trailers.
    private static func readChunk(_ connection: Int32, _ buffer: inout [UInt8]) -> [UInt8]? {
        var line: [UInt8] = []
        while line.last != 0x0a {
            guard let byte = read(1, connection, &buffer) else { return nil }
            line += byte
        }
        let digits = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let size = Int(digits, radix: 16), let chunk = read(size + 2, connection, &buffer) else { return nil }
        return Array(chunk.dropLast(2))
    }

    private static func receive(_ connection: Int32, _ buffer: inout [UInt8]) -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        var count = recv(connection, &piece, piece.count, 0)
        while count < 0 && errno == EINTR { count = recv(connection, &piece, piece.count, 0) }
        guard count > 0 else { return false }
        buffer += piece[..<count]
        return true
    }

    private static func send(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
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
}

/// Does not keep the server alive for the thread that accepts.
private final class WeakServer: Sendable {
    weak let server: StubServer?

    init(_ server: StubServer) { self.server = server }
}
