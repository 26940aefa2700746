import Foundation
import HTTP
import Synchronization
import TestSupport
import Testing

@testable import Cluster

/// Logs that are cut and read on.
@Suite(.tags(.unit)) struct PodLogTests {
    private static func read(_ lines: [String], from position: inout PodLogPosition) -> [String] {
        var resume = LogResume(position)
        let texts = lines.compactMap { resume.new(Array($0.utf8)) }.map { String(decoding: $0, as: UTF8.self) }
        position = resume.position
        return texts
    }

    @Test func `lines that share a time are counted`() {
        let all = [
            "2026-12-01T03:00:00.1Z a", "2026-12-01T03:00:00.2Z b", "2026-12-01T03:00:00.2Z c",
            "2026-12-01T03:00:00.200Z d",
            "2026-12-01T03:00:00.200000001Z e", "2026-12-01T03:00:01Z f",
        ]
        for cut in 0...all.count {
            var position = PodLogPosition()
            let first = Self.read(Array(all.prefix(cut)), from: &position)
            // The server begins with the whole second.
            let second = Self.read(cut == all.count ? Array(all.suffix(1)) : all, from: &position)
            #expect(first + second == ["a", "b", "c", "d", "e", "f"], "cut after \(cut)")
        }
    }

    @Test func `a line without a time is handed on as it is`() {
        var position = PodLogPosition()
        #expect(
            Self.read(["unable to retrieve container logs"], from: &position) == ["unable to retrieve container logs"])
        #expect(position == PodLogPosition())
    }

    @Test func `a broken connection is an error, and what came before it counts`() async throws {
        let server = try StubServer { request in
            request.target.contains("sinceTime=2026-12-01T03%3A00%3A00Z")
                ? .text(200, "2026-12-01T03:00:00.1Z a\n2026-12-01T03:00:00.2Z b\n")
                : .reset(Array("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n2026-12-01T03:00:00.1Z a\n".utf8))
        }
        let client = ClusterClient(ClusterEndpoint(server: try HTTPURL(server.url)), userAgent: "slipway-test")
        let pod = ResourcePath(.pod, namespace: "shop", name: "api")
        var position = PodLogPosition()
        let read = Mutex<[String]>([])
        @Sendable func take(_ line: [UInt8]) { read.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
        let error = await #expect(throws: ClusterError.self) {
            try await client.log(of: pod, container: "build", from: &position, isFollowed: true, take)
        }
        #expect(error?.code == .unavailable)
        // It was not asked for a second time behind the reader's back.
        #expect(server.requests.count == 1)
        try await client.log(of: pod, container: "build", from: &position, isFollowed: true, take)
        #expect(read.withLock { $0 } == ["a", "b"])
        #expect(
            server.requests.first?.target
                == "/api/v1/namespaces/shop/pods/api/log?container=build&timestamps=true&follow=true")
    }
}
