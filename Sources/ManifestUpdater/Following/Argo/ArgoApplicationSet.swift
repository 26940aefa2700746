package import Diagnostics

/// An Argo CD `ApplicationSet`: generators of values, and a template of Applications.
///
/// https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/
package struct ArgoApplicationSet: Hashable, Sendable {
    package var name: String
    /// `nil` where the manifest leaves it to whatever applies it.
    package var namespace: String?
    package var spec: ArgoValue
    package var file: String
    package var location: SourceLocation

    init?(_ object: ArgoValue, file: String, location: SourceLocation) {
        guard let name = object["metadata"]?["name"]?.filledText, let spec = object["spec"] else { return nil }
        self.name = name
        namespace = object["metadata"]?["namespace"]?.filledText
        self.spec = spec
        self.file = file
        self.location = location
    }

    package var description: String { "ApplicationSet \(namespace.map { "\($0)/" } ?? "")\(name)" }
}
