import Archive

extension LayerMarks {
    /// Every reader of the layer would remove a file for it, and none would show it.
    static func refusal(of path: FileName) -> BuildError {
        BuildError(
            .destination, "no image can hold the file /\(path.text)",
            cause: "in layers, names that begin with .wh. are marks of removed files",
            hint: "rename it, remove it in the same step, or leave it out by .dockerignore or --exclude")
    }
}
