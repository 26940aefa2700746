import ContentStore
import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Registry

/// Tags that go to an image only where nobody else has them, at docker-registry and in a layout on disk.
@Suite(.tags(.integration), .thorough) struct TagClaimTests {
    private static func access(_ host: String) -> RegistryAccess {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [host]
        configuration.retry.pause = .milliseconds(1)
        configuration.retry.longest = .milliseconds(5)
        configuration.stallTimeout = 1
        return RegistryAccess(configuration: configuration, keychain: .empty)
    }

    /// An image whose blobs are in the repository.
    private static func image(
        _ fixture: RepositoryFixture, _ text: String, in repository: any ImageRepository
    ) async throws -> RawManifest {
        let image = try fixture.image(text)
        for descriptor in image.manifest.layers + [image.manifest.config] {
            _ = try await repository.pushBlob(descriptor, from: fixture.store, mountFrom: [], progress: nil)
        }
        return RawManifest(bytes: image.bytes, mediaType: .ociManifest, digest: .sha256(of: image.bytes))
    }

    /// For the proxy's threads, which are their own.
    private static func blocking(_ body: @escaping @Sendable () async -> Void) {
        let done = DispatchSemaphore(value: 0)
        Task {
            await body()
            done.signal()
        }
        done.wait()
    }

    @Test(arguments: RepositoryKind.allCases)
    func `a tag goes to one image, as often as it likes, and to another only where it is let go`(
        kind: RepositoryKind
    ) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("app")
        let one = try await Self.image(fixture, "one", in: repository)
        let two = try await Self.image(fixture, "two", in: repository)
        #expect(try await repository.claim("v1", for: one) { _ in true } == .given)
        #expect(try await repository.claim("v1", for: one) { _ in true } == .given)
        let kept = try await repository.claim("v1", for: two) { $0.digest == one.digest }
        #expect(kept == .kept(TagHolder(digest: one.digest, annotations: ["text": "one"]), isLost: false))
        #expect(try await repository.digest(ofTag: "v1") == one.digest)
        #expect(try await repository.claim("v1", for: two) { _ in false } == .given)
        #expect(try await repository.holder(ofTag: "v1")?.digest == two.digest)
        #expect(try await repository.holder(ofTag: "v2") == nil)
    }

    /// Each request in turn fails in each way. A write whose answer was lost is found, and not done again.
    @Test(arguments: Fault.allCases.filter { $0 != .stalled })
    func `every request of a claim may fail`(fault: Fault) async throws {
        let fixture = try await RepositoryFixture(.registry)
        let proxy = try FaultProxy(before: try #require(fixture.server).port)
        let direct = try fixture.repository("app")
        let image = try await Self.image(fixture, "cargo for \(fault)", in: direct)
        let repository = try Self.access(proxy.host).repository(.registry(host: proxy.host, path: "app"))
        proxy.spoil(0, with: fault)
        #expect(try await repository.claim("plain", for: image) { _ in true } == .given)
        let requests = proxy.count
        #expect(requests == 3)
        for number in 1...requests {
            let tag = "\(fault.rawValue.lowercased())\(number)"
            proxy.spoil(number, with: fault)
            #expect(try await repository.claim(tag, for: image) { _ in true } == .given, "request \(number)")
            #expect(try await direct.digest(ofTag: tag) == image.digest)
        }
    }

    /// Between a write that failed and its repetition another one writes: it keeps the tag.
    @Test(arguments: [Fault.dropped, .failing, .answerLost, .failingAfterwards])
    func `a repeated write does not overwrite what came in between`(fault: Fault) async throws {
        let fixture = try await RepositoryFixture(.registry)
        let proxy = try FaultProxy(before: try #require(fixture.server).port)
        let direct = try fixture.repository("app")
        let ours = try await Self.image(fixture, "ours", in: direct)
        let theirs = try await Self.image(fixture, "theirs", in: direct)
        let repository = try Self.access(proxy.host).repository(.registry(host: proxy.host, path: "app"))
        proxy.spoil(2, with: fault)
        proxy.follow(2) {
            Self.blocking { _ = try? await direct.pushManifest(theirs.bytes, mediaType: .ociManifest, tag: "v1") }
        }
        let claim = try await repository.claim("v1", for: ours) { _ in true }
        #expect(claim == .kept(TagHolder(digest: theirs.digest, annotations: ["text": "theirs"]), isLost: false))
        #expect(try await direct.digest(ofTag: "v1") == theirs.digest)
        let writes = proxy.requests.count { $0.method == "PUT" }
        #expect(writes == 1)
    }

    @Test func `whoever wrote first learns that another wrote at the same moment`() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let proxy = try FaultProxy(before: try #require(fixture.server).port)
        let direct = try fixture.repository("app")
        let ours = try await Self.image(fixture, "ours", in: direct)
        let theirs = try await Self.image(fixture, "theirs", in: direct)
        let repository = try Self.access(proxy.host).repository(.registry(host: proxy.host, path: "app"))
        proxy.spoil(0, with: .dropped)
        proxy.follow(2) {
            Self.blocking { _ = try? await direct.pushManifest(theirs.bytes, mediaType: .ociManifest, tag: "v1") }
        }
        let claim = try await repository.claim("v1", for: ours) { _ in true }
        #expect(claim == .kept(TagHolder(digest: theirs.digest, annotations: ["text": "theirs"]), isLost: true))
    }

    /// docker-registry writes the link to a blob anew for each writer, and does not find the blob meanwhile.
    @Test(arguments: ["v1", nil], [true, false])
    func `a part that another writer is bringing is waited for`(tag: String?, claims: Bool) async throws {
        let fixture = try await RepositoryFixture(.registry)
        let ours = try await Self.image(fixture, "ours", in: try fixture.repository("app"))
        let writes = Mutex(0)
        let stub = try StubServer { request in
            let digest = ("Docker-Content-Digest", "\(ours.digest)")
            guard request.method == "PUT" else {
                guard writes.withLock({ $0 > 1 }) else { return .text(404, "") }
                return .answer(200, headers: [digest, ("Content-Length", "\(ours.bytes.count)")])
            }
            let isFirst = writes.withLock { count in
                count += 1
                return count == 1
            }
            if !isFirst { return .answer(201, headers: [digest]) }
            return .text(400, #"{"errors":[{"code":"DIGEST_INVALID"},{"code":"MANIFEST_BLOB_UNKNOWN"}]}"#)
        }
        let repository = try Self.access(stub.host).repository(.registry(host: stub.host, path: "app"))
        if claims, let tag {
            #expect(try await repository.claim(tag, for: ours) { _ in true } == .given)
        } else {
            #expect(try await repository.pushManifest(ours.bytes, mediaType: ours.mediaType, tag: tag) == ours.digest)
        }
        #expect(writes.withLock { $0 } == 2)
    }

    /// Builds of the same content at the same time, as of two commits that differ elsewhere.
    @Test func `several push the same image at once, and none fails`() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let host = try #require(fixture.server).host
        for round in 1...10 {
            let image = try fixture.image("round \(round)")
            let outcomes = await withTaskGroup(of: Result<Digest, any Error>.self) { group in
                for writer in 1...6 {
                    group.addTask {
                        do {
                            let repository = try Self.access(host).repository(.registry(host: host, path: "app"))
                            for descriptor in image.manifest.layers + [image.manifest.config] {
                                _ = try await repository.pushBlob(
                                    descriptor, from: fixture.store, mountFrom: [], progress: nil)
                            }
                            return .success(
                                try await repository.pushManifest(
                                    image.bytes, mediaType: .ociManifest, tag: "r\(round)-\(writer)"))
                        } catch {
                            return .failure(error)
                        }
                    }
                }
                return await group.reduce(into: [Result<Digest, any Error>]()) { $0.append($1) }
            }
            for outcome in outcomes { #expect(throws: Never.self) { try outcome.get() } }
        }
    }

    /// A registry whose tags cannot be moved says no to whoever comes second.
    @Test func `a registry that lets no tag be moved says who has it`() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let direct = try fixture.repository("app")
        let ours = try await Self.image(fixture, "ours", in: direct)
        let theirs = try await Self.image(fixture, "theirs", in: direct)
        let asked = Mutex(0)
        let stub = try StubServer { request in
            if request.method == "PUT" {
                return .text(400, #"{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}"#)
            }
            guard request.target.contains("/manifests/v1") else {
                return .answer(
                    200, headers: [("Content-Type", MediaType.ociManifest.rawValue)], body: theirs.bytes)
            }
            let isFirst = asked.withLock { count in
                count += 1
                return count == 1
            }
            if isFirst { return .text(404, "") }
            return .answer(
                200,
                headers: [
                    ("Docker-Content-Digest", "\(theirs.digest)"), ("Content-Length", "\(theirs.bytes.count)"),
                ])
        }
        let repository = try Self.access(stub.host).repository(.registry(host: stub.host, path: "app"))
        let claim = try await repository.claim("v1", for: ours) { _ in true }
        #expect(claim == .kept(TagHolder(digest: theirs.digest, annotations: ["text": "theirs"]), isLost: false))
        // Where nobody has it, the refusal is the answer.
        let refused = await #expect(throws: RegistryError.self) {
            _ = try await Self.access(server.host).repository(.registry(host: server.host, path: "empty"))
                .claim("v1", for: ours) { _ in true }
        }
        #expect(refused?.code != .cancelled)
    }
}
