package import Diagnostics
import YAML

/// A place in a manifest that names the image of a container.
package struct ImageTarget: Hashable, Sendable {
    /// What asks for the image to be followed.
    package enum Source: Hashable, Sendable {
        /// Annotations of Flux v1 on the workload (`fluxcd.io/automated` …), or Slipway's own.
        case flux1Annotation
        /// Keel's labels or annotations on the workload.
        case keel(KeelPolicy)
        /// A Flux v2 comment: `# {"$imagepolicy": "namespace:name:tag"}`.
        case flux2Marker(namespace: String, name: String)
    }

    /// What the scalar at `valueRange` holds of the image.
    package enum Field: Hashable, Sendable {
        /// The whole reference, after a registry that stands elsewhere (`prefix`, often empty).
        case reference(prefix: String)
        /// The tag alone; the name stands elsewhere (`nil`: unknown).
        case tag(name: String?)
        /// The name alone.
        case name
        /// The digest alone.
        case digest
    }

    package let file: String
    package let documentIndex: Int
    package let workload: WorkloadID
    /// The container's name; `chart-image` or the key for a HelmRelease.
    package let container: String
    /// The whole image as written, put together where its parts stand apart. For a marker: the text of the marked
    /// value.
    package let image: WrittenReference
    package let field: Field
    /// The scalar that an update changes, in bytes of the file. Behind an alias: the anchor's scalar.
    package let valueRange: Range<Int>
    /// A digest that stands apart from the tag: its scalar.
    var digestRange: Range<Int>?
    /// Where the name and the registry stand apart from the tag: their scalars.
    var nameRange: Range<Int>?
    var registryRange: Range<Int>?
    /// The rule by which it was found, for one of a custom resource.
    package internal(set) var rule: ImagePathRule?
    /// Of the scalar, or of the alias that stands in its place.
    package let location: SourceLocation
    /// The tag filter of the annotation as written; `nil` when there is none, which means `glob:*`.
    package let policy: String?
    package let source: Source
    package internal(set) var options = UpdateOptions()
    /// Why this image is not to be updated by the policies; `nil` when it is.
    package internal(set) var held: HoldReason?
    /// Which one it is of those that its file names alike: the same workload twice, several markers of one policy.
    package internal(set) var occurrence = 0

    /// Whether both name the same container's image in the same file, wherever it stands there and whatever it is.
    package func isSamePlace(as other: ImageTarget) -> Bool { identity == other.identity }

    struct Identity: Hashable {
        enum Part { case reference, tag, name, digest }

        struct Marker: Hashable {
            let namespace: String
            let name: String
        }

        let file: String
        let workload: WorkloadID
        let container: String
        /// The marker's policy; `nil` for what annotations ask for.
        let marker: Marker?
        let part: Part
        let occurrence: Int
    }

    /// What the scalars of this image have to say for a whole new image.
    func values(for new: WrittenReference) throws(ScalarSplice.Refusal) -> [(Range<Int>, String)] {
        switch field {
        case .reference(let prefix):
            let text = new.description
            if prefix.isEmpty { return [(valueRange, text)] }
            if text.hasPrefix(prefix) { return [(valueRange, String(text.dropFirst(prefix.count)))] }
            guard let registryRange else {
                throw ScalarSplice.Refusal(reason: "'\(new)' is not in the registry '\(prefix)' that stands beside it")
            }
            let (registry, rest) = Self.splitRegistry(text)
            return [(registryRange, registry), (valueRange, rest)]
        case .tag(let name):
            guard let tag = new.tag else { throw ScalarSplice.Refusal(reason: "'\(new)' has no tag to write here") }
            // A marker for the tag means the tag alone; a chart's tag may carry the digest.
            let isAlone = isMarker || digestRange != nil
            var values = [(valueRange, isAlone ? tag : tag + (new.digest.map { "@\($0)" } ?? ""))]
            if let digestRange {
                guard let digest = new.digest else {
                    throw ScalarSplice.Refusal(reason: "'\(new)' has no digest to take the old one's place")
                }
                values.append((digestRange, digest))
            }
            if name == nil || new.name == name { return values }
            guard let nameRange else {
                throw ScalarSplice.Refusal(reason: "'\(new)' has another name than '\(name ?? "")'")
            }
            guard let registryRange else { return [(nameRange, new.name)] + values }
            let (registry, rest) = Self.splitRegistry(new.name)
            return [(registryRange, registry), (nameRange, rest)] + values
        case .name: return [(valueRange, new.name)]
        case .digest: return [(valueRange, new.digest ?? "")]
        }
    }

    private static func splitRegistry(_ image: String) -> (String, String) {
        guard let slash = image.firstIndex(of: "/") else { return ("docker.io", "library/\(image)") }
        let host = image[..<slash]
        if host.contains(".") || host.contains(":") || host == "localhost" {
            return (String(host), String(image[image.index(after: slash)...]))
        }
        return ("docker.io", image)
    }

    /// What the place says once it holds this image: all of it, or for a marker the part that it asks for.
    package func written(for image: WrittenReference) -> String {
        guard isMarker else { return image.description }
        switch field {
        case .reference: return image.description
        case .tag: return image.tag ?? ""
        case .name: return image.name
        case .digest: return image.digest ?? ""
        }
    }

    package var isMarker: Bool { if case .flux2Marker = source { true } else { false } }

    var identity: Identity {
        let part: Identity.Part =
            switch field {
            case .reference: .reference
            case .tag: .tag
            case .name: .name
            case .digest: .digest
            }
        var marker: Identity.Marker?
        if case .flux2Marker(let namespace, let name) = source {
            marker = Identity.Marker(namespace: namespace, name: name)
        }
        return Identity(
            file: file, workload: workload, container: container, marker: marker, part: part, occurrence: occurrence)
    }
}

/// Why an image is left alone. Rendered for people by `description`.
package enum HoldReason: Hashable, Sendable, CustomStringConvertible {
    /// No annotation says anything of updates.
    case unannotated
    /// No annotation turns updates on, or it has another value than "true".
    case notAutomated(value: String?)
    case locked(user: String?, message: String?)
    case ignored
    /// The text is no image reference: a placeholder, a template, an empty value.
    case notAnImage(String)
    /// The scalar is shared (by an anchor) with a place that does not ask for the same.
    case shared(with: String)
    /// A rule of the tool that asks leaves it out.
    case leftOut(String)
    /// A marker's image is chosen by the policy that it names, not by annotations.
    case imagePolicy(namespace: String, name: String)
    /// A change would make the file unusable for the tool that encrypted it.
    case encrypted(String)

    /// Whether nothing turns updates on.
    package var isNoAutomation: Bool {
        switch self {
        case .unannotated, .notAutomated: true
        default: false
        }
    }

    /// Whether it is the workload that is held, with all its containers.
    package var isOfWorkload: Bool {
        switch self {
        case .unannotated, .notAutomated, .locked, .ignored: true
        default: false
        }
    }

    package var description: String {
        switch self {
        case .unannotated, .notAutomated(nil): "not automated (no annotation fluxcd.io/automated: \"true\")"
        case .notAutomated(let value?):
            "not automated (the annotation's value is '\(value.prefix(40))', only \"true\" turns updates on)"
        case .locked(let user, let message):
            "locked" + (user.map { " by \($0)" } ?? "") + (message.map { ": \($0)" } ?? "")
        case .ignored: "ignored (annotation fluxcd.io/ignore: \"true\")"
        case .notAnImage(let reason): reason
        case .leftOut(let reason): reason
        case .shared(let other): "its value is shared, by an anchor, with \(other)"
        case .imagePolicy(let namespace, let name): "its marker names the image policy \(namespace):\(name)"
        case .encrypted(let reason): reason
        }
    }
}

/// What a file holds for the updater.
package struct ScanResult: Sendable, Equatable {
    /// Something that was passed over, and why.
    package struct Skipped: Sendable, Equatable {
        /// `file:line:column`, or the file.
        package let place: String
        package let reason: String
    }

    /// In the order of the file.
    package internal(set) var targets: [ImageTarget] = []
    package internal(set) var skipped: [Skipped] = []
    package internal(set) var flux = FluxSources()
    /// What looks as if it asked for something, and does not, with the reason.
    package internal(set) var remarks: [Skipped] = []
    package internal(set) var applications: [ArgoApplication] = []
    package internal(set) var applicationSets: [ArgoApplicationSet] = []
    package internal(set) var imageUpdaters: [ArgoImageUpdater] = []
    /// Files that may hold Applications and cannot be read.
    package internal(set) var unreadApplications: [Skipped] = []

    package init() {}

    /// A file that is passed over as a whole.
    package init(skipping file: String, reason: String) { skipped = [Skipped(place: file, reason: reason)] }

    package var isEmpty: Bool {
        targets.isEmpty && skipped.isEmpty && remarks.isEmpty && flux.isEmpty && applications.isEmpty
            && applicationSets.isEmpty && imageUpdaters.isEmpty && unreadApplications.isEmpty
    }
}
