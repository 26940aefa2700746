/// The pages, by their paths.
enum PageRoute: Sendable, Equatable {
    case fleet
    case search
    case repository(String)
    case build(String)
    /// A digest, or a reference with its tag.
    case image(String)
    /// A repository, and a place in it: `FILE:LINE`.
    case policy(String, place: String)

    init?(_ path: [String]) {
        switch (path.count, path.first) {
        case (0, _): self = .fleet
        case (1, "search"): self = .search
        case (2, "repositories"): self = .repository(path[1])
        case (2, "builds"): self = .build(path[1])
        case (2, "images"): self = .image(path[1])
        case (4, "repositories") where path[2] == "policies": self = .policy(path[1], place: path[3])
        default: return nil
        }
    }
}
