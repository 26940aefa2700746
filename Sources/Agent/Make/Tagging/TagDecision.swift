/// Which tag a build gets, given what is taken already.
package enum TagDecision {
    package enum Outcome: Equatable, Sendable {
        /// A name that no image has.
        case fresh(String)
        /// A name that moves from image to image (`latest`, or the pipeline is declared mutable).
        case moving(String)
        /// The name is another image's, and may not be moved.
        case taken(String)
    }

    /// - Parameters:
    ///   - existing: the tags that the destination repository has.
    ///   - deployed: the tags under which the repository's workloads run this image now. They are taken even where the
    ///     registry does not have them (any more): nodes keep what they once pulled under a tag.
    package static func tag(
        for naming: Pipeline.Naming, values: TagTemplate.Values, existing: Set<String>, deployed: Set<String>,
        isMutable: Bool
    ) throws(TagTemplate.Invalid) -> Outcome {
        switch naming {
        case .literal(let tag):
            if isMutable { return .moving(tag) }
            if let series = TagSeries(tag) {
                guard let highest = series.highest(in: existing.union(deployed)), highest >= series.number else {
                    return .fresh(tag)
                }
                return .fresh(series.with(number: highest + 1).tag)
            }
            let hasDigits = tag.utf8.contains { (0x30...0x39).contains($0) }
            if !hasDigits { return .moving(tag) }
            return existing.contains(tag) ? .taken(tag) : .fresh(tag)
        case .template(let template):
            let tag = try template.render(values, existing: existing.union(deployed))
            if isMutable { return .moving(tag) }
            return existing.contains(tag) ? .taken(tag) : .fresh(tag)
        }
    }

    /// Whether a literal tag asks for an image that is not there yet: somebody wrote a newer number into the manifest.
    package static func asksForNew(_ naming: Pipeline.Naming, existing: Set<String>, deployed: Set<String>) -> Bool {
        guard case .literal(let tag) = naming, !existing.contains(tag) else { return false }
        guard let series = TagSeries(tag), let highest = series.highest(in: existing.union(deployed)) else {
            return true
        }
        return series.number > highest
    }
}
