import OCI

/// What a stage has come to: its layers as the image lists them, and its file system as a stack of directories.
struct StageFiles: Sendable {
    /// The base's layers first.
    var layers: [BuiltImage.Layer] = []
    /// Directories of this build's own layers, lowest first; the base's lie below them.
    var uppers: [HostPath] = []
    /// The base image below all; `nil` for `scratch`.
    var base: BaseImage?
    /// For chroots: the file system as one directory, and how many of `uppers` are in it.
    var merged: (directory: HostPath, count: Int)?
}
