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

    /// Images at Argo CD's places, whatever these say now.
    static func update(_ bytes: [UInt8], file: String, places: [(ArgoPlace, WrittenReference)]) -> FileUpdate {
        let edits = places.map { place, image in
            ManifestEdit(
                place: .argo(place, old: ManifestUpdater.image(at: place, in: bytes)), newImage: image)
        }
        return update(bytes, file: file, edits: edits).update
    }
}

extension ManifestEdit {
    /// That of an edit of a scanned place.
    var target: ImageTarget {
        guard case .target(let target) = place else { preconditionFailure("it is one of Argo CD's places") }
        return target
    }
}
