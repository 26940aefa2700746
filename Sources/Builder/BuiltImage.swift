package import OCI
package import Sandbox

/// An image in the local store, ready to be pushed.
package struct BuiltImage: Sendable {
    package struct Layer: Sendable {
        package enum Origin: Sendable, Hashable {
            /// Taken over unchanged from a base image of that repository.
            case base(RepositoryLocation)
            case built
            /// From the shared step cache at that repository.
            case cache(RepositoryLocation)

            /// Where the blob is, if it is not only here.
            package var repository: RepositoryLocation? {
                switch self {
                case .base(let location), .cache(let location): location
                case .built: nil
                }
            }
        }

        package let descriptor: Descriptor
        /// Digest of the uncompressed tar.
        package let diffID: Digest
        package let origin: Origin
        /// The history's words for the instruction that made it; empty for a base's layer without history.
        package let createdBy: String
        /// The true times of its files, where the layer tells others; `nil`: it tells them.
        var times: Descriptor?
    }

    package let manifest: Manifest
    package let manifestBytes: [UInt8]
    package let manifestDigest: Digest
    package let config: ImageConfig
    package let configBytes: [UInt8]
    package let layers: [Layer]
    /// The base of the target stage; `nil` for `scratch`.
    package let base: (name: String, digest: Digest)?
    /// How RUN steps were isolated; `nil` when there were none.
    package let isolation: IsolationMode?
    /// Keeps the blobs in the store until the image is not used any more.
    let lease: StoreLease.Token
    /// The steps with a layer, in the order of the Dockerfile's stages, and whether they had to be done.
    package var steps: [StepOutcome] = []
    /// Whether a step had to be done for it.
    var isNew: Bool { steps.contains { $0.source == .made } }

    /// The layers that are on their way already.
    var uploads: LayerUploads?
}

package struct PushReport: Sendable {
    package struct Destination: Sendable {
        package let location: ImageLocation
        package let digest: Digest
        package var uploaded: Int64 = 0
        package var mounted: Int = 0
        package var existed: Int = 0
    }

    package var destinations: [Destination] = []
}
