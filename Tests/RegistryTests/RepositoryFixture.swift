import ContentStore
import OCI
import TestSupport
import Testing

@testable import Registry

/// The kinds of repositories, which must all behave alike.
enum RepositoryKind: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case registry, layout

    var testDescription: String { rawValue }
}

/// A place for repositories of one kind, with a content store beside it.
final class RepositoryFixture: Sendable {
    let kind: RepositoryKind
    let scratch: TemporaryDirectory
    let server: RegistryServer?
    let access: RegistryAccess
    let store: ContentStore

    init(_ kind: RepositoryKind) async throws {
        self.kind = kind
        scratch = try TemporaryDirectory("repository")
        var configuration = RegistryConfiguration()
        switch kind {
        case .registry:
            let server = try await RegistryServer(directory: scratch.file("registry"))
            configuration.insecureRegistries = [server.host]
            self.server = server
        case .layout: server = nil
        }
        access = RegistryAccess(configuration: configuration, keychain: .empty)
        store = try ContentStore(path: scratch.file("store"))
    }

    func location(_ name: String) throws -> RepositoryLocation {
        if let server { return .registry(host: server.host, path: name) }
        return .layout(path: scratch.file("layouts/\(name)"))
    }

    func repository(_ name: String) throws -> any ImageRepository {
        try access.repository(location(name))
    }

    /// How skopeo names a tag.
    func skopeo(_ name: String, _ tag: String) -> String {
        server.map { "docker://\($0.host)/\(name):\(tag)" } ?? "oci:\(scratch.file("layouts/\(name)")):\(tag)"
    }

    /// Adds bytes to the store.
    func blob(_ text: String, type: MediaType = .ociLayer) throws -> Descriptor {
        let bytes = Array(text.utf8)
        try store.add(bytes)
        return Descriptor(mediaType: type, of: bytes)
    }

    /// A small image with its blobs in the store: one layer of a tar with one file.
    func image(_ text: String, platform: Platform = .host) throws -> (manifest: Manifest, bytes: [UInt8]) {
        let folder = scratch.file("tar-\(UInt32.random(in: 0 ... .max))")
        try Shell.run(["mkdir", "-p", folder])
        try Shell.run(
            [
                "sh", "-c",
                "printf %s '\(text)' > file && tar --mtime=@0 --owner=0 --group=0 --numeric-owner -cf layer.tar file",
            ], in: folder)
        let tar = try #require(try SmallFile.read("\(folder)/layer.tar", limit: 1 << 20))
        try store.add(tar)
        let layer = Descriptor(mediaType: .ociLayer, of: tar)
        let config = ImageConfig(
            platform: platform, created: "2024-01-01T00:00:00Z", rootfs: RootFS(diffIDs: [layer.digest]),
            history: [History(created: "2024-01-01T00:00:00Z", createdBy: "test")])
        let configBytes = try CanonicalJSON.encode(config)
        try store.add(configBytes)
        let manifest = Manifest(
            config: Descriptor(mediaType: .ociConfig, of: configBytes), layers: [layer],
            annotations: ["text": text])
        return (manifest, try CanonicalJSON.encode(manifest))
    }

    @discardableResult
    func push(_ text: String, to repository: any ImageRepository, tag: String?) async throws -> Digest {
        let (manifest, bytes) = try image(text)
        for descriptor in manifest.layers + [manifest.config] {
            _ = try await repository.pushBlob(descriptor, from: store, mountFrom: [], progress: nil)
        }
        return try await repository.pushManifest(bytes, mediaType: .ociManifest, tag: tag)
    }
}
