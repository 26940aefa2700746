/// Why an order has no place for a text.
enum OrderRefusal: Hashable, Sendable {
    case version(SemanticVersion.Problem)
    /// Flux v2 takes versions of three parts only, Keel of two or three.
    case parts(atLeast: Int)
    case outOfRange
    case prerelease
    case notANumber
    case notAFloat
    case noTime
    case otherTag
    case keel(KeelRefusal)
}

enum KeelRefusal: String, Hashable, Sendable {
    case notNewer = "not newer than the tag in use"
    case otherMajor = "another major version than the tag in use"
    case otherMinor = "another minor version than the tag in use"
    case otherPrerelease = "another pre-release part than the tag in use"
    case otherTag = "not the tag in use, and matchTag asks for it"
    case noComparison = "the tag in use is not a version to compare with"
}

extension ImagePolicy {
    func words(_ refusal: OrderRefusal) -> String {
        switch refusal {
        case .version(let problem): problem.description
        case .parts(let count):
            count == 3 ? "not a version of three parts" : "not a version of at least two parts"
        case .outOfRange: "not in '\(rangeText)'"
        case .prerelease: "a pre-release, and '\(rangeText)' asks for releases only"
        case .notANumber: "not a decimal number"
        case .notAFloat: "not a number that has a place in an order"
        case .noTime: "the image has no creation time"
        case .otherTag: "another tag than the one that is followed"
        case .keel(let refusal): refusal.rawValue
        }
    }

    private var rangeText: String {
        if case .semver(let range) = rule { range.text } else { text }
    }
}
