import OCI
import Registry
import Text

/// One layer in the shared cache, as an image of this layer alone: any tool can look at it, and any registry keeps it. The layer's true
/// times (`LayerTimes`), where it tells others, are a second blob of the manifest.
struct CacheEntry {
    static let key = "dev.slipway.cache.key"
    static let diffID = "dev.slipway.cache.diff-id"
    /// The label with what the key was made of.
    static let record = "dev.slipway.cache.record"

    let layer: StepCache.Entry
    /// What the entry stands for; the tag says it too, but tags can be moved.
    let key: String
    /// Seconds since 1970.
    let created: Int64
    let config: Descriptor

    /// The media types that our layers can have.
    private static let types: [MediaType] = [.ociLayer, .ociLayerGzip, .ociLayerZstd]

    static func write(
        _ layer: StepCache.Entry, key: String, created: Int64, platform: Platform, text: String, record: String?
    ) throws(OCIError) -> (manifest: [UInt8], config: [UInt8]) {
        let time = UTCDate(secondsSince1970: created).rfc3339
        var container = ContainerConfig()
        if let record { container.labels[Self.record] = record }
        let config = ImageConfig(
            platform: platform, created: time, config: container, rootfs: RootFS(diffIDs: [layer.diffID]),
            history: [History(created: time, createdBy: text)])
        let configBytes = try CanonicalJSON.encode(config)
        let manifest = Manifest(
            mediaType: .ociManifest, config: Descriptor(mediaType: .ociConfig, of: configBytes),
            layers: [layer.descriptor] + [layer.times].compactMap { $0 },
            annotations: [
                Self.key: key, Self.diffID: "\(layer.diffID)", Annotation.created: time,
            ])
        return (try CanonicalJSON.encode(manifest), configBytes)
    }

    /// Reads what lies under a key's tag.
    ///
    /// - Throws: a word about what is wrong with it.
    init(_ raw: RawManifest, expecting key: String) throws(BuildError) {
        func damaged(_ cause: String) -> BuildError {
            BuildError(.cache, "an entry of the step cache cannot be used", cause: cause)
        }
        guard let manifest = try? CanonicalJSON.decode(Manifest.self, from: raw.bytes), !raw.mediaType.isIndex else {
            throw damaged("its manifest cannot be read")
        }
        let annotations = manifest.annotations ?? [:]
        guard annotations[Self.key] == key else { throw damaged("it is the entry of another step") }
        guard let text = annotations[Self.diffID], let diffID = try? Digest(text),
            let created = annotations[Annotation.created].flatMap(BaseImage.seconds)
        else { throw damaged("its annotations are not complete") }
        let times = manifest.layers.dropFirst().first
        guard manifest.layers.count == (times == nil ? 1 : 2), let descriptor = manifest.layers.first,
            Self.types.contains(descriptor.mediaType), descriptor.size >= 0,
            times.map({ $0.mediaType == LayerTimes.mediaType && $0.size >= 0 }) ?? true
        else { throw damaged("it has not one layer, with its times at most") }
        layer = StepCache.Entry(
            descriptor: Descriptor(
                mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size), diffID: diffID,
            times: times.map { Descriptor(mediaType: $0.mediaType, digest: $0.digest, size: $0.size) })
        self.key = key
        self.created = created
        config = manifest.config
    }
}
