import ManifestUpdater

/// A place that names an image, and the image that the policy chose for it.
struct ImageChoice: Sendable {
    let place: ManifestEdit.Place
    let tag: String
    /// The whole new image, on the name as it is written.
    let newImage: WrittenReference
    let reason: String
    /// How the object that asks for it wants it written back; `nil`: as the agent's configuration says.
    var writeBack: WriteBack?

    var file: String { place.file }

    var edit: ManifestEdit { ManifestEdit(place: place, newImage: newImage) }
}

extension ManifestEdit.Place {
    var file: String {
        switch self {
        case .target(let target): target.file
        case .argo(let place, _): place.file
        }
    }

    /// The place as the trailers of commits name it.
    var written: WrittenValues.Place {
        switch self {
        case .target(let target):
            WrittenValues.Place(file: target.file, workload: target.workload.description, container: target.container)
        case .argo(let place, _):
            WrittenValues.Place(file: place.file, workload: place.application.description, container: place.image)
        }
    }

    /// What stands there.
    var current: String {
        switch self {
        case .target(let target): target.image.description
        case .argo(_, let old): old.map { "\($0)" } ?? ""
        }
    }
}

/// What becomes of a place that is followed.
enum SelectionOutcome: Sendable {
    /// Nothing is to be written, for this reason.
    case left(String)
    /// A person took it back.
    case held(String)
    /// A person switched it off: a lock, a suspended object.
    case paused(String)
    case chosen(ImageChoice)
}
