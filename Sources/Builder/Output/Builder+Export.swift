import Archive
import Blocking
import ContentStore
import Glibc
import OCI
import Registry

extension Builder {
    /// Writes a product as an OCI layout that holds nothing else under a name. Blobs that others left there stay.
    ///
    /// - Parameter tag: the image's name in the layout; `nil` for none.
    package func export(
        _ product: BuildProduct, toLayout path: String, tag: String?
    ) async throws(BuildError) {
        let layout = LayoutRepository(path: path)
        for image in product.images {
            for descriptor in try await gather(image) {
                _ = try await explained("cannot write the layout \(path)") { () async throws(RegistryError) in
                    try await layout.pushBlob(descriptor, from: store.content, mountFrom: [], progress: nil)
                }
            }
        }
        try await explained("cannot write the layout \(path)") { () async throws(RegistryError) in
            for manifest in product.manifests.dropLast() {
                _ = try await layout.pushManifest(manifest.bytes, mediaType: manifest.mediaType, tag: nil)
            }
            let last = product.manifest
            _ = try await layout.pushManifest(last.bytes, mediaType: last.mediaType, tag: tag)
            try await layout.forgetOthers(than: last.digest, tag: tag)
        }
    }

    /// Writes a product as an archive of an OCI layout.
    ///
    /// - Parameters:
    ///   - path: `-` for standard output.
    ///   - tag: the image's name in the layout; `nil` for none.
    ///   - name: the image's whole name for containerd, `HOST/REPOSITORY:TAG`; `nil` for none.
    package func export(
        _ product: BuildProduct, toLayoutArchive path: String, tag: String?, name: String? = nil
    ) async throws(BuildError) {
        var blobs: [Descriptor] = []
        for image in product.images { blobs += try await gather(image) }
        let content = store.content
        try await runBlocking { [blobs] () throws(BuildError) in
            try ImageArchive(content).write(to: path) { (tar) throws in
                try tar.add("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
                var entry = product.manifest.descriptor
                var annotations: [String: String] = [:]
                annotations[Annotation.refName] = tag
                annotations[Annotation.containerdName] = name
                if !annotations.isEmpty { entry.annotations = annotations }
                try tar.add("index.json", try CanonicalJSON.encode(ImageIndex(manifests: [entry])))
                var known: Set<Digest> = []
                for manifest in product.manifests where known.insert(manifest.digest).inserted {
                    try tar.add("blobs/sha256/\(manifest.digest.encoded)", manifest.bytes)
                }
                for blob in blobs where known.insert(blob.digest).inserted {
                    try tar.add(
                        "blobs/\(blob.digest.algorithm.rawValue)/\(blob.digest.encoded)", blob: blob.digest)
                }
            }
        }
    }

    /// Writes an image as `docker save` does, for `docker load`, podman and skopeo.
    ///
    /// https://github.com/moby/docker-image-spec/blob/v1.3.1/v1.2.md#combined-image-json--filesystem-changeset-format
    ///
    /// - Parameters:
    ///   - path: `-` for standard output.
    ///   - names: `REPOSITORY:TAG`, by which the image is known when it is loaded.
    package func export(
        _ product: BuildProduct, toDockerArchive path: String, names: [String]
    ) async throws(BuildError) {
        guard product.images.count == 1, let image = product.images.first else {
            throw BuildError.severalPlatforms(inDockerArchive: path)
        }
        _ = try await gather(image)
        let content = store.content
        try await runBlocking { () throws(BuildError) in
            try ImageArchive(content).write(to: path) { (tar) throws in
                var files: [String] = []
                for layer in image.layers {
                    let isGzip = layer.descriptor.mediaType.compression == .gzip
                    // Not every reader of such archives knows zstd.
                    let name =
                        isGzip ? "\(layer.descriptor.digest.encoded).tar.gz" : "\(layer.diffID.encoded).tar"
                    if !files.contains(name) {
                        try tar.add(name, blob: layer.descriptor.digest, isPlain: !isGzip)
                    }
                    files.append(name)
                }
                let config = "\(image.manifest.config.digest.encoded).json"
                try tar.add(config, image.configBytes)
                try tar.add(
                    "manifest.json",
                    try CanonicalJSON.encode([
                        DockerArchiveEntry(config: config, repoTags: names, layers: files)
                    ]))
            }
        }
    }

    /// Brings what an image consists of into the local store: layers of base images may be with their registry only.
    private func gather(_ image: BuiltImage) async throws(BuildError) -> [Descriptor] {
        for layer in image.layers {
            if let repository = layer.origin.repository { try await fetch(layer.descriptor, from: repository) }
        }
        try storing { () throws(ContentStoreError) in _ = try store.content.add(image.configBytes) }
        return image.manifest.layers + [image.manifest.config]
    }
}

private struct DockerArchiveEntry: Encodable {
    let config: String
    let repoTags: [String]
    let layers: [String]

    enum CodingKeys: String, CodingKey {
        case config = "Config"
        case repoTags = "RepoTags"
        case layers = "Layers"
    }
}

extension BuildError {
    /// Docker's archives hold one platform.
    package static func severalPlatforms(inDockerArchive path: String) -> BuildError {
        BuildError(
            .unsupported, "an image of several platforms cannot be written as Docker's archive", place: path,
            hint: "build one platform, or use --oci-layout-path or --output type=oci,dest=FILE")
    }
}
