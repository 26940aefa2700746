import ManifestUpdater

/// A place that names an image, and the image that the policy chose for it.
struct ImageChoice: Sendable {
    enum Place: Sendable {
        case target(ImageTarget)
        /// One of Argo's, with what it said when the choice was made.
        case application(ArgoPlace, old: ImageText?)

        /// The place as the trailers of commits name it.
        var written: WrittenValues.Place {
            switch self {
            case .target(let target):
                WrittenValues.Place(
                    file: target.file, workload: target.workload.description, container: target.container)
            case .application(let place, _):
                WrittenValues.Place(
                    file: place.file, workload: place.application.description, container: place.image)
            }
        }

        /// What stands there.
        var current: String {
            switch self {
            case .target(let target): target.image
            case .application(_, let old): old.map { "\($0)" } ?? ""
            }
        }
    }

    let place: Place
    let tag: String
    /// The whole new image, on the name as it is written.
    let newImage: String
    let reason: String
    /// How the object that asks for it wants it written back; `nil`: as the agent's configuration says.
    var writeBack: WriteBack?

    var file: String {
        switch place {
        case .target(let target): target.file
        case .application(let place, _): place.file
        }
    }

    /// Whether the file may come into being by this choice.
    var mayMakeFile: Bool {
        guard case .application(let place, _) = place else { return false }
        return place.holder == .overrides
    }
}

/// What becomes of a place that is followed.
enum SelectionOutcome: Sendable {
    /// Nothing is to be written, for this reason.
    case left(String)
    /// A person took it back.
    case held(String)
    case chosen(ImageChoice)
}
