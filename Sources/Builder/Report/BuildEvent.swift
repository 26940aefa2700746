package import Diagnostics
package import OCI

/// What a build tells while it works.
package enum BuildEvent: Sendable {
    /// Something that happens in the stage of that name; other stages may be under way at the same time.
    indirect case inStage(String, BuildEvent)
    /// A step begins: `index` of `of` within its stage, the instruction's text.
    case stepStarted(stage: String, index: Int, of: Int, text: String, location: SourceLocation?)
    /// Output of a RUN step, as it comes.
    case stepOutput(OutputStream, [UInt8])
    /// The step's layer was made before.
    case stepCached(Digest, size: Int64)
    /// Why the step's layer was not in the cache, where that was asked for.
    case stepExplained(String)
    case stepFinished(duration: Duration)
    /// A base image's layers are here.
    case basePulled(name: String, digest: Digest, bytes: Int64)
    /// A layer is in the local store; `size` is that of the compressed blob.
    case layerWritten(Digest, size: Int64)
    case blobPushed(Digest, size: Int64, outcome: BlobOutcome, to: ImageLocation)
    /// A blob is on its way: some times a second at most, and once when that is over. Nothing is told of a blob that does not
    /// have to be moved.
    case transfer(BlobTransfer)
    case manifestPushed(Digest, to: ImageLocation)
    /// Something that the user may want to know: a warning of the Dockerfile, an unused build argument.
    case note(String)

    package enum OutputStream: Sendable { case stdout, stderr }
    package enum BlobOutcome: String, Sendable { case existed, mounted, uploaded }
}
