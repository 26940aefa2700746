import ManifestUpdater

/// Why one of several edits was not carried out.
struct EditRefusal: Error, CustomStringConvertible {
    let reason: String

    var description: String { reason }
}

extension ManifestUpdater {
    /// The bytes with all of the edits in them.
    static func apply(_ edits: [ManifestEdit], to bytes: [UInt8], file: String) throws -> [UInt8] {
        let edited = update(bytes, file: file, edits: edits)
        if let skip = edited.update.skipped.first { throw EditRefusal(reason: skip.reason) }
        if edited.found.contains(nil) { throw EditRefusal(reason: "a place is not there") }
        return edited.update.bytes ?? bytes
    }
}
