import ContentStore
import Diagnostics
import OCI
import TestSupport
import Testing

@testable import Registry

@Suite(.tags(.integration), .thorough) struct UploadTests {
    private let bench: UploadBench

    init() throws { bench = try UploadBench(bytes: 100_000, isStored: true) }

    private func push(_ repository: any ImageRepository) async throws -> UploadOutcome {
        try await repository.pushBlob(bench.blob, from: bench.store, mountFrom: [], progress: nil)
    }

    @Test func wholeAtOnce() async throws {
        let server = try ChunkServer()
        #expect(try await push(bench.repository(server.host)) == .uploaded)
        #expect(server.seen.requests == ["HEAD", "POST", "PUT"])
        #expect(server.seen.content == bench.content)
        #expect(try await push(bench.repository(server.host)) == .existed)
    }

    @Test func inChunks() async throws {
        let server = try ChunkServer()
        #expect(try await push(bench.repository(server.host, chunk: 40_000)) == .uploaded)
        #expect(
            server.seen.requests
                == ["HEAD", "POST", "PATCH 0-39999", "PATCH 40000-79999", "PATCH 80000-99999", "PUT"])
        #expect(server.seen.content == bench.content)
    }

    @Test func theRegistrysLeastChunkCounts() async throws {
        let server = try ChunkServer(.init(leastChunk: 60_000))
        #expect(try await push(bench.repository(server.host, chunk: 1000)) == .uploaded)
        #expect(server.seen.requests == ["HEAD", "POST", "PATCH 0-59999", "PATCH 60000-99999", "PUT"])
    }

    @Test func aBrokenUploadContinues() async throws {
        let server = try ChunkServer(.init(breakAfter: 30_000))
        #expect(try await push(bench.repository(server.host)) == .uploaded)
        #expect(server.seen.requests == ["HEAD", "POST", "PUT", "GET", "PATCH 30000-99999", "PUT"])
        #expect(server.seen.content == bench.content)
    }

    @Test func aBrokenChunkContinues() async throws {
        let server = try ChunkServer(.init(breakAfter: 10_000))
        #expect(try await push(bench.repository(server.host, chunk: 50_000)) == .uploaded)
        #expect(
            server.seen.requests
                == ["HEAD", "POST", "PATCH 0-49999", "GET", "PATCH 10000-59999", "PATCH 60000-99999", "PUT"])
        #expect(server.seen.content == bench.content)
    }

    @Test func aForgottenSessionBeginsAnew() async throws {
        let server = try ChunkServer(.init(breakAfter: 10_000, forgets: true))
        #expect(try await push(bench.repository(server.host)) == .uploaded)
        #expect(server.seen.requests == ["HEAD", "POST", "PUT", "GET", "HEAD", "POST", "PUT"])
        #expect(server.seen.content == bench.content)
    }

    @Test func damageInTheStoreIsFound() async throws {
        let server = try ChunkServer()
        try Shell.run([
            "sh", "-c", "printf X | dd of='\(bench.store.path(of: bench.blob.digest))' bs=1 conv=notrunc 2>/dev/null",
        ])
        let error = await #expect(throws: RegistryError.self) { _ = try await push(bench.repository(server.host)) }
        #expect(error?.code == .digestMismatch && error?.summary == "a blob is damaged")
        #expect(!server.seen.isStored)
    }

    @Test func manyThatWantTheSameShareIt() async throws {
        let server = try ChunkServer()
        let repository = try bench.repository(server.host)
        let outcomes = try await withThrowingTaskGroup(of: UploadOutcome.self) { group in
            for _ in 0..<10 { group.addTask { try await push(repository) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { $0 == .uploaded }.count == 1)
        #expect(outcomes.filter { $0 == .existed }.count == 9)
        #expect(server.seen.requests.filter { $0 == "PUT" }.count == 1)
    }

    /// docker-registry: chunks, and a break between two of them.
    @Test func dockerRegistryTakesChunks() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let last = Counter()
        let repository = try bench.repository(server.host, chunk: 30_000)
        let outcome = try await repository.pushBlob(bench.blob, from: bench.store, mountFrom: []) { last.set($0) }
        #expect(outcome == .uploaded && last.value == 100_000)
        #expect(try await fixture.repository("app").blob(bench.blob, limit: 100_000) == bench.content)
        // The same through failures of every request in turn, each into a repository of its own.
        let proxy = try FaultProxy(before: server.port)
        for fault in [Fault.dropped, .answerLost, .tooMany, .failing] {
            for number in 1...7 {
                proxy.spoil(number, with: fault)
                let name = "\(fault.rawValue.lowercased())\(number)"
                let spoiled = try bench.repository(proxy.host, chunk: 30_000, name: name)
                _ = try await push(spoiled)
                #expect(
                    try await fixture.repository(name).blob(bench.blob, limit: 100_000) == bench.content,
                    "\(fault) \(number)")
            }
        }
    }

    /// A server before the registry that takes small bodies only: nginx's `client_max_body_size`; ours for the test.
    @Test func largeBodiesThatAreRefusedGoInChunks() async throws {
        let size = 40 << 20
        let big = [UInt8](repeating: 7, count: size)
        let descriptor = Descriptor(mediaType: .ociLayer, of: big)
        try bench.store.add(big)
        let server = try ChunkServer(.init(mostBody: 33 << 20))
        let repository = try bench.repository(server.host)
        #expect(try await repository.pushBlob(descriptor, from: bench.store, mountFrom: [], progress: nil) == .uploaded)
        #expect(
            server.seen.requests
                == ["HEAD", "POST", "PUT", "PATCH 0-33554431", "PATCH 33554432-41943039", "PUT"])
    }
}
