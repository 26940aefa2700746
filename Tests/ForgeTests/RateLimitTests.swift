import HTTP
import Synchronization
import TestSupport
import Testing

@testable import Forge

/// A host that asks for a pause gets it, from all repositories of the process.
@Suite(.tags(.integration)) struct RateLimitTests {
    private final class SetClock: Sendable {
        let now = Mutex<Int64>(1_700_000_000)
    }

    private func client(_ fake: FakeForge, project: String = "acme/shop", _ pauses: ForgePauses) throws -> any Forge {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(["127.0.0.1"])
        let kind = try #require(ForgeKind(rawValue: fake.kind.rawValue))
        return try ForgeProject(kind: kind, api: fake.api, path: project, repositoryURL: "https://git.example/x/y")
            .forge(token: fake.token, http: HTTPClient(configuration), pauses: pauses)
    }

    private static let replies: [(StubReply, seconds: Int64, text: String)] = [
        (.text(429, "{}", headers: [("Retry-After", "60")]), 60, "22:14"),
        (
            .text(
                403, "{}",
                headers: [
                    ("Date", "Tue, 14 Nov 2023 22:13:20 GMT"), ("Retry-After", "Tue, 14 Nov 2023 22:15:20 GMT"),
                ]), 120, "22:15"
        ),
        (
            .text(
                403, #"{"message":"API rate limit exceeded"}"#,
                headers: [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1700000300")]), 300, "22:18"
        ),
        (.text(429, "{}", headers: [("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1700000300")]), 300, "22:18"),
        (.text(403, #"{"message":"You have exceeded a secondary rate limit"}"#), 60, "22:14"),
        (.text(429, "{}"), 60, "22:14"),
    ]

    @Test(arguments: replies.indices)
    func `until then no repository asks, and the message says when`(_ index: Int) async throws {
        let (reply, seconds, text) = Self.replies[index]
        let clock = SetClock()
        let pauses = ForgePauses { clock.now.withLock { $0 } }
        let fake = try FakeForge(.github)
        let (first, second) = (try client(fake, pauses), try client(fake, project: "acme/other", pauses))
        fake.fail([reply])
        let refused = await #expect(throws: ForgeError.self) { try await first.recent(base: "main", prefix: "") }
        #expect(refused?.code == .rateLimited)
        #expect(refused?.summary == "rate limited until \(text) UTC")
        #expect(refused?.place?.hasPrefix("127.0.0.1:") == true)
        clock.now.withLock { $0 += seconds - 1 }
        let fast = await #expect(throws: ForgeError.self) { try await second.find(head: "a", base: "main") }
        #expect(fast?.summary == refused?.summary)
        #expect(fast?.place == refused?.place)
        #expect(fake.requests.count == 1)
        clock.now.withLock { $0 += 1 }
        #expect(try await first.recent(base: "main", prefix: "").pulls.isEmpty)
    }

    @Test func `the last answer before the limit begins the pause, and another host has none`() async throws {
        let clock = SetClock()
        let pauses = ForgePauses { clock.now.withLock { $0 } }
        let (fake, other) = (try FakeForge(.github), try FakeForge(.gitea))
        let forge = try client(fake, pauses)
        fake.fail([.text(200, "[]", headers: [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1700000060")])])
        #expect(try await forge.find(head: "a", base: "main") == [])
        await #expect(throws: ForgeError.self) { try await forge.find(head: "a", base: "main") }
        #expect(fake.requests.count == 1)
        #expect(try await client(other, pauses).find(head: "a", base: "main") == [])
    }

    @Test func `a host that does not say how long is asked later and later`() async throws {
        let clock = SetClock()
        let pauses = ForgePauses { clock.now.withLock { $0 } }
        let fake = try FakeForge(.gitea)
        let forge = try client(fake, pauses)
        fake.fail([.text(429, "{}"), .text(429, "{}")])
        await #expect(throws: ForgeError.self) { try await forge.find(head: "a", base: "main") }
        clock.now.withLock { $0 += 60 }
        await #expect(throws: ForgeError.self) { try await forge.find(head: "a", base: "main") }
        clock.now.withLock { $0 += 119 }
        await #expect(throws: ForgeError.self) { try await forge.find(head: "a", base: "main") }
        #expect(fake.requests.count == 2)
        clock.now.withLock { $0 += 1 }
        #expect(try await forge.find(head: "a", base: "main") == [])
    }
}
