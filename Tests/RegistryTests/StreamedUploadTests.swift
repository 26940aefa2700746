import Blocking
import ContentStore
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Registry

/// A blob that a test makes.
private final class TestBlob: GrowingBlob {
    private struct State {
        var content: [UInt8] = []
        var isWhole = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let news = Blocking.Semaphore()

    func append(_ bytes: some Collection<UInt8>) {
        state.withLock { $0.content += bytes }
        news.signal()
    }

    func end() {
        state.withLock { $0.isWhole = true }
        news.signal()
    }

    func cancel() {
        state.withLock { $0.isStopped = true }
        news.signal()
    }

    func read(at position: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        while true {
            let (count, isOver) = state.withLock { state in
                let rest = state.content[Int(position)...].prefix(buffer.count)
                buffer.copyBytes(from: rest)
                return (state.isStopped ? nil : rest.count, state.isWhole || state.isStopped)
            }
            if isOver || count != 0 { return count }
            news.wait()
        }
    }
}

/// A blob goes to a repository while it is made.
@Suite(.tags(.integration)) struct StreamedUploadTests {
    private let bench: UploadBench

    init() throws { bench = try UploadBench(bytes: 300_000, isStored: false) }

    /// The bytes that docker-registry keeps of uploads that are not at their end.
    private func uploads(in folder: String) throws -> [Substring] {
        try Shell.run(["find", folder, "-path", "*/_uploads/*/data"]).stdout.split(separator: "\n")
    }

    /// The upload of a blob of which this much is made.
    private func begin(_ repository: any ImageRepository, _ count: Int = 200_000) throws -> (TestBlob, StreamedUpload) {
        let made = TestBlob()
        made.append(bench.content[..<count])
        return (made, try #require(repository.stream(made)))
    }

    /// All of the blob, and what it is.
    private func finish(_ made: TestBlob) throws {
        made.append(bench.content[200_000...])
        try bench.store.add(bench.content)
        made.end()
    }

    @Test func dockerRegistryHasItWhenItIsNamed() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let repository = try bench.repository(server.host)
        let (made, upload) = try begin(repository, 100_000)
        // What was made so far is there before there is more.
        let folder = fixture.scratch.file("registry")
        try await waitUntil("the first part is in the registry") {
            try Shell.run(["find", folder, "-path", "*_uploads*", "-name", "data", "-size", "+90k"]).stdout != ""
        }
        made.append(bench.content[100_000..<200_000])
        try finish(made)
        let told = Counter()
        #expect(try await upload.push(bench.blob, from: bench.store) { told.set($0) } == .uploaded)
        #expect(told.value == 300_000)
        #expect(try await fixture.repository("app").blob(bench.blob, limit: 300_000) == bench.content)
        let left = try uploads(in: folder)
        #expect(left == [])
    }

    @Test func itIsSentOnceAndNotAgain() async throws {
        let server = try ChunkServer()
        let repository = try bench.repository(server.host)
        let (made, upload) = try begin(repository)
        try finish(made)
        #expect(try await upload.push(bench.blob, from: bench.store, progress: nil) == .uploaded)
        let seen = server.seen
        #expect(seen.content == bench.content)
        #expect(seen.requests.sorted() == ["HEAD", "PATCH", "POST", "PUT"])
    }

    /// The registry has it already: what was sent is given up.
    @Test func whatIsThereIsNotStoredTwice() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let repository = try bench.repository(server.host)
        try bench.store.add(bench.content)
        _ = try await repository.pushBlob(bench.blob, from: bench.store, mountFrom: [], progress: nil)
        let (made, upload) = try begin(repository)
        made.end()
        #expect(try await upload.push(bench.blob, from: bench.store, progress: nil) == .existed)
        let again = TestBlob()
        again.append(bench.content)
        again.end()
        let other = try #require(repository.stream(again))
        await other.abandon()
        let left = try uploads(in: fixture.scratch.file("registry"))
        #expect(left == [])
    }

    /// Whatever is wrong with the way: the blob gets there by another, and where it will not get better, later ones go that
    /// way at once.
    @Test(arguments: ["breaks", "too large", "forgets"])
    func theUsualWayIsLeft(_ fault: String) async throws {
        let server =
            switch fault {
            case "breaks": try ChunkServer(.init(breakAfter: 1000))
            case "too large": try ChunkServer(.init(mostPatch: 100_000))
            default: try ChunkServer(.init(losesPatch: true))
            }
        let repository = try bench.repository(server.host)
        let (made, upload) = try begin(repository)
        try finish(made)
        #expect(try await upload.push(bench.blob, from: bench.store, progress: nil) == .uploaded)
        #expect(server.seen.content == bench.content)
        #expect((repository.stream(TestBlob()) == nil) == (fault != "breaks"))
    }

    /// What is not made after all is not the registry's fault.
    @Test func whatIsGivenUpLeavesTheWayOpen() async throws {
        let server = try ChunkServer()
        let repository = try bench.repository(server.host)
        let (made, upload) = try begin(repository)
        made.cancel()
        await upload.abandon()
        #expect(!server.seen.requests.contains("PUT"))
        #expect(repository.stream(TestBlob()) != nil)
    }

    /// Its maker says that it is something else than what was sent.
    @Test func anotherBlobThanWasSent() async throws {
        let server = try ChunkServer()
        let repository = try bench.repository(server.host)
        let (made, upload) = try begin(repository)
        made.end()
        try bench.store.add(bench.content)
        #expect(try await upload.push(bench.blob, from: bench.store, progress: nil) == .uploaded)
        #expect(server.seen.content == bench.content)
    }

    @Test func partsOfASizeAreNotOneStream() throws {
        #expect(try bench.repository("registry.example", chunk: 1 << 20).stream(TestBlob()) == nil)
    }
}
