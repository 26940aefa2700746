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

    /// The image's history, with as many entries that have a layer as there are layers: some tools write none.
    var history: [History] {
        let config = image.config
        var history = config.history
        let told = history.count { $0.emptyLayer != true }
        let missing = config.rootfs.diffIDs.count - told
        // More entries than layers tell nothing that can be trusted.
        if missing < 0 { history = [] }
        let count = missing < 0 ? config.rootfs.diffIDs.count : missing
        history += (0..<count).map { _ in History(created: config.created, createdBy: "") }
        return history
    }
}
