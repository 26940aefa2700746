import OCI
import Synchronization
import TestSupport
import Testing

@testable import Registry

/// How often a registry is asked for base images.
@Suite(.tags(.unit)) struct ImageResolutionTests {
    /// A registry with an index under the tag `1` of every repository, whose image can be replaced.
    private final class Registry: Sendable {
        private struct Content {
            var index: RawManifest
            var documents: [String: (MediaType, [UInt8])] = [:]
        }

        private final class Pages: Sendable {
            let content: Mutex<Content>

            init(_ content: Content) { self.content = Mutex(content) }

            func answer(_ request: StubRequest) -> StubReply {
                let name = request.path.split(separator: "/").last.map(String.init) ?? ""
                return content.withLock { content in
                    if name == "1" {
                        return .answer(
                            200,
                            headers: [
                                ("Content-Type", content.index.mediaType.rawValue),
                                ("Docker-Content-Digest", "\(content.index.digest)"),
                            ], body: request.method == "HEAD" ? [] : content.index.bytes)
                    }
                    guard let (type, bytes) = content.documents[name] else { return .text(404, "") }
                    return .answer(200, headers: [("Content-Type", type.rawValue)], body: bytes)
                }
            }
        }

        private let pages: Pages
        let server: StubServer

        init() throws {
            let pages = Pages(try Self.content("one"))
            self.pages = pages
            server = try StubServer { pages.answer($0) }
        }

        private static func content(_ text: String) throws -> Content {
            let config = try CanonicalJSON.encode(
                ImageConfig(platform: .host, author: text))
            let manifest = try CanonicalJSON.encode(
                Manifest(config: Descriptor(mediaType: .ociConfig, of: config), layers: []))
            var entry = Descriptor(mediaType: .ociManifest, of: manifest)
            entry.platform = .host
            let index = try CanonicalJSON.encode(ImageIndex(manifests: [entry]))
            return Content(
                index: RawManifest(bytes: index, mediaType: .ociIndex, digest: .sha256(of: index)),
                documents: [
                    "\(Digest.sha256(of: config))": (.ociConfig, config), "\(entry.digest)": (.ociManifest, manifest),
                ])
        }

        /// Somebody pushes another image.
        func push(_ text: String) throws {
            let new = try Self.content(text)
            pages.content.withLock { $0 = new }
        }

        func location(_ name: String = "base") throws -> ImageLocation {
            ImageLocation(repository: .registry(host: server.host, path: name), tag: "1")
        }

        func access() -> RegistryAccess {
            var configuration = RegistryConfiguration()
            configuration.insecureRegistries = [server.host]
            return RegistryAccess(configuration: configuration, keychain: .empty)
        }

        /// The requests since the last call, without digests.
        func requests(after count: Int) -> [String] {
            server.requests.dropFirst(count).map { request in
                let name = request.path.split(separator: "/").last ?? ""
                return
                    "\(request.method) \(name == "1" ? "tag" : request.path.contains("/blobs/") ? "config" : "manifest")"
            }.sorted()
        }
    }

    @Test func `one image that many ask for at the same time is looked for once`() async throws {
        let registry = try Registry()
        let access = registry.access().rememberingImages(butOf: [])
        let location = try registry.location()
        let digests = try await withThrowingTaskGroup(of: Digest?.self) { group in
            for _ in 0..<50 { group.addTask { try await access.resolve(location, platform: .host)?.digest } }
            return try await group.reduce(into: Set<Digest?>()) { _ = $0.insert($1) }
        }
        #expect(digests.count == 1 && !digests.contains(nil))
        #expect(registry.requests(after: 0) == ["GET config", "GET manifest", "GET tag"])
    }

    @Test func `a repository that gets new images is asked each time`() async throws {
        let registry = try Registry()
        let location = try registry.location()
        let access = registry.access().rememberingImages(butOf: [location.repository])
        let before = try await access.resolve(location, platform: .host)?.digest
        try registry.push("two")
        let after = try await access.resolve(location, platform: .host)?.digest
        #expect(before != nil && after != nil && before != after)
    }

    /// The next cycle of an agent.
    @Test func `a tag that did not move costs a look at it, and one that did is read`() async throws {
        let registry = try Registry()
        let access = registry.access()
        let location = try registry.location()
        let first = try #require(try await access.rememberingImages(butOf: []).resolve(location, platform: .host))
        var count = registry.server.requests.count
        let again = try #require(try await access.rememberingImages(butOf: []).resolve(location, platform: .host))
        #expect(again.digest == first.digest && again.configBytes == first.configBytes)
        #expect(registry.requests(after: count) == ["GET config", "HEAD tag"])
        try registry.push("two")
        count = registry.server.requests.count
        let moved = try #require(try await access.rememberingImages(butOf: []).resolve(location, platform: .host))
        #expect(moved.digest != first.digest && moved.config.author == "two")
        #expect(registry.requests(after: count) == ["GET config", "GET manifest", "GET tag", "HEAD tag"])
    }

    /// Who may read a manifest in one repository need not be allowed to in another.
    @Test func `what one repository gave is not taken for another's`() async throws {
        let registry = try Registry()
        let access = registry.access()
        let first = try #require(try await access.resolve(try registry.location(), platform: .host))
        let count = registry.server.requests.count
        var other = try registry.location("other")
        other = ImageLocation(repository: other.repository, digest: first.digest)
        // The server has the index under its tag only.
        #expect(try await access.resolve(other, platform: .host) == nil)
        #expect(registry.requests(after: count) == ["GET manifest"])
    }

    @Test func `what cannot be read is asked for once, and again in the next cycle`() async throws {
        let isHidden = Counter()
        isHidden.set(1)
        let server = try StubServer { _ in .text(isHidden.value == 1 ? 403 : 404, "") }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        let access = RegistryAccess(configuration: configuration, keychain: .empty)
        let location = ImageLocation(repository: .registry(host: server.host, path: "base"), tag: "1")
        let remembering = access.rememberingImages(butOf: [])
        for _ in 0..<3 {
            await #expect(throws: RegistryError.self) { try await remembering.resolve(location, platform: .host) }
        }
        #expect(server.requests.count == 1)
        isHidden.set(0)
        #expect(try await access.rememberingImages(butOf: []).resolve(location, platform: .host) == nil)
    }
}
