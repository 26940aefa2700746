import Foundation
import HTTP
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Registry

@Suite(.tags(.unit)) struct HostPaceTests {
    private let start = ContinuousClock.now

    private func head(_ status: Int, _ headers: [(String, String)] = []) throws -> HTTPHead {
        var fields = HTTPHeaders()
        for (name, value) in headers { fields.add(name, value) }
        return HTTPHead(status: status, headers: fields, url: try HTTPURL("http://registry.test/"))
    }

    @Test func nobodyWaitsWithoutAReason() throws {
        let pace = HostPace(requestsPerSecond: nil, now: start)
        for _ in 0..<10 { #expect(pace.turn(now: start) == .zero) }
        pace.learn(try head(200), now: start)
        pace.learn(try head(404), now: start)
        #expect(pace.turn(now: start) == .zero)
    }

    @Test func aConfiguredRateIsKept() {
        let pace = HostPace(requestsPerSecond: 4, now: start)
        #expect(
            (0..<4).map { _ in pace.turn(now: start) } == [
                .zero, .milliseconds(250), .milliseconds(500), .milliseconds(750),
            ])
        #expect(pace.turn(now: start + .seconds(10)) == .zero)
    }

    @Test func refusalsSlowDownAndSuccessesSpeedUp() throws {
        let pace = HostPace(requestsPerSecond: nil, now: start)
        for _ in 0..<3 { pace.learn(try head(429), now: start) }
        #expect(pace.turn(now: start) == .milliseconds(400))
        #expect(pace.turn(now: start) == .milliseconds(800))
        for _ in 0..<50 { pace.learn(try head(200), now: start) }
        let later = start + .seconds(5)
        #expect(pace.turn(now: later) == .zero)
        #expect(pace.turn(now: later) == .zero)
        for _ in 0..<50 { pace.learn(try head(429), now: start) }
        #expect(pace.turn(now: start) <= .seconds(10), "the pause is bounded")
    }

    @Test(arguments: [
        ([("Retry-After", "30")], 30 as Int?), ([("Retry-After", "0")], 0), ([("Retry-After", "-1")], nil),
        ([("Retry-After", "soon")], nil), ([], nil), ([("Retry-After", "99999999999999999999")], nil),
        ([("Retry-After", "9999999999")], 604_800),
        // The server's clock is years behind.
        ([("Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT"), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")], 30),
        ([("Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT"), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")], 0),
        ([("Retry-After", "Thu, 01 Jan 1970 00:02:00 GMT")], 20),
    ])
    func retryAfter(_ headers: [(String, String)], _ seconds: Int?) throws {
        let head = try head(503, headers)
        #expect(RetryAfter.seconds(head.headers, now: 100) == seconds)
        let pace = HostPace(requestsPerSecond: nil, now: start)
        if headers.count == 1, let seconds, seconds < 100, headers[0].1.count < 5 {
            pace.learn(head, now: start)
            #expect(pace.turn(now: start) == .seconds(seconds))
            #expect(pace.turn(now: start + .seconds(seconds)) == .zero)
        }
    }

    @Test(arguments: [
        ([("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "76;w=21600")], 76, nil as Int?, 100 as Int?),
        ([("ratelimit-remaining", "0"), ("RateLimit-Reset", "30")], 0, 30, nil),
        (
            [("X-RateLimit-Limit", "5000"), ("X-RateLimit-Remaining", "4"), ("X-RateLimit-Reset", "1700000060")], 4, 60,
            5000
        ),
        ([("RateLimit", "limit=100, remaining=50, reset=5")], 50, 5, 100),
        ([("RateLimit", "\"default\";r=50;t=30")], 50, 30, nil),
    ])
    func quotasInAllSpellings(_ headers: [(String, String)], _ left: Int, _ reset: Int?, _ limit: Int?) throws {
        let quota = try #require(RateLimit(try head(200, headers).headers, now: 1_700_000_000))
        #expect(quota.remaining == left && quota.reset == reset && quota.limit == limit)
    }

    @Test(arguments: ["", "many", "-1", "999999999999999999999999"])
    func nonsenseIsNoQuota(_ text: String) throws {
        #expect(RateLimit(try head(200, [("RateLimit-Remaining", text)]).headers) == nil)
    }

    @Test func theRestOfAQuotaIsSpread() throws {
        let pace = HostPace(requestsPerSecond: nil, now: start)
        func learn(_ remaining: Int, reset: Int) throws {
            pace.learn(
                try head(
                    200,
                    [
                        ("RateLimit-Limit", "100"), ("RateLimit-Remaining", "\(remaining)"),
                        ("RateLimit-Reset", "\(reset)"),
                    ]), now: start)
        }
        try learn(60, reset: 30)
        #expect(pace.turn(now: start) == .zero && pace.turn(now: start) == .zero)
        try learn(10, reset: 30)
        #expect(pace.turn(now: start) == .zero && pace.turn(now: start) == .seconds(3))
        try learn(0, reset: 30)
        #expect(pace.turn(now: start) == .seconds(30))
        #expect(pace.quarantine(now: start) == .seconds(30))
    }

    @Test func anHourIsNotWaitedForAndTheHostLeftAlone() async throws {
        let server = try StubServer { _ in .text(429, "", headers: [("Retry-After", "3600")]) }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        let repository = try RegistryAccess(configuration: configuration, keychain: .empty)
            .repository(.registry(host: server.host, path: "app"))
        for _ in 0..<3 {
            let error = await #expect(throws: RegistryError.self) { _ = try await repository.tags() }
            #expect(error?.code == .rateLimited && (3590...3600).contains(error?.retryAfter ?? 0))
        }
        #expect(server.requests.count == 1)
    }

    /// No more requests at the same time than the host is configured for.
    @Test func concurrencyIsBoundedForAHost() async throws {
        let running = Counter()
        let most = Counter()
        let server = try StubServer { _ in
            most.set(max(most.value, running.add(1)))
            for _ in 0..<200 { _ = Int.random(in: 0..<10) }
            _ = running.add(-1)
            return .text(200, #"{"tags":[]}"#)
        }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        var options = RegistryConfiguration.HostOptions()
        options.concurrency = 2
        configuration.hosts[server.host] = options
        let access = RegistryAccess(configuration: configuration, keychain: .empty)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<30 {
                group.addTask {
                    _ = try await access.repository(.registry(host: server.host, path: "app\(number)")).tags()
                }
            }
            try await group.waitForAll()
        }
        #expect(most.value <= 2)
        #expect(Set(server.requests.map { $0.connection }).count <= 2, "and no more connections")
    }

    /// Questions cost a host little and whoever asks a long way: more of them are under way than blobs.
    @Test func `questions are asked side by side, as many as allowed`() async throws {
        let gate = Gate(opensAt: RegistryConfiguration.HostOptions.questions)
        let server = try StubServer { _ in
            gate.enter()
            return .text(200, #"{"tags":[]}"#)
        }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        let access = RegistryAccess(configuration: configuration, keychain: .empty)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    _ = try await access.repository(.registry(host: server.host, path: "app\(number)")).tags()
                }
            }
            try await group.waitForAll()
        }
        #expect(gate.most == RegistryConfiguration.HostOptions.questions)
    }
}

/// Answers nobody before so many have asked, or none comes any more.
private final class Gate: Sendable {
    private let condition = NSCondition()
    private let state = Mutex((inside: 0, most: 0, isOpen: false))
    private let count: Int

    init(opensAt count: Int) { self.count = count }

    var most: Int { state.withLock { $0.most } }

    func enter() {
        condition.lock()
        state.withLock { state in
            state.inside += 1
            state.most = max(state.most, state.inside)
            if state.inside >= count { state.isOpen = true }
        }
        condition.broadcast()
        let deadline = Date(timeIntervalSinceNow: 20)
        while !state.withLock({ $0.isOpen }), condition.wait(until: deadline) {}
        state.withLock { $0.inside -= 1 }
        condition.unlock()
    }
}
