import OCI
import Text

extension ResolvedImage {
    /// Whether the layers are of types that can be unpacked: tar, as it is or compressed with gzip or zstd
    /// (https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md, and Docker's names for the same). Those that
    /// registries need not hold are let pass: whether they are there is seen when they are fetched.
    ///
    /// - Throws: `unsupported`, for what is encrypted, is no layer at all, or is of a type that nobody here knows.
    package func checkLayers() throws(RegistryError) {
        for (index, layer) in manifest.layers.enumerated()
        where !Self.layerTypes.contains(layer.mediaType) && !layer.mediaType.isForeignLayer {
            throw RegistryError(
                .unsupported, "a layer's media type is not supported",
                place: "\(repository.location)@\(manifestDigest)",
                cause: "layer \(index + 1) of \(manifest.layers.count), \(layer.digest), is of the type "
                    + "'\(printable(layer.mediaType.rawValue))'",
                hint: "supported are \(Self.layerTypes.map(\.rawValue).joined(separator: ", "))")
        }
    }

    private static let layerTypes: [MediaType] = [
        .ociLayer, .ociLayerGzip, .ociLayerZstd, .dockerLayer, .dockerLayerGzip, .dockerLayerZstd,
    ]
}
