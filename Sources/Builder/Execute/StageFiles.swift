import OCI
import Sandbox

/// What a stage has come to: its layers as the image lists them, and the chroot's copy of its file system.
struct StageFiles: Sendable {
    /// The base's layers first. Where each is unpacked is the store's business: see `BuildRun.root(of:)`.
    private(set) var layers: [BuiltImage.Layer] = []
    /// The name of all layers together; `nil` on scratch.
    private(set) var chain: Digest?
    /// The base image below all; `nil` for `scratch`.
    var base: BaseImage?
    /// The newest time that a file of a new layer can have, in seconds since 1970.
    var newest: Int64
    /// For chroots: the file system as one directory, and how many of `layers` are in it.
    var merged: (directory: HostPath, count: Int)?

    /// How the stage's RUN steps were isolated; `nil` when none ran.
    var isolation: IsolationMode?

    /// How the stage's own steps came about.
    var steps: [StepOutcome] = []

    init(newest: Int64) { self.newest = newest }

    mutating func append(_ layer: BuiltImage.Layer) {
        layers.append(layer)
        chain = ChainID.next(after: chain, layer.diffID)
    }
}
