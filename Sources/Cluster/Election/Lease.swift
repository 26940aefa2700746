package import JSON
import Text

/// A Lease, which says who leads: https://kubernetes.io/docs/concepts/architecture/leases/
///
/// Members that are not of the election stay as they are, `metadata.resourceVersion` among them: by it the server refuses to
/// replace another version than the one that was read.
package struct Lease: Sendable, Equatable {
    package private(set) var object: JSONValue

    package init(_ object: JSONValue) { self.object = object }

    /// One that does not exist yet, and that nobody holds.
    init(at path: ResourcePath) {
        object = [
            "apiVersion": .string(path.kind.apiVersion), "kind": .string(path.kind.kind),
            "metadata": [
                "name": .string(path.name ?? ""), "namespace": .string(path.namespace ?? ""),
                "labels": ["app.kubernetes.io/managed-by": "slipway"],
            ],
        ]
    }

    /// What changes with every renewal.
    var spec: JSONValue { object["spec"] }

    /// `nil`: nobody.
    package var holder: String? { spec["holderIdentity"].text }

    /// How often the holder has changed.
    package var transitions: Int64 { spec["leaseTransitions"].integer ?? 0 }

    /// For how long others leave it to the holder, from when they see its last renewal.
    package var duration: Duration? {
        spec["leaseDurationSeconds"].integer.flatMap { $0 > 0 ? .seconds($0) : nil }
    }

    /// What the holder says of itself.
    package func annotation(_ key: String) -> String? { object["metadata"]["annotations"][key].text }

    /// Renewed, or taken, by `candidate`.
    ///
    /// - Parameter now: microseconds since 1970.
    func held(by candidate: LeaseCandidate, for duration: Duration, at now: Int64) -> Lease {
        var lease = self
        var (spec, metadata) = (spec, object["metadata"])
        let time = JSONValue.string(Self.text(now))
        if holder != candidate.identity {
            spec["acquireTime"] = time
            // The first holder is no change of holders.
            let isFirst = spec["leaseTransitions"].isNull
            spec["leaseTransitions"] = .number("\(isFirst ? 0 : transitions + 1)")
        }
        spec["holderIdentity"] = .string(candidate.identity)
        spec["leaseDurationSeconds"] = .number("\(duration.components.seconds)")
        spec["renewTime"] = time
        var annotations = metadata["annotations"]
        for (key, value) in candidate.annotations {
            if let value { annotations[key] = .string(value) } else { annotations.remove(key) }
        }
        if !annotations.members.isEmpty { metadata["annotations"] = annotations }
        lease.object["spec"] = spec
        lease.object["metadata"] = metadata
        return lease
    }

    /// Given back: whoever looks next may take it at once.
    func released(at now: Int64) -> Lease {
        var lease = self
        var spec = spec
        spec.remove("holderIdentity")
        spec["leaseDurationSeconds"] = 1
        spec["renewTime"] = .string(Self.text(now))
        lease.object["spec"] = spec
        return lease
    }

    /// A MicroTime: the server takes six digits after the second and nothing else.
    private static func text(_ microseconds: Int64) -> String {
        let fraction = String(microseconds % 1_000_000)
        let zeros = String(repeating: "0", count: 6 - fraction.utf8.count)
        return "\(UTCDate(secondsSince1970: microseconds / 1_000_000).rfc3339.dropLast()).\(zeros)\(fraction)Z"
    }
}

/// Who wants to lead.
package struct LeaseCandidate: Sendable {
    /// No other process ever has it.
    package let identity: String
    /// Written to the Lease while it is held; `nil` removes what an earlier holder wrote.
    package let annotations: [String: String?]

    package init(identity: String, annotations: [String: String?] = [:]) {
        self.identity = identity
        self.annotations = annotations
    }
}
