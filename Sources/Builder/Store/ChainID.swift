import OCI

/// The name of a layer together with all below it: https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
enum ChainID {
    static func next(after parent: Digest?, _ diffID: Digest) -> Digest {
        guard let parent else { return diffID }
        return Digest.sha256(of: Array("\(parent) \(diffID)".utf8))
    }
}
