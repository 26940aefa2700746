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
    private let scratch: TemporaryDirectory
    private let store: ContentStore
    private let content: [UInt8]
    private let blob: Descriptor

    init() throws {
        scratch = try TemporaryDirectory("stream")
        store = try ContentStore(path: scratch.path)
        content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 37 >> 3) }
        blob = Descriptor(mediaType: .ociLayer, of: content)
    }

    private func repository(
        _ host: String, adjust: (inout RegistryConfiguration.HostOptions) -> Void = { _ in }
    ) throws -> any ImageRepository {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [host]
        configuration.retry.pause = .milliseconds(1)
        var options = RegistryConfiguration.HostOptions()
        adjust(&options)
        configuration.hosts[host] = options
        return try RegistryAccess(configuration: configuration, keychain: .empty)
            .repository(.registry(host: host, path: "app"))
    }

    /// The bytes that docker-registry keeps of uploads that are not at their end.
    private func uploads(in folder: String) throws -> [Substring] {
        try Shell.run(["find", folder, "-path", "*/_uploads/*/data"]).stdout.split(separator: "\n")
    }

    /// All of the blob, and what it is.
    private func finish(_ made: TestBlob) throws {
        made.append(content[200_000...])
        try store.add(content)
        made.end()
    }

    @Test func dockerRegistryHasItWhenItIsNamed() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let repository = try repository(server.host)
        let made = TestBlob()
        made.append(content[..<100_000])
        let upload = try #require(repository.stream(made))
        // What was made so far is there before there is more.
        let folder = fixture.scratch.file("registry")
        try await waitUntil("the first part is in the registry") {
            try Shell.run(["find", folder, "-path", "*_uploads*", "-name", "data", "-size", "+90k"]).stdout != ""
        }
        made.append(content[100_000..<200_000])
        try finish(made)
        let told = Counter()
        #expect(try await upload.push(blob, from: store) { told.set($0) } == .uploaded)
        #expect(told.value == 300_000)
        #expect(try await fixture.repository("app").blob(blob, limit: 300_000) == content)
        let left = try uploads(in: folder)
        #expect(left == [])
    }

    @Test func itIsSentOnceAndNotAgain() async throws {
        let server = try ChunkServer()
        let repository = try repository(server.host)
        let made = TestBlob()
        made.append(content[..<200_000])
        let upload = try #require(repository.stream(made))
        try finish(made)
        #expect(try await upload.push(blob, from: store, progress: nil) == .uploaded)
        let seen = server.seen
        #expect(seen.content == content)
        #expect(seen.requests.sorted() == ["HEAD", "PATCH", "POST", "PUT"])
    }

    /// The registry has it already: what was sent is given up.
    @Test func whatIsThereIsNotStoredTwice() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let repository = try repository(server.host)
        try store.add(content)
        _ = try await repository.pushBlob(blob, from: store, mountFrom: [], progress: nil)
        let made = TestBlob()
        made.append(content[..<200_000])
        let upload = try #require(repository.stream(made))
        made.end()
        #expect(try await upload.push(blob, from: store, progress: nil) == .existed)
        let again = TestBlob()
        again.append(content)
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
        let repository = try repository(server.host)
        let made = TestBlob()
        made.append(content[..<200_000])
        let upload = try #require(repository.stream(made))
        try finish(made)
        #expect(try await upload.push(blob, from: store, progress: nil) == .uploaded)
        #expect(server.seen.content == content)
        #expect((repository.stream(TestBlob()) == nil) == (fault != "breaks"))
    }

    /// What is not made after all is not the registry's fault.
    @Test func whatIsGivenUpLeavesTheWayOpen() async throws {
        let server = try ChunkServer()
        let repository = try repository(server.host)
        let made = TestBlob()
        made.append(content[..<200_000])
        let upload = try #require(repository.stream(made))
        made.cancel()
        await upload.abandon()
        #expect(!server.seen.requests.contains("PUT"))
        #expect(repository.stream(TestBlob()) != nil)
    }

    /// Its maker says that it is something else than what was sent.
    @Test func anotherBlobThanWasSent() async throws {
        let server = try ChunkServer()
        let repository = try repository(server.host)
        let made = TestBlob()
        made.append(content[..<200_000])
        made.end()
        let upload = try #require(repository.stream(made))
        try store.add(content)
        #expect(try await upload.push(blob, from: store, progress: nil) == .uploaded)
        #expect(server.seen.content == content)
    }

    @Test func partsOfASizeAreNotOneStream() throws {
        #expect(try repository("registry.example") { $0.uploadChunk = 1 << 20 }.stream(TestBlob()) == nil)
    }
}
