import OCI
import Registry
import Synchronization
import TestSupport
import Testing

@testable import RegistryPoller

/// A clock that tests set.
private final class Time: Sendable {
    private let value = Mutex<Int64>(1_700_000_000)
    var now: Int64 { value.withLock { $0 } }
    func advance(_ seconds: Int64) { value.withLock { $0 += seconds } }
}

/// A repository of a hundred tags, a registry's worth of requests each.
private func large(_ count: Int = 100) throws -> FakeRepository {
    let repository = FakeRepository()
    for number in 1...count {
        try repository.add(
            "v\(number)", created: "2020-01-01T00:\(10 + number / 60 % 50):\(10 + number % 50)Z",
            annotations: [Annotation.version: "\(number)"])
    }
    return repository
}

@Suite(.tags(.unit)) struct InventoryTests {
    @Test(arguments: [false, true]) func `nothing new costs one request`(hasEntityTags: Bool) async throws {
        let repository = try large()
        repository.state.withLock { $0.hasEntityTags = hasEntityTags }
        let time = Time()
        let poller = RegistryPoller(now: { time.now }, open: { _ in repository })
        let first = try await poller.scan(repository.location)
        #expect(repository.requests.count == 1 + 100 + 100)
        for _ in 0..<10 {
            time.advance(60)
            #expect(try await poller.scan(repository.location) == first)
            #expect(repository.requests == ["tags"])
        }
        // What is new is read, and nothing else.
        try repository.add("v101", created: "2021-01-01T00:00:00Z")
        let second = try await poller.scan(repository.location)
        #expect(repository.requests == ["blob", "manifest v101", "tags"])
        #expect(second.tags.count == 101)
        // What is gone is gone.
        repository.state.withLock { $0.tags["v7"] = nil }
        #expect(try await poller.scan(repository.location).tags.count == 100)
        #expect(repository.requests == ["tags"])
    }

    @Test func `a tag that moved is found within its interval`() async throws {
        let repository = try large()
        try repository.add("latest", created: "2020-01-01T00:00:00Z")
        let time = Time()
        let poller = RegistryPoller(now: { time.now }, open: { _ in repository })
        _ = try await poller.scan(repository.location)
        _ = repository.requests
        try repository.add("v50", created: "2022-02-02T00:00:00Z")
        try repository.add("latest", created: "2022-02-02T00:00:00Z")
        // Names that are there to be moved are asked for each time.
        let next = try await poller.scan(repository.location)
        #expect(next.tags.first { $0.tag == "latest" }?.created == 1_643_760_000)
        #expect(repository.requests == ["blob", "digest latest", "manifest latest", "tags"])
        // An hour, and a quarter of one for the spread.
        time.advance(3_600 * 5 / 4)
        let later = try await poller.scan(repository.location)
        #expect(later.tags.first { $0.tag == "v50" }?.created == 1_643_760_000)
        #expect(repository.requests.filter { $0.hasPrefix("digest") }.count == 101)
        // It moved, so it is asked for earlier than the others the next time.
        time.advance(1_800 * 5 / 4)
        _ = try await poller.scan(repository.location)
        #expect(repository.requests == ["digest latest", "digest v50", "tags"])
    }

    @Test func `intervals double up to a week and halve down to five minutes`() {
        var schedule = RefreshSchedule.unread
        schedule.looked(hasMoved: false, at: 0, seed: 0)
        #expect(schedule.due == 2_700)
        for expected: Int64 in [7_200, 14_400, 28_800, 57_600, 115_200, 230_400, 460_800, 604_800, 604_800] {
            schedule.looked(hasMoved: false, at: 0, seed: 0)
            #expect(schedule.due == expected * 3 / 4)
        }
        for _ in 0..<20 { schedule.looked(hasMoved: true, at: 0, seed: 0) }
        #expect(schedule.due == 225)
        for seed: UInt64 in [1, 149, 150, .max] {
            schedule.looked(hasMoved: true, at: 1_000, seed: seed)
            #expect((1_225...1_375).contains(schedule.due))
        }
    }

    @Test func `a scan that fails goes on where it was`() async throws {
        let repository = try large()
        let poller = RegistryPoller(concurrency: 1) { _ in repository }
        repository.fail("manifest v60", .unavailable, isTransient: true)
        await #expect(throws: PollError.self) { try await poller.scan(repository.location) }
        let before = repository.requests.filter { $0.hasPrefix("manifest") }.count
        repository.fail("manifest v60", nil)
        #expect(try await poller.scan(repository.location).tags.count == 100)
        #expect(repository.requests.filter { $0.hasPrefix("manifest") }.count == 100 - before + 1)
        #expect(before > 1)
    }

    @Test func `several policies share a scan`() async throws {
        let repository = try large()
        let time = Time()
        let poller = RegistryPoller(now: { time.now }, open: { _ in repository })
        _ = try await poller.scan(repository.location)
        _ = repository.requests
        time.advance(20)
        #expect(try await poller.scan(repository.location, reuse: 30).tags.count == 100)
        #expect(try await poller.scan(repository.location, needsCreationTime: false, reuse: 30).tags.count == 100)
        #expect(repository.requests == [])
        time.advance(20)
        _ = try await poller.scan(repository.location, reuse: 30)
        #expect(repository.requests == ["tags"])
        // A list of names does not stand for a look at the images.
        let other = RegistryPoller(now: { time.now }, open: { _ in repository })
        _ = try await other.scan(repository.location, needsCreationTime: false)
        _ = repository.requests
        #expect(try await other.scan(repository.location, reuse: 30).tags[0].created != nil)
        #expect(repository.requests.count == 201)
    }
}

@Suite(.tags(.unit)) struct InventoryFileTests {
    @Test func `a start with the files of the last one costs one request`() async throws {
        let scratch = try TemporaryDirectory("inventory")
        let repository = try large()
        let arm = Platform(os: "linux", architecture: "arm64", variant: "v8")
        try repository.add("w1", annotations: [Annotation.contentKey: "k", Annotation.created: "2021-01-01T00:00:00Z"])
        try repository.add("w2", created: nil, platform: arm)
        repository.add(Array("{}".utf8), .ociManifest, tag: "w3")
        let time = Time()
        func poller() -> RegistryPoller {
            RegistryPoller(directory: scratch.file("inventory"), now: { time.now }, open: { _ in repository })
        }
        let first = try await poller().scan(repository.location)
        _ = repository.requests
        time.advance(1)
        let again = try await poller().scan(repository.location)
        // Some of the tags are due a moment after the start, so that not all are at once later.
        #expect(repository.requests.filter { $0.hasPrefix("digest") }.count < 10)
        #expect(again.tags.map(\.tag) == first.tags.map(\.tag))
        #expect(again.tags.map(\.created) == first.tags.map(\.created))
        #expect(again.tags.map(\.annotations) == first.tags.map(\.annotations))
        #expect(again.tags.map(\.platforms) == first.tags.map(\.platforms))
        #expect(again.tags.map(\.problem) == first.tags.map(\.problem))
        #expect(again.tags.first { $0.tag == "w1" }?.digest == first.tags.first { $0.tag == "w1" }?.digest)
        // Other platforms are another inventory.
        #expect(try await poller().scan(repository.location, platforms: [arm]).tags.last?.problem != nil)
    }

    @Test func `a damaged file is none`() async throws {
        var tags = (10...60).map { number in
            RepositoryMemory.Known(
                record: TagRecord(tag: "v\(number)", created: Int64(number) * 1_000_000_007 - 20_000_000_000),
                fingerprint: UInt64(number) << 32, schedule: .unread)
        }
        tags[3].record.problem = "it is broken"
        tags[4].fingerprint = 0
        let memory = RepositoryMemory(tags: tags, stamp: TagListStamp(entityTag: "\"x\"", hash: .sha256(of: [1])))
        let bytes = InventoryFile.encode(memory, key: "example.com/a")
        let back = try #require(InventoryFile.decode(bytes, key: "example.com/a", now: 0))
        #expect(back.tags.map(\.record) == tags.map(\.record))
        #expect(back.tags.map(\.fingerprint) == tags.map(\.fingerprint))
        #expect(back.stamp == memory.stamp)
        #expect(InventoryFile.decode(bytes, key: "example.com/b", now: 0) == nil)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x41
            #expect(InventoryFile.decode(damaged, key: "example.com/a", now: 0) == nil)
            #expect(InventoryFile.decode(Array(bytes[..<index]), key: "example.com/a", now: 0) == nil)
        }
    }

    /// Numbers that lie, with a checksum that does not.
    @Test func `hostile files are refused`() {
        var numbers = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            var bytes = Array("slipway inventory 1\n".utf8) + [1, 0x61, 0, 0]
            for _ in 0..<Int.random(in: 0...40, using: &numbers) {
                bytes.append(
                    [0, 1, 2, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &numbers)].randomElement() ?? 0)
            }
            bytes += Array(Digest.sha256(of: bytes).encoded.utf8)
            if let memory = InventoryFile.decode(bytes, key: "a", now: 0) { #expect(memory.tags.count <= 40) }
        }
    }

    @Test func `ten thousand tags take less than twenty bytes each`() {
        let tags = (0..<10_000).map { number in
            RepositoryMemory.Known(
                record: TagRecord(
                    tag: "main-\(1_000_000 + number)-abc\(number % 997)",
                    created: 1_600_000_000 + Int64(number) * 86_411,
                    platforms: [Platform(os: "linux", architecture: "amd64")]),
                fingerprint: UInt64(number) &* 0x9e37_79b9_7f4a_7c15)
        }
        #expect(InventoryFile.encode(RepositoryMemory(tags: tags), key: "a").count < 240_000)
    }
}
