/// The names that mark removed files in layers: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
enum LayerMarks {
    static let prefix = FileName(".wh.")
    static let opaque = FileName(".wh..wh..opq")

    /// Every reader of the layer would remove a file for it, and none would show it.
    static func refusal(of path: FileName) -> BuildError {
        BuildError(
            .destination, "no image can hold the file /\(path.text)",
            cause: "in layers, names that begin with .wh. are marks of removed files",
            hint: "rename it, remove it in the same step, or leave it out by .dockerignore or --exclude")
    }
}
