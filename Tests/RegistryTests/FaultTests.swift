import ContentStore
import Diagnostics
import OCI
import TestSupport
import Testing

@testable import Registry

/// docker-registry behind a server that spoils one request: the first, the second … each in turn, in every way. A push
/// and a pull must come to the same end as if nothing had happened.
@Suite(.tags(.integration), .thorough) struct FaultTests {
    private static func access(_ host: String) -> RegistryAccess {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [host]
        configuration.retry.pause = .milliseconds(1)
        configuration.retry.longest = .milliseconds(5)
        configuration.stallTimeout = 1
        configuration.uploadTimeout = 1
        configuration.hosts = [host: RegistryConfiguration.HostOptions()]
        return RegistryAccess(configuration: configuration, keychain: .empty)
    }

    /// Pushes an image and pulls it again, with connections and memory of its own.
    private static func round(
        _ fixture: RepositoryFixture, _ host: String, _ name: String, _ image: (manifest: Manifest, bytes: [UInt8])
    ) async throws {
        let location = RepositoryLocation.registry(host: host, path: name)
        let repository = try access(host).repository(location)
        for descriptor in image.manifest.layers + [image.manifest.config] {
            _ = try await repository.pushBlob(descriptor, from: fixture.store, mountFrom: [], progress: nil)
        }
        let digest = try await repository.pushManifest(image.bytes, mediaType: .ociManifest, tag: "v1")
        #expect(try await repository.digest(ofTag: "v1") == digest)
        let found = try #require(
            try await access(host).resolve(ImageLocation(repository: location, tag: "v1"), platform: .host))
        #expect(found.manifestBytes == image.bytes)
        let scratch = try TemporaryDirectory("faults")
        let pulled = try ContentStore(path: scratch.path)
        for layer in found.manifest.layers {
            try await repository.fetchBlob(layer, into: pulled, progress: nil)
            _ = try pulled.read(layer.digest, limit: 1 << 20)
        }
        #expect(try await repository.tags() == ["v1"])
    }

    @Test(arguments: Fault.allCases.filter { $0 != .stalled })
    func everyRequestMayFail(_ fault: Fault) async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let proxy = try FaultProxy(before: server.port)
        let image = try fixture.image("cargo for \(fault)")
        proxy.spoil(0, with: fault)
        try await Self.round(fixture, proxy.host, "plain", image)
        let requests = proxy.count
        #expect(requests > 8)
        for number in 1...requests {
            proxy.spoil(number, with: fault)
            await #expect(throws: Never.self, "request \(number)") {
                try await Self.round(fixture, proxy.host, "\(fault.rawValue.lowercased())\(number)", image)
            }
            #expect(proxy.count >= number)
        }
        // What the registry has, by a client that nobody spoils.
        let direct = try fixture.access.repository(
            .registry(host: server.host, path: "\(fault.rawValue.lowercased())1"))
        #expect(try await direct.manifest(.tag("v1"))?.bytes == image.bytes)
    }

    @Test(arguments: [1, 3, 9])
    func aRequestMayStall(_ number: Int) async throws {
        let fixture = try await RepositoryFixture(.registry)
        let proxy = try FaultProxy(before: try #require(fixture.server).port)
        proxy.spoil(number, with: .stalled)
        try await Self.round(fixture, proxy.host, "app", try fixture.image("cargo"))
        #expect(proxy.count > number)
    }

    @Test func aRegistryThatIsAwayComesBack() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let digest = try await fixture.push("cargo", to: fixture.repository("app"), tag: "v1")
        server.stop()
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        configuration.retry.attempts = 100
        configuration.retry.pause = .milliseconds(50)
        configuration.retry.longest = .milliseconds(50)
        let access = RegistryAccess(configuration: configuration, keychain: .empty)
        let location = RepositoryLocation.registry(host: server.host, path: "app")
        let asking = Task { try await access.repository(location).digest(ofTag: "v1") }
        let error = await #expect(throws: RegistryError.self) {
            _ = try await Self.access(server.host).repository(location).digest(ofTag: "v1")
        }
        #expect(error?.code == .unavailable && error?.hint?.contains("runs") == true)
        try await server.restart()
        #expect(try await asking.value == digest)
    }
}
