import OCI
import Synchronization
import TestSupport
import Testing

@testable import RegistryPoller

/// What a scan need not ask for.
@Suite(.tags(.unit)) struct ScanScopeTests {
    private final class Time: Sendable {
        private let value = Mutex<Int64>(1_700_000_000)
        var now: Int64 { value.withLock { $0 } }
        func advance(_ seconds: Int64) { value.withLock { $0 += seconds } }
    }

    private static func interest(_ policy: String, current: String? = nil) throws -> ScanScope {
        ScanScope(images: .matching(TagInterest(try ImagePolicy.parse(policy), current: current)))
    }

    private static func repository(_ tags: [String]) throws -> FakeRepository {
        let repository = FakeRepository()
        for (number, tag) in tags.enumerated() {
            try repository.add(tag, created: "2020-01-01T00:\(10 + number / 50):\(10 + number % 50)Z")
        }
        return repository
    }

    @Test(
        arguments: [
            ("glob:main-*", nil, ["main-1", "main-2"]), ("regexp:^next-", nil, ["next-1"]),
            ("newest:", nil, ["1.0", "main", "main-1", "main-2", "next-1"]),
            ("glob:main-*", "next-1", ["main-1", "main-2", "next-1"]), ("glob:none-*", nil, []),
        ] as [(String, String?, [String])])
    func `only images that a policy may choose are looked at`(
        policy: String, current: String?, expected: [String]
    ) async throws {
        let tags = ["1.0", "latest", "main", "main-1", "main-2", "next-1"]
        let repository = try Self.repository(tags)
        let poller = RegistryPoller { _ in repository }
        let inventory = try await poller.scan(
            repository.location, try Self.interest(policy, current: current), reuse: 0)
        #expect(inventory.tags.map(\.tag) == tags)
        #expect(inventory.tags.filter { $0.created != nil }.map(\.tag) == expected)
        #expect(repository.requests.filter { $0.hasPrefix("manifest") } == expected.map { "manifest \($0)" })
    }

    @Test func `another policy reads what is missing, and what is known stays`() async throws {
        let repository = try Self.repository((1...40).map { "main-\($0)" } + (1...40).map { "next-\($0)" })
        let time = Time()
        let scratch = try TemporaryDirectory("inventory")
        func poller() -> RegistryPoller {
            RegistryPoller(directory: scratch.file("inventory"), now: { time.now }, open: { _ in repository })
        }
        let first = poller()
        _ = try await first.scan(repository.location, try Self.interest("glob:main-*"), reuse: 0)
        #expect(repository.requests.count == 1 + 40 + 40)
        // A scan of a part does not stand for another part, but for itself.
        _ = try await first.scan(repository.location, try Self.interest("glob:main-*"), reuse: 30)
        #expect(repository.requests == [])
        _ = try await first.scan(repository.location, try Self.interest("glob:next-*"), reuse: 30)
        #expect(repository.requests.filter { $0.hasPrefix("manifest") }.count == 40)
        // Nor are the images read again by the next program.
        let all = try await poller().scan(repository.location)
        #expect(repository.requests.allSatisfy { !$0.hasPrefix("manifest") && $0 != "blob" })
        #expect(all.tags.allSatisfy { $0.created != nil })
    }

    @Test func `an image that was looked at is known to the next program`() async throws {
        let repository = try Self.repository(["1.0.0", "1.1.0"])
        let scratch = try TemporaryDirectory("inventory")
        for round in 0..<2 {
            let poller = RegistryPoller(directory: scratch.file("inventory"), open: { _ in repository })
            _ = try await poller.scan(repository.location, ScanScope(images: .none), reuse: 0)
            let record = try await poller.look(at: "1.1.0", in: repository.location)
            #expect(record.problem == nil && record.digest != nil)
            #expect(
                repository.requests == (round == 0 ? ["blob", "manifest 1.1.0", "tags"] : ["digest 1.1.0", "tags"]))
        }
    }

    @Test func `a repository that only we write to costs one request`() async throws {
        let repository = try Self.repository(["latest", "v1", "v2"])
        let time = Time()
        let poller = RegistryPoller(now: { time.now }, open: { _ in repository })
        let own = ScanScope(isThorough: false)
        _ = try await poller.scan(repository.location, own, reuse: 0)
        _ = repository.requests
        time.advance(60)
        let inventory = try await poller.scan(repository.location, own, reuse: 0)
        // A name without a number is there to be moved.
        #expect(repository.requests == ["digest latest", "tags"])
        #expect(inventory.tags.allSatisfy { $0.digest != nil && $0.created != nil })
        // Somebody may write there all the same.
        try repository.add("v2", created: "2023-01-01T00:00:00Z")
        time.advance(300)
        let later = try await poller.scan(repository.location, own, reuse: 0)
        #expect(later.tags.first { $0.tag == "v2" }?.created == 1_672_531_200)
        // Who asks for all gets all.
        time.advance(1)
        _ = try await poller.scan(repository.location)
        #expect(repository.requests.filter { $0.hasPrefix("digest") }.count == 3 + 3)
    }
}
