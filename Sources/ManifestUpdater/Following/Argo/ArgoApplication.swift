package import Diagnostics
import YAML

/// An Argo CD `Application`, as far as image updates depend on it.
///
/// https://argo-cd.readthedocs.io/en/stable/user-guide/application-specification/
package struct ArgoApplication: Hashable, Sendable {
    package struct Source: Hashable, Sendable {
        /// Where the source stands in the manifest.
        package enum Position: Hashable, Sendable {
            /// `spec.source`.
            case single
            /// In `spec.sources`.
            case item(Int)
            /// `spec.sourceHydrator.drySource`.
            case dry
        }

        package var position: Position
        package var repository: String
        package var revision: String
        /// Without slashes at its ends and `./`; `nil` for charts.
        package var path: String?
        /// The name by which the values files of other sources are found in this one.
        package var reference: String?
        package var isChart: Bool
        package var hasHelm: Bool
        package var hasKustomize: Bool
        package var hasPlugin: Bool
        package var hasDirectory: Bool
        /// The names of `helm.parameters`.
        package var parameters: [String]
        /// The names in `kustomize.images` that are replaced.
        package var images: [String]
    }

    package var workload: WorkloadID
    /// `nil` where the manifest leaves it to whatever applies it.
    package var namespace: String?
    package var labels: [String: String]
    package var file: String
    /// Those of the image updater, without `argocd-image-updater.argoproj.io/`.
    package var annotations: [String: String]
    package var sources: [Source]
    package var location: SourceLocation
    /// The `ApplicationSet` that makes it; `nil` where it is written out.
    package var applicationSet: String?

    package static let prefix = "argocd-image-updater.argoproj.io/"

    /// - Returns: `nil` for an object without a name.
    package init?(_ object: ArgoValue, file: String, location: SourceLocation, applicationSet: String? = nil) {
        guard let name = object["metadata"]?["name"]?.filledText else { return nil }
        let metadata = object["metadata"]
        namespace = metadata?["namespace"]?.filledText
        workload = WorkloadID(namespace: namespace ?? "default", kind: "Application", name: name)
        labels = metadata?["labels"]?.texts ?? [:]
        self.file = file
        self.location = location
        self.applicationSet = applicationSet
        annotations = [:]
        for (key, value) in metadata?["annotations"]?.texts ?? [:] where key.hasPrefix(Self.prefix) {
            annotations[String(key.dropFirst(Self.prefix.count))] = value
        }
        let spec = object["spec"]
        // Argo CD takes the hydrator's source first, then the list.
        if let dry = spec?["sourceHydrator"]?["drySource"], dry.pairs != nil {
            sources = [Source(dry, .dry)]
        } else if let items = spec?["sources"]?.items, !items.isEmpty {
            sources = items.enumerated().map { Source($1, .item($0)) }
        } else {
            sources = spec?["source"].map { [Source($0, .single)] } ?? []
        }
    }

    /// One image of `image-list`: `[alias=]name[:constraint]`.
    package struct Image: Hashable, Sendable {
        package var alias: String?
        package var name: String
        package var constraint: String?

        package init?(_ text: String) {
            var rest = text.trimmingBlanks
            var alias: String?
            if let equals = rest.firstIndex(of: "=") {
                alias = String(rest[..<equals]).trimmingBlanks
                rest = String(rest[rest.index(after: equals)...])
            }
            self.init(alias: alias, image: rest)
            if alias == "" { return nil }
        }

        /// - Parameter image: `name[:constraint]`.
        package init?(alias: String?, image: String) {
            var rest = image[...]
            self.alias = alias
            let component = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
            if let colon = rest[component...].firstIndex(of: ":") {
                constraint = String(rest[rest.index(after: colon)...]).trimmingBlanks
                rest = rest[..<colon]
            }
            name = String(rest).trimmingBlanks
            if name.isEmpty { return nil }
        }
    }

    /// The images, and the texts of the list that are none.
    package var images: (images: [Image], wrong: [String]) {
        var images: [Image] = []
        var wrong: [String] = []
        // A constraint may hold commas only where it has blanks around conditions; Argo splits at every comma, too.
        for text in (annotations["image-list"] ?? "").split(separator: ",", omittingEmptySubsequences: true) {
            if let image = Image(String(text)) { images.append(image) } else { wrong.append(String(text)) }
        }
        return (images, wrong)
    }

    /// An annotation of an image, else that of the whole application.
    package func option(_ name: String, of image: Image) -> String? {
        own(name, of: image) ?? annotations[name]
    }

    /// An annotation that only images have.
    package func own(_ name: String, of image: Image) -> String? {
        image.alias.flatMap { annotations["\($0.replacingSlashes).\(name)"] }
    }

    /// What annotations of single images begin with.
    package static func key(ofAlias alias: String) -> String { alias.replacingSlashes }
}

extension ArgoApplication.Source {
    init(_ source: ArgoValue, _ position: Position) {
        self.position = position
        repository = source["repoURL"]?.filledText ?? ""
        revision = source["targetRevision"]?.scalarText ?? ""
        reference = source["ref"]?.filledText
        isChart = source["chart"]?.filledText != nil
        if let text = source["path"]?.filledText {
            path = text.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
        }
        hasHelm = source["helm"]?.pairs != nil
        hasKustomize = source["kustomize"]?.pairs != nil
        hasPlugin = source["plugin"]?.pairs != nil
        hasDirectory = source["directory"]?.pairs != nil
        parameters = (source["helm"]?["parameters"]?.items ?? []).compactMap { $0["name"]?.filledText }
        images = (source["kustomize"]?["images"]?.items ?? []).compactMap(\.filledText).map(ArgoPlace.original)
    }
}

extension String {
    fileprivate var replacingSlashes: String { String(map { $0 == "/" ? "_" : $0 }) }
}

extension Scanner {
    /// Objects of Argo CD and of its image updater; others are none of ours.
    mutating func scanArgoObject(_ manifest: Manifest) {
        guard let version = manifest.node["apiVersion"]?.text else { return }
        if version.hasPrefix(ArgoApplication.prefix) {
            if manifest.kind == "ImageUpdater" { scanArgoImageUpdater(manifest) }
            return
        }
        guard version.hasPrefix("argoproj.io/"), ["Application", "ApplicationSet"].contains(manifest.kind) else {
            return
        }
        let (object, location) = (ArgoValue(manifest.node), location(of: manifest.node))
        if manifest.kind == "Application" {
            if let application = ArgoApplication(object, file: file, location: location) { add(application) }
        } else if let set = ArgoApplicationSet(object, file: file, location: location) {
            add(set)
        }
    }
}
