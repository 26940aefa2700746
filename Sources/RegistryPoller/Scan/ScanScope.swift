package import OCI

/// What a scan looks at.
package struct ScanScope: Sendable, Hashable {
    /// Of which tags the images are looked at; of the others only the names are known.
    package enum Images: Sendable, Hashable {
        case none
        case matching(TagInterest)
        case all

        /// Whether who looked at these has seen those as well.
        package func covers(_ other: Images) -> Bool {
            switch (self, other) {
            case (.all, _), (_, .none): true
            case (.matching(let own), .matching(let other)): own.covers(other)
            case (.none, _), (.matching, .all): false
            }
        }

        package func union(_ other: Images) -> Images {
            if covers(other) { return self }
            guard case .matching(let own) = self, case .matching(let more) = other else { return other }
            return .matching(own.union(more))
        }
    }

    package var images: Images
    /// What every image that is looked at has to exist for; with none, any image counts.
    package var platforms: [Platform]
    /// Whether tags that moved are looked for as the registry's tags are used by people: all of a small repository, each time. Where
    /// only one writer gives tags, and moves none that has a number, it is enough to look now and then.
    package var isThorough: Bool

    package init(images: Images = .all, platforms: [Platform] = [], isThorough: Bool = true) {
        self.images = images
        self.platforms = platforms
        self.isThorough = isThorough
    }
}

/// The tags that some policies may choose, and those that they compare with.
package struct TagInterest: Sendable, Hashable {
    private var policies: Set<ImagePolicy>
    private var tags: Set<String>

    /// - Parameter current: the tag in use.
    package init(_ policy: ImagePolicy, current: String?) {
        policies = [policy]
        tags = current.map { [$0] } ?? []
    }

    func covers(_ other: TagInterest) -> Bool {
        policies.isSuperset(of: other.policies) && tags.isSuperset(of: other.tags)
    }

    func union(_ other: TagInterest) -> TagInterest {
        var all = self
        all.policies.formUnion(other.policies)
        all.tags.formUnion(other.tags)
        return all
    }

    /// Those of a list of tags that are of interest, by their place.
    func places(in list: [String]) -> [Int] {
        let screens = policies.map { TagScreen($0, tags: list.count) }
        return list.indices.filter { place in
            if tags.contains(list[place]) { return true }
            var tag = list[place]
            return tag.withUTF8 { bytes in
                // Where an expression has become too costly nothing is known, and the policy will say so.
                screens.contains { $0.text(of: bytes) != nil || $0.isExhausted }
            }
        }
    }
}
