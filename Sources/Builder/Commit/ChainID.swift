import OCI

/// The name of a layer together with all below it: https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
enum ChainID {
    static func next(after parent: Digest?, _ diffID: Digest) -> Digest {
        guard let parent else { return diffID }
        return Digest.sha256(of: Array("\(parent) \(diffID)".utf8))
    }

    /// Layers that tell the same and have other true times are different ones to the steps that stand on them: a program may
    /// find one file newer than another on one of them only.
    static func next(after parent: Digest?, _ layer: BuiltImage.Layer) -> Digest {
        let chain = next(after: parent, layer.diffID)
        guard let times = layer.times else { return chain }
        return Digest.sha256(of: Array("\(chain) \(times.digest)".utf8))
    }
}
