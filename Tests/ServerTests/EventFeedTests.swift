import Agent
import Foundation
import HTTP
import Server
import Synchronization
import TestSupport
import Testing

/// The stream of events: what a client gets, what it gets after a break, and that nobody waits for it.
@Suite(.tags(.integration)) struct EventFeedTests {
    private static func event(_ kind: AgentEvent.Kind = .cycle, of repository: String = "shop") -> AgentEvent {
        AgentEvent(kind, of: repository, at: 1_700_000_000)
    }

    /// Reads bytes as they come, until enough are there.
    private final class Ear: BodyReceiver {
        private let text = Mutex<[UInt8]>([])
        private let isEnough: @Sendable (String) -> Bool

        init(until isEnough: @escaping @Sendable (String) -> Bool) { self.isEnough = isEnough }

        var heard: String { String(decoding: text.withLock(\.self), as: UTF8.self) }

        func begin(_ head: HTTPHead) -> Bool { true }

        func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
            text.withLock { $0 += bytes }
            return !isEnough(heard)
        }
    }

    /// What a client hears, while `action` happens once it listens.
    private static func listen(
        _ served: ServedAgent, _ path: String = "/api/v1/events", lastID: String? = nil,
        until isEnough: @escaping @Sendable (String) -> Bool, _ action: @Sendable () -> Void = {}
    ) async throws -> String {
        let ear = Ear(until: isEnough)
        var request = HTTPRequest("GET", try HTTPURL("http://agent" + path))
        if let lastID { request.headers["Last-Event-ID"] = lastID }
        let (client, sent) = (served.client, request)
        let before = served.agent.journal.listenerCount
        async let end = client.send(sent, into: ear)
        try await waitUntil("the client listens", every: .milliseconds(1)) {
            served.agent.journal.listenerCount > before || !ear.heard.isEmpty
        }
        action()
        // It ends by the client's own word.
        do { _ = try await end } catch let error as HTTPError { #expect(error.code == .receiverStopped) }
        return ear.heard
    }

    @Test func `events come as they happen, with their kind and their place`() async throws {
        let served = try await ServedAgent()
        let journal = served.agent.journal
        // What comes while it is being let in may come before it is told so.
        let isEnough: @Sendable (String) -> Bool = {
            $0.contains("era-2") && $0.contains("retry: 2000\n\n") && $0.hasSuffix("\n\n")
        }
        let heard = try await Self.listen(served, until: isEnough) {
            journal.append(Self.event())
            var output = Self.event(.output)
            output.text = "one\ndata: forged\n\n"
            journal.append(output)
        }
        #expect(heard.contains("id: era-1\nevent: cycle\ndata: {"))
        #expect(heard.contains("id: era-2\nevent: output\ndata: {"))
        // A text's newlines are no lines of the stream.
        #expect(!heard.contains("\ndata: forged"))
        try await waitUntil("nobody is told any more") { journal.listenerCount == 0 }
        await served.stop()
    }

    @Test(arguments: [
        ("era-1", ["era-2", "era-3"], false), ("era-3", [], false), ("era-0", ["era-1", "era-2", "era-3"], false),
        ("other-1", [], true), ("era-9", [], true), ("x", [], true), ("", [], true),
        ("era-99999999999999999999", [], true),
    ])
    func `who comes back gets what it missed, or is told that it missed something`(
        _ last: String, _ ids: [String], _ missed: Bool
    ) async throws {
        let served = try await ServedAgent()
        let journal = served.agent.journal
        for _ in 1...3 { journal.append(Self.event()) }
        let heard = try await Self.listen(served, lastID: last, until: { $0.contains("\"shop-end\"") }) {
            journal.append(Self.event(of: "shop-end"))
        }
        let found = heard.split(separator: "\n").filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
        #expect(Array(found.suffix(1)) == ["era-4"])
        #expect(found.dropLast().filter { _ in !missed } == ids)
        #expect(heard.contains("event: missed") == missed)
        await served.stop()
    }

    @Test func `the journal keeps a bounded number of events, and of bytes of output`() {
        var limits = EventJournal.Limits()
        limits.events = 10
        limits.output = 1_000
        let journal = EventJournal(limits: limits, era: "era")
        for _ in 1...95 { journal.append(Self.event()) }
        #expect(Self.replay(journal, after: 85) == Array(86...95))
        #expect(Self.replay(journal, after: 84) == nil)
        for _ in 1...5 {
            var output = Self.event(.output)
            output.text = String(repeating: "x", count: 400)
            journal.append(output)
        }
        #expect(Self.replay(journal, after: 98) == [99, 100])
        #expect(Self.replay(journal, after: 97) == nil)
    }

    /// The numbers of what is told after one; `nil`: something is missed.
    private static func replay(_ journal: EventJournal, after number: Int) -> [Int]? {
        let told = Mutex<[EventJournal.Entry]>([])
        let listener = journal.listen(after: EventID(era: "era", number: number), now: 0) { entry in
            told.withLock { $0.append(entry) }
            return true
        }
        journal.leave(listener)
        let entries = told.withLock(\.self)
        return entries.contains { $0.event.kind == .missed } ? nil : entries.map(\.number)
    }

    @Test func `a client hears of its repository only, and of none that is not there`() async throws {
        let served = try await ServedAgent()
        let journal = served.agent.journal
        let heard = try await Self.listen(
            served, "/api/v1/events?repository=shop", until: { $0.contains("era-2") && $0.hasSuffix("}\n\n") }
        ) {
            journal.append(Self.event(of: "other"))
            journal.append(Self.event())
        }
        #expect(!heard.contains("other"))
        #expect(try await served.ask("GET", "/api/v1/events?repository=nobody").status == 404)
        #expect(try await served.ask("GET", "/api/v1/events?build=x").status == 404)
        #expect(try await served.ask("HEAD", "/api/v1/events").status == 200)
        await served.stop()
    }

    @Test func `a heartbeat comes while nothing happens`() async throws {
        var limits = ServerLimits()
        limits.heartbeat = .milliseconds(5)
        let served = try await ServedAgent(limits: limits)
        let heard = try await Self.listen(served, until: { $0.contains(":\n\n:\n\n") })
        #expect(heard.hasPrefix("retry: 2000\n\n"))
        await served.stop()
    }

    @Test func `a client that does not read is dropped, and nobody waits for it`() async throws {
        let served = try await ServedAgent()
        let journal = served.agent.journal
        let connection = try served.connect()
        connection.send("GET /api/v1/events HTTP/1.1\r\nHost: a\r\n\r\n")
        try await waitUntil("the client listens") { journal.listenerCount == 1 }
        var event = Self.event(.output)
        event.text = String(repeating: "x", count: 60_000)
        for _ in 0..<1_000 { journal.append(event) }
        #expect(journal.listenerCount == 0)
        #expect(try await served.ask("GET", "/healthz").status == 200)
        await served.stop()
    }

    @Test func `the server stops with clients that listen`() async throws {
        let served = try await ServedAgent()
        let connection = try served.connect()
        connection.send("GET /api/v1/events HTTP/1.1\r\nHost: a\r\n\r\n")
        try await waitUntil("the client listens") { served.agent.journal.listenerCount == 1 }
        await served.stop()
        #expect(await Task.detached { connection.readToEnd() }.value.contains("retry: 2000"))
        #expect(served.agent.journal.listenerCount == 0)
    }
}
