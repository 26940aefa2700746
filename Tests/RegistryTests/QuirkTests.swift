import ContentStore
import Diagnostics
import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Registry

/// Registries, and servers before them, that do not do as the specification says, and are understood all the same.
@Suite(.tags(.integration)) struct QuirkTests {
    private let scratch: TemporaryDirectory
    private let store: ContentStore
    private let blob: [UInt8] = Array(
        "the content of a blob, which is text that can be compressed: aaaaaaaaaaaaaa".utf8)

    init() throws {
        scratch = try TemporaryDirectory("quirks")
        store = try ContentStore(path: scratch.file("store"))
    }

    private var descriptor: Descriptor {
        Descriptor(mediaType: .ociLayer, digest: .sha256(of: blob), size: Int64(blob.count))
    }

    private func repository(_ server: StubServer, keychain: Keychain = .empty) throws -> any ImageRepository {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        configuration.retry.pause = .milliseconds(1)
        configuration.retry.attempts = 2
        return try RegistryAccess(configuration: configuration, keychain: keychain)
            .repository(.registry(host: server.host, path: "app"))
    }

    private func gzipped(_ bytes: [UInt8]) throws -> [UInt8] {
        try Shell.run(["tee", scratch.file("plain")], input: bytes)
        try Shell.run(["sh", "-c", "gzip -9 < plain > packed"], in: scratch.path)
        return Array(try Data(contentsOf: URL(fileURLWithPath: scratch.file("packed"))))
    }

    /// A registry that takes uploads in its own way; keeps what it was sent.
    private final class Uploads: Sendable {
        let blob = Mutex<[UInt8]?>(nil)
        let part = Mutex<[UInt8]>([])

        /// - Parameters:
        ///   - put: the answer to a `PUT`; `nil`: 404 to one that has a body.
        ///   - opened: the answer to a `POST`.
        func answer(_ request: StubRequest, put: Int?, opened: Int) -> StubReply {
            let place = [("Location", "/v2/app/blobs/uploads/1")]
            switch request.method {
            case "HEAD": return .text(blob.withLock { $0 } == nil ? 404 : 200, "")
            case "POST": return .answer(opened, headers: place)
            case "PATCH":
                part.withLock { $0 += request.body }
                return .answer(202, headers: place)
            default:
                if put == nil, !request.body.isEmpty { return .text(404, "page not found") }
                let sent = part.withLock { $0 } + request.body
                blob.withLock { $0 = sent }
                return .text(put ?? 201, "")
            }
        }
    }

    @Test(arguments: [(201, 202), (200, 202), (202, 202), (204, 202), (201, 200), (201, 201), (204, 204), (nil, 202)])
    func `uploads are taken as done when the blob is there`(put: Int?, opened: Int) async throws {
        _ = try store.add(blob)
        let uploads = Uploads()
        let server = try StubServer { uploads.answer($0, put: put, opened: opened) }
        let outcome = try await repository(server).pushBlob(descriptor, from: store, mountFrom: [], progress: nil)
        #expect(outcome == .uploaded)
        #expect(uploads.blob.withLock { $0 } == blob)
    }

    /// What was found out with the first blob holds for those that follow.
    @Test func `a registry that takes a blob by PATCH only is asked for nothing else again`() async throws {
        let uploads = Uploads()
        let server = try StubServer { uploads.answer($0, put: nil, opened: 202) }
        let repository = try repository(server)
        for text in ["one", "two"] {
            uploads.blob.withLock { $0 = nil }
            uploads.part.withLock { $0 = [] }
            let bytes = Array(text.utf8)
            let digest = try store.add(bytes)
            _ = try await repository.pushBlob(
                Descriptor(mediaType: .ociLayer, digest: digest, size: Int64(bytes.count)), from: store, mountFrom: [],
                progress: nil)
            #expect(uploads.blob.withLock { $0 } == bytes)
        }
        #expect(server.requests.count { $0.method == "PUT" && !$0.body.isEmpty } == 1)
    }

    @Test func `an upload that is said to be taken and is not there fails`() async throws {
        _ = try store.add(blob)
        let server = try StubServer { request in
            switch request.method {
            case "HEAD": .text(404, "")
            case "POST": .answer(202, headers: [("Location", "/v2/app/blobs/uploads/1")])
            default: .text(200, "")
            }
        }
        let error = await #expect(throws: RegistryError.self) {
            _ = try await repository(server).pushBlob(descriptor, from: store, mountFrom: [], progress: nil)
        }
        #expect(error?.cause == "the registry answered 200, and does not have the blob")
    }

    @Test(arguments: [405, 501]) func `where HEAD is refused, GET tells the same`(status: Int) async throws {
        let manifest = Array(
            #"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#
                .utf8)
        let (blob, digest) = (blob, descriptor.digest)
        let server = try StubServer { request in
            switch (request.method, request.path) {
            case ("HEAD", _): .text(status, "")
            case (_, "/v2/app/manifests/v1"):
                .answer(200, headers: [("Content-Type", MediaType.ociManifest.rawValue)], body: manifest)
            case (_, "/v2/app/blobs/\(digest)"): .answer(200, body: blob)
            default: .text(404, "")
            }
        }
        let repository = try repository(server)
        #expect(try await repository.digest(ofTag: "v1") == .sha256(of: manifest))
        #expect(try await repository.digest(ofTag: "v2") == nil)
        #expect(try await repository.hasBlob(digest))
        #expect(try await !repository.hasBlob(.sha256(of: [1])))
    }

    @Test(arguments: [(413, "client_max_body_size"), (413, "uploadChunkMiB"), (415, "--image-format")])
    func `refusals say what to do`(status: Int, words: String) async throws {
        let server = try StubServer { _ in .text(status, "<html>", headers: [("Content-Type", "text/html")]) }
        let error = await #expect(throws: RegistryError.self) {
            _ = try await repository(server).pushManifest(Array("{}".utf8), mediaType: .ociManifest, tag: "v1")
        }
        #expect(error?.hint?.contains(words) == true && error?.status == status)
    }

    /// A server on the way compresses what nobody asked it to.
    @Test func `answers in a coding are decoded, unless their bytes are what is wanted`() async throws {
        let manifest = Array(
            #"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#
                .utf8)
        let (blob, descriptor) = (blob, descriptor)
        let (packedBlob, packedManifest) = (try gzipped(blob), try gzipped(manifest))
        let large = Array(repeating: blob, count: 20_000).flatMap { $0 }
        let packedLarge = try gzipped(large)
        let largeOne = Descriptor(mediaType: .ociLayer, digest: .sha256(of: large), size: Int64(large.count))
        // A layer that is gzip, of which the server says so as well.
        let layer = Descriptor(mediaType: .ociLayer, digest: .sha256(of: packedBlob), size: Int64(packedBlob.count))
        let server = try StubServer { request in
            let gzip = [("Content-Encoding", "gzip")]
            return switch request.path {
            case "/v2/app/manifests/v1":
                .answer(200, headers: gzip + [("Content-Type", MediaType.ociManifest.rawValue)], body: packedManifest)
            case "/v2/app/blobs/\(descriptor.digest)", "/v2/app/blobs/\(layer.digest)":
                .answer(200, headers: gzip, body: packedBlob)
            case "/v2/app/blobs/\(largeOne.digest)": .answer(200, headers: gzip, body: packedLarge)
            default: .text(404, "")
            }
        }
        let repository = try repository(server)
        #expect(try await repository.manifest(.tag("v1"))?.bytes == manifest)
        #expect(try await repository.blob(descriptor, limit: 1_000) == blob)
        #expect(try await repository.blob(layer, limit: 1_000) == packedBlob)
        for wanted in [descriptor, layer, largeOne] {
            try await repository.fetchBlob(wanted, into: store, progress: nil)
            #expect(store.size(of: wanted.digest) == wanted.size)
        }
    }

    // MARK: Credentials

    @Test(arguments: [
        ("secret\n", true), ("secret", false), ("sec\nret", false),
    ])
    func `a password that ends in a newline is named when it is refused`(
        password: String, isNamed: Bool
    ) async throws {
        for challenge in ["Basic realm=\"r\"", "Bearer realm=\"http://HOST/token\",service=\"s\""] {
            let port = Mutex("")
            let server = try StubServer { _ in
                .text(
                    401, "",
                    headers: [
                        ("WWW-Authenticate", challenge.replacingOccurrences(of: "HOST", with: port.withLock { $0 }))
                    ])
            }
            port.withLock { $0 = server.host }
            var keychain = Keychain.empty
            keychain.set(.basic(user: "ci", password: password), for: server.host)
            let error = await #expect(throws: RegistryError.self) {
                _ = try await repository(server, keychain: keychain).manifest(.tag("v1"))
            }
            #expect(error?.code == .unauthorized)
            #expect(error?.hint?.contains("ends in a newline") == isNamed, "\(String(describing: error))")
            #expect(error?.description.contains("secret") == false)
        }
    }

    @Test func `credentials that nobody named and nobody may read are left out`() throws {
        // Root reads everything: another user asks.
        try Shell.run(["mkdir", "-p", scratch.file("home/.docker")])
        try Shell.run(["tee", scratch.file("home/.docker/config.json")], input: Array("{}".utf8))
        let readable = Keychain(environment: ["HOME": scratch.file("home")])
        #expect(readable.unreadable == [])
        #expect(Keychain(environment: ["HOME": scratch.file("none")]).unreadable == [])
    }

    // MARK: Mirrors

    /// Who reads that docker.io does not resolve, in a cluster that does not see it, looks in the wrong place.
    @Test func `a mirror's failure is told first, and the others beside it`() async throws {
        let broken = try StubServer { _ in .text(403, #"{"errors":[{"code":"DENIED","message":"no entry"}]}"#) }
        let empty = try StubServer { _ in .text(404, "") }
        let origin = try StubServer { _ in .text(500, "") }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [broken.host, empty.host, origin.host]
        configuration.retry.attempts = 1
        func failure(_ mirrors: [String]) async throws -> RegistryError? {
            configuration.mirrors = [(from: origin.host, to: mirrors)]
            let access = RegistryAccess(configuration: configuration, keychain: .empty)
            return await #expect(throws: RegistryError.self) {
                _ = try await access.resolve(try ImageLocation("\(origin.host)/app:v1"), platform: .host)
            }
        }
        let both = try #require(try await failure([broken.host]))
        #expect(both.code == .denied && both.place == "\(broken.host)/app:v1" && both.isTransient)
        #expect(both.cause?.hasPrefix("DENIED: no entry (403); \(origin.host)/app:v1: ") == true, "\(both)")
        let missing = try #require(try await failure([empty.host]))
        #expect(missing.place == "\(origin.host)/app:v1")
        #expect(missing.cause?.hasSuffix("; \(empty.host)/app does not have the image") == true, "\(missing)")
    }
}
