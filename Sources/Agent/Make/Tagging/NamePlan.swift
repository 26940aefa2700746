package import OCI

/// A name that an image is to get, and what may be done for it.
package struct PlannedName: Sendable, Hashable {
    package enum Rule: Sendable, Hashable {
        /// The name is one image's for ever.
        case once
        /// The same, of a series: where the number is taken, the next one is as good.
        case numbered(NumberedTag)
        /// The name moves from image to image.
        ///
        /// - Parameter from: what it led to when that was decided.
        case moving(from: Digest?)
    }

    package let repository: RepositoryLocation
    package let tag: String
    package let rule: Rule

    package var location: ImageLocation { ImageLocation(repository: repository, tag: tag) }

    package var isMoving: Bool { if case .moving = rule { true } else { false } }
}

/// A tag with a number that goes up from image to image.
package struct NumberedTag: Sendable, Hashable {
    let before: String
    let number: Int
    let after: String

    var tag: String { "\(before)\(number)\(after)" }

    func isOfOneSeries(with other: NumberedTag) -> Bool { before == other.before && after == other.after }

    var next: NumberedTag { NumberedTag(before: before, number: number + 1, after: after) }
}

/// The names that an image is to get: chosen when a cycle decides, confirmed when they are given.
package struct NamePlan: Sendable, Hashable {
    /// The deciding one last.
    package private(set) var names: [PlannedName]

    package init(_ names: [PlannedName]) { self.names = names }

    package var locations: [ImageLocation] { names.map(\.location) }

    /// The plan in which a series goes on with the next number, in all repositories: one image has one number.
    func raising(_ taken: NumberedTag) -> NamePlan {
        NamePlan(
            names.map { name in
                guard case .numbered(let tag) = name.rule, tag.isOfOneSeries(with: taken) else { return name }
                let next = tag.next
                return PlannedName(repository: name.repository, tag: next.tag, rule: .numbered(next))
            })
    }
}
