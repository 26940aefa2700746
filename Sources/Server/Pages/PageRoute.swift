/// The pages, by their paths.
enum PageRoute: Sendable, Equatable {
    case fleet
    case repository(String)
    case build(String)

    init?(_ path: [String]) {
        switch (path.count, path.first) {
        case (0, _): self = .fleet
        case (2, "repositories"): self = .repository(path[1])
        case (2, "builds"): self = .build(path[1])
        default: return nil
        }
    }
}
