import YAML

extension ManifestUpdater {
    /// Proves that a changed file says what the original said, but for the changed values.
    ///
    /// - Parameter changes: the ranges of the changed scalars in the original, with their new values.
    static func verify(
        _ result: [UInt8], against original: [YAMLDocument], changes: [Range<Int>: String], edits: [StructureEdit] = [],
        file: String
    ) throws(UpdateError) {
        let difference: String?
        do {
            difference = try YAMLStream.difference(
                between: original, and: result, changes: changes, edits: edits, file: file)
        } catch {
            throw UpdateError(
                .verification, "the changed file would not be YAML", place: error.place, cause: error.summary)
        }
        if let difference {
            throw UpdateError(
                .verification, "the change would alter more than the values", place: file, cause: difference,
                hint: "the file was left as it is; please report its shape")
        }
    }
}
