import OCI
import Registry
import Sandbox
import Text

/// Puts configuration and manifest together from what the target stage came to.
struct ImageAssembler {
    let request: BuildRequest
    /// Seconds since 1970: of the image, and of what the Dockerfile adds to its history.
    let createdAt: Int64
    let stage: PlannedStage
    let layers: [BuiltImage.Layer]
    let contentKey: ContentKey
    let isolation: IsolationMode?
    let lease: StoreLease.Token
    let steps: [StepOutcome]
    let uploads: LayerUploads?

    func image(base: BaseImage?) throws(BuildError) -> BuiltImage {
        do { return try assemble(base) } catch {
            throw BuildError(.storage, "cannot write the image's configuration", from: error)
        }
    }

    private func history(on base: BaseImage?) -> [History] {
        var history = stage.history
        for index in history.indices.dropFirst(base?.history.count ?? 0) {
            history[index].created = UTCDate(secondsSince1970: createdAt).rfc3339
        }
        guard request.isSingleLayer else { return history }
        let below = layers.count { if case .base = $0.origin { true } else { false } }
        return Self.singleLayerHistory(history, baseLayers: below)
    }

    /// The history of an image whose added layers became one: the last instruction has it.
    private static func singleLayerHistory(_ history: [History], baseLayers: Int) -> [History] {
        var result = history
        let places = history.indices.filter { history[$0].emptyLayer != true }
        for index in places.dropFirst(baseLayers).dropLast() { result[index].emptyLayer = true }
        return result
    }

    private func assemble(_ base: BaseImage?) throws(OCIError) -> BuiltImage {
        var container = stage.state.config
        for (name, value) in request.labels { container.labels[name] = value }
        var platform = request.platform
        if let base {
            // The base knows its own variant and version of the system better than the request.
            let own = base.image.config.platform
            if own.matches(platform) { platform = own }
        }
        let config = ImageConfig(
            platform: platform, created: UTCDate(secondsSince1970: createdAt).rfc3339, author: stage.state.author,
            config: container, rootfs: RootFS(diffIDs: layers.map(\.diffID)), history: history(on: base))
        let configBytes = try CanonicalJSON.encode(config)
        var annotations = request.annotations
        annotations[Annotation.contentKey] = contentKey.description
        if annotations[Annotation.created] == nil { annotations[Annotation.created] = config.created }
        if let base {
            annotations[Annotation.baseName] = base.name
            annotations[Annotation.baseDigest] = base.image.digest.description
        }
        let isDocker = request.format == .docker
        let manifest = Manifest(
            mediaType: isDocker ? .dockerManifest : .ociManifest,
            config: Descriptor(mediaType: isDocker ? .dockerConfig : .ociConfig, of: configBytes),
            layers: layers.map { layer in
                var descriptor = layer.descriptor
                descriptor.mediaType = isDocker ? descriptor.mediaType.docker : descriptor.mediaType.oci
                descriptor.annotations = nil
                return descriptor
            }, annotations: annotations)
        let bytes = try CanonicalJSON.encode(manifest)
        return BuiltImage(
            manifest: manifest, manifestBytes: bytes, manifestDigest: .sha256(of: bytes), config: config,
            configBytes: configBytes, layers: layers, base: base.map { ($0.name, $0.image.digest) },
            isolation: isolation, lease: lease, steps: steps, uploads: uploads)
    }
}

extension MediaType {
    /// The same layer under the name that the image format has for it; the bytes are the same in both.
    fileprivate var oci: MediaType {
        switch self {
        case .dockerLayer: .ociLayer
        case .dockerLayerGzip: .ociLayerGzip
        case .dockerLayerZstd: .ociLayerZstd
        default: self
        }
    }

    fileprivate var docker: MediaType {
        switch self {
        case .ociLayer: .dockerLayer
        case .ociLayerGzip: .dockerLayerGzip
        case .ociLayerZstd: .dockerLayerZstd
        default: self
        }
    }
}
