import OCI
import Registry

extension BaseImage {
    /// The image's layers with their uncompressed digests and the history's words.
    func layers() throws(BuildError) -> [BuiltImage.Layer] {
        let descriptors = image.manifest.layers
        let diffIDs = image.config.rootfs.diffIDs
        guard descriptors.count == diffIDs.count else {
            throw BuildError(
                .baseImage, "the base image \(name) contradicts itself",
                cause: "\(descriptors.count) layers, but \(diffIDs.count) digests of their content")
        }
        let made = image.config.history.filter { $0.emptyLayer != true }
        return zip(descriptors, diffIDs).enumerated().map { index, pair in
            BuiltImage.Layer(
                descriptor: pair.0, diffID: pair.1, origin: .base(image.repository.location),
                createdBy: index < made.count ? made[index].createdBy ?? "" : "")
        }
    }
}
