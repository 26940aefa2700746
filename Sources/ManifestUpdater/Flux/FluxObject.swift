package import Diagnostics
import YAML

/// An object of Flux v2 that a choice of images depends on, as one file writes it. Kustomize may still change it.
package struct FluxObject: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case imageRepository = "ImageRepository"
        case imagePolicy = "ImagePolicy"
        case imageUpdateAutomation = "ImageUpdateAutomation"
        case gitRepository = "GitRepository"
        case kustomization = "Kustomization"

        /// The API group of the kind, in all its versions: repositories keep old ones.
        package var group: String {
            switch self {
            case .imageRepository, .imagePolicy, .imageUpdateAutomation: "image.toolkit.fluxcd.io"
            case .gitRepository: "source.toolkit.fluxcd.io"
            case .kustomization: "kustomize.toolkit.fluxcd.io"
            }
        }
    }

    package var kind: Kind
    package var value: ObjectValue
    package var location: SourceLocation

    package init(kind: Kind, value: ObjectValue, location: SourceLocation) {
        self.kind = kind
        self.value = value
        self.location = location
    }

    package var name: String { value["metadata"]?["name"]?.string ?? "" }
    /// `nil` where the manifest leaves it to whatever applies it.
    package var namespace: String? { value["metadata"]?["namespace"]?.string }
    package var labels: [String: String] { value["metadata"]?["labels"]?.texts ?? [:] }
    package var spec: ObjectValue? { value["spec"] }
}

/// What files say of Flux v2's objects and of what Kustomize makes of them.
package struct FluxSources: Sendable, Equatable {
    package var objects: [FluxObject] = []
    /// The kustomizations, by their paths.
    package var kustomizations: [String: ObjectValue] = [:]

    package init() {}

    package var isEmpty: Bool { objects.isEmpty && kustomizations.isEmpty }

    package mutating func append(_ other: FluxSources) {
        objects += other.objects
        kustomizations.merge(other.kustomizations) { _, new in new }
    }
}

extension Scanner {
    /// Values in one object: they are copied for each kustomization that changes it.
    private static let fluxObjectLimit = 2_000

    /// Objects of Flux v2; others are none of ours.
    mutating func scanFluxObject(_ manifest: Manifest) {
        guard let kind = FluxObject.Kind(rawValue: manifest.kind),
            manifest.node["apiVersion"]?.text?.hasPrefix(kind.group + "/") == true
        else { return }
        guard let value = ObjectValue(manifest.node, limit: Self.fluxObjectLimit) else {
            return skip(manifest.node, "\(manifest.id): not read: it has more than \(Self.fluxObjectLimit) values")
        }
        guard value["metadata"]?["name"]?.string != nil else { return }
        add(FluxObject(kind: kind, value: value, location: location(of: manifest.node)))
    }
}
