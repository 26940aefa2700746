package import OCI

/// Why none of the places that an image may come from (maps, mirrors, the place that was asked for) gave it, in the order in
/// which they were asked.
package struct PullFailures: Sendable {
    private var failures: [RegistryError] = []
    private var absent: [RepositoryLocation] = []

    package init() {}

    package mutating func add(_ failure: RegistryError) { failures.append(failure) }

    /// A place does not have the image.
    package mutating func add(missing location: RepositoryLocation) { absent.append(location) }

    /// `nil` where no place failed.
    ///
    /// A mirror is declared because the other places cannot be used, or should not be: the first failure is the one to be mended,
    /// and the others are told beside it.
    package var error: RegistryError? {
        guard let first = failures.first else { return nil }
        guard failures.count + absent.count > 1 else { return first }
        var causes = [first.cause].compactMap { $0 }
        causes += absent.map { "\($0) does not have the image" }
        causes += failures.dropFirst().map { other in
            [other.place, other.summary, other.cause].compactMap { $0 }.joined(separator: ": ")
        }
        return RegistryError(
            first.code, first.summary, place: first.place, cause: causes.joined(separator: "; "), hint: first.hint,
            status: first.status, retryAfter: first.retryAfter, isTransient: failures.contains { $0.isTransient })
    }
}
