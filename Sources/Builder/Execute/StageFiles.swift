import OCI
import Sandbox

/// What a stage has come to: its layers as the image lists them, and the chroot's copy of its file system.
struct StageFiles: Sendable {
    /// The base's layers first. Where each is unpacked is the store's business: see `BuildRun.root(of:)`.
    private(set) var layers: [BuiltImage.Layer] = []
    /// The name of all layers together; `nil` on scratch.
    private(set) var chain: Digest?
    /// The same of the layers above the base image.
    private(set) var ownChain: Digest?
    /// The same of the base image's; `nil` on scratch.
    private(set) var baseChain: Digest?
    /// The base image below all; `nil` for `scratch`.
    var base: BaseImage?
    /// The newest time that a new layer may tell, in seconds since 1970; `nil`: times are told as they are.
    var recordLimit: Int64?
    /// When the last step ended that was done for it.
    var stepEnd: Timestamp?
    /// For chroots: the file system as one directory, and how many of `layers` are in it.
    var merged: (directory: HostPath, count: Int)?

    /// How the stage's RUN steps were isolated; `nil` when none ran.
    var isolation: IsolationMode?

    /// How the stage's own steps came about.
    var steps: [StepOutcome] = []

    init(recordLimit: Int64?) { self.recordLimit = recordLimit }

    mutating func append(_ layer: BuiltImage.Layer) {
        layers.append(layer)
        chain = ChainID.next(after: chain, layer)
        if case .base = layer.origin {
            baseChain = chain
            return
        }
        ownChain = ChainID.next(after: ownChain, layer)
    }
}
