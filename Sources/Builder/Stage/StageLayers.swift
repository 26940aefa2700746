import OCI
import Sandbox

/// A stage's file system as the image lists it: its layers, and the names that stand for them together. Where each is unpacked is the
/// store's business: see `StageRoots`.
struct StageLayers: Sendable {
    /// The base's first.
    private(set) var all: [BuiltImage.Layer] = []
    /// The name of all layers together; `nil` on scratch.
    private(set) var chain: Digest?
    /// The same of the layers above the base image.
    private(set) var ownChain: Digest?
    /// The same of the base image's; `nil` on scratch.
    private(set) var baseChain: Digest?
    /// The base image below all; `nil` for `scratch`.
    let base: BaseImage?
    /// The newest time that a new layer may tell, in seconds since 1970; `nil`: times are told as they are.
    let recordLimit: Int64?

    /// - Parameter base: the image below all, whose layers come first; `nil` for `scratch`.
    init(on base: BaseImage?, recordLimit: Int64?) throws(BuildError) {
        self.base = base
        self.recordLimit = recordLimit
        for layer in try base?.layers() ?? [] { append(layer) }
    }

    mutating func append(_ layer: BuiltImage.Layer) {
        all.append(layer)
        chain = ChainID.next(after: chain, layer)
        if case .base = layer.origin {
            baseChain = chain
            return
        }
        ownChain = ChainID.next(after: ownChain, layer)
    }

    /// How many layers are the base image's.
    var baseCount: Int { all.count { if case .base = $0.origin { true } else { false } } }
}

/// What a stage has come to, for the image and for the stages that stand on it or take files from it.
struct StageResult: Sendable {
    var layers: StageLayers
    /// When the last step ended that was done for it.
    var stepEnd: Timestamp?
    /// How the stage's RUN steps were isolated; `nil` when none ran.
    var isolation: IsolationMode?
    /// How the stage's own steps came about.
    var steps: [StepOutcome] = []
}
