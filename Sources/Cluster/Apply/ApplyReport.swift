/// What came of an object.
package enum ApplyOutcome: Sendable {
    case created
    case changed
    case unchanged
    /// The manifest is as it was; the object was not.
    case corrected
    case pruned
    /// It left the manifests and stays, for a reason.
    case kept(String)
    case failed(ClusterError)
}

/// What came of all objects of a repository.
package struct ApplyReport: Sendable {
    package struct Entry: Sendable {
        package let identity: ObjectIdentity
        package let place: String
        package let outcome: ApplyOutcome
    }

    package private(set) var entries: [Entry] = []
    /// Objects that are not ready, and why.
    package internal(set) var waiting: [ObjectIdentity: String] = [:]
    /// Fields that were others' and are the manifests' now.
    package internal(set) var takenOver: [ObjectIdentity: [String]] = [:]

    package init() {}

    package mutating func add(_ identity: ObjectIdentity, _ place: String, _ outcome: ApplyOutcome) {
        entries.append(Entry(identity: identity, place: place, outcome: outcome))
    }

    package mutating func isWaiting(_ identity: ObjectIdentity, _ reason: String) { waiting[identity] = reason }

    /// Objects that could not be applied.
    var failed: Set<ObjectIdentity> {
        Set(
            entries.compactMap { entry in
                if case .failed = entry.outcome { entry.identity } else { nil }
            })
    }
}
