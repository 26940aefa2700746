import Foundation
import HTTP
import TestSupport
import Testing

@testable import Agent
@testable import Server

/// Requests that are odd, or wrong, by bare bytes: only the one that sends them suffers.
@Suite(.tags(.integration)) struct RequestFaultTests {
    private static func answer(_ served: ServedAgent, _ bytes: [UInt8]) async throws -> String {
        let connection = try served.connect()
        connection.send(bytes: bytes)
        return await Task.detached { connection.readToEnd() }.value
    }

    @Test func `requests that come at once are answered one after another`() async throws {
        let served = try await ServedAgent()
        served.agent.onCycle { (_, say) throws(ControlError) in say(ProgressLine("a cycle")) }
        let body = #"{"repositories":["shop"]}"#
        let text =
            "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
            + "POST /api/v1/sync HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            + "HEAD /api/v1/status HTTP/1.1\r\nHost: a\r\n\r\n"
            + "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        let answer = try await Self.answer(served, Array(text.utf8))
        let statuses = answer.components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
        #expect(statuses == ["200", "404", "200", "200", "200"], "\(answer)")
        let places = ["ok\n", "not-found", "a cycle", "ready\n"].compactMap { answer.range(of: $0)?.lowerBound }
        #expect(places.count == 4 && places == places.sorted())
        await served.stop()
    }

    @Test(
        arguments: [
            // In the path, the query, a header, a body and a form: octets that are no UTF-8.
            (
                Array("GET /api/v1/repositories/".utf8) + [0xff, 0xfe]
                    + Array("/builds HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8), [400, 404]
            ),
            (
                Array("GET /api/v1/repositories/%ff%fe/builds HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8),
                [404]
            ),
            (Array("GET /?q=%ff%c0%80 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8), [200]),
            (
                Array("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Name: ".utf8) + [0xff, 0xc0]
                    + Array("\r\nConnection: close\r\n\r\n".utf8), [200, 400]
            ),
            (
                Array("POST /api/v1/retry HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\n".utf8)
                    + [0x22, 0xff, 0xfe, 0x22], [400]
            ),
            (
                Array(
                    "POST /api/v1/retry HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 20\r\n\r\n{\"repository\":\""
                        .utf8)
                    + [0xed, 0xa0, 0x80, 0x22, 0x7d], [400, 404]
            ),
            (
                Array(
                    "POST /repositories/%ff/pause HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\ntoken=%ff"
                        .utf8), [404, 403]
            ),
            // A header of 100 kB, as one line and as many.
            (
                Array("GET /healthz HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 100_000))\r\n\r\n".utf8),
                [400, 431]
            ),
            (
                Array(
                    ("GET /healthz HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 17_000) + "\r\n")
                        .utf8), [400, 431]
            ),
            (
                Array("GET /\(String(repeating: "x", count: 100_000)) HTTP/1.1\r\nHost: a\r\n\r\n".utf8),
                [400, 404, 414, 431]
            ),
            // A NUL, and a line end that is none.
            (Array("GET /health\u{0}z HTTP/1.1\r\nHost: a\r\n\r\n".utf8), [400]),
            (Array("GET /healthz HTTP/1.1\rHost: a\r\r".utf8), [400]),
            // HTTP/1.0 knows neither Host nor connections that stay.
            (Array("GET /healthz HTTP/1.0\r\n\r\n".utf8), [200]),
            (Array("GET / HTTP/1.0\r\nAccept: text/html\r\n\r\n".utf8), [200]),
            // Lengths that contradict each other, or are no numbers.
            (
                Array(
                    "POST /api/v1/retry HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}".utf8),
                [400]
            ),
            (
                Array("POST /api/v1/retry HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n{}".utf8),
                [400]
            ),
            (
                Array(
                    "POST /api/v1/retry HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
                        .utf8), [400]
            ),
        ] as [([UInt8], [Int])])
    func `an odd request is answered or its connection ends`(_ bytes: [UInt8], _ statuses: [Int]) async throws {
        let served = try await ServedAgent()
        // Whoever is connected meanwhile notices nothing.
        let other = try served.connect()
        other.send("GET /healthz HTTP/1.1\r\nHost: a\r\n")
        let answer = try await Self.answer(served, bytes)
        // To end the connection without a word is right where not even the first line can be read.
        #expect(
            answer.isEmpty
                || statuses.contains { answer.hasPrefix("HTTP/1.1 \($0) ") || answer.hasPrefix("HTTP/1.0 \($0) ") },
            "\(answer.prefix(300))")
        if statuses == [200] { #expect(!answer.isEmpty) }
        other.send("Connection: close\r\n\r\n")
        #expect(await Task.detached { other.readToEnd() }.value.hasPrefix("HTTP/1.1 200 OK"))
        #expect(served.agent.asked.allSatisfy { !$0.hasPrefix("retry shop") })
        await served.stop()
    }

    @Test func `bodies that come slowly hold up nobody`() async throws {
        var limits = ServerLimits()
        limits.patience = .milliseconds(500)
        let served = try await ServedAgent(limits: limits)
        let slow = try (0..<20).map { _ in try served.connect() }
        for connection in slow {
            connection.send("POST /api/v1/retry HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
        }
        #expect(try await served.ask("GET", "/healthz").status == 200)
        for connection in slow {
            #expect(await Task.detached { connection.readToEnd() }.value.isEmpty)
        }
        #expect(served.agent.asked.isEmpty)
        await served.stop()
    }
}
