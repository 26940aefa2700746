/// A workload as Flux names it: `default:deployment/helloworld`.
package struct WorkloadID: Hashable, Sendable, CustomStringConvertible {
    /// `default` where the manifest names none.
    package var namespace: String
    /// As the manifest writes it: `Deployment`.
    package var kind: String
    package var name: String

    package init(namespace: String, kind: String, name: String) {
        self.namespace = namespace
        self.kind = kind
        self.name = name
    }

    package var description: String { "\(namespace):\(kind.lowercased())/\(name)" }
}
