package import Diagnostics
import YAML

/// An Argo CD `Application` with annotations of Argo CD Image Updater.
///
/// https://argocd-image-updater.readthedocs.io/en/stable/basics/update-methods/
package struct ArgoApplication: Hashable, Sendable {
    package struct Source: Hashable, Sendable {
        /// Its place in `spec.sources`; `nil` for `spec.source`.
        package var index: Int?
        package var repository: String
        /// Without slashes at its ends and `./`; `nil` for charts.
        package var path: String?
        package var hasHelm: Bool
        package var hasKustomize: Bool
    }

    package var workload: WorkloadID
    package var file: String
    /// Without `argocd-image-updater.argoproj.io/`.
    package var annotations: [String: String]
    package var sources: [Source]
    package var location: SourceLocation

    /// One image of `image-list`: `[alias=]name[:constraint]`.
    package struct Image: Hashable, Sendable {
        package var alias: String?
        package var name: String
        package var constraint: String?

        init?(_ text: String) {
            var rest = text.trimmingBlanks[...]
            if let equals = rest.firstIndex(of: "=") {
                alias = String(rest[..<equals]).trimmingBlanks
                rest = rest[rest.index(after: equals)...]
            }
            let component = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
            if let colon = rest[component...].firstIndex(of: ":") {
                constraint = String(rest[rest.index(after: colon)...]).trimmingBlanks
                rest = rest[..<colon]
            }
            name = String(rest).trimmingBlanks
            if name.isEmpty || alias == "" { return nil }
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
}

extension String {
    fileprivate var replacingSlashes: String { String(map { $0 == "/" ? "_" : $0 }) }
}

extension Scanner {
    private static let argoPrefix = "argocd-image-updater.argoproj.io/"

    mutating func scanArgoApplication(_ manifest: Manifest) {
        guard manifest.kind == "Application",
            manifest.node["apiVersion"]?.text?.hasPrefix("argoproj.io/") == true
        else { return }
        var annotations: [String: String] = [:]
        for (key, value) in manifest.annotations where key.hasPrefix(Self.argoPrefix) {
            annotations[String(key.dropFirst(Self.argoPrefix.count))] = value
        }
        guard annotations["image-list"] != nil else { return }
        let spec = manifest.node["spec"]
        func source(_ node: YAMLNode, _ index: Int?) -> ArgoApplication.Source {
            var path: String?
            if let text = node["path"]?.text, node["path"]?.isNull == false {
                path = text.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
            }
            return ArgoApplication.Source(
                index: index, repository: node["repoURL"]?.text ?? "", path: path,
                hasHelm: node["helm"]?.pairs != nil || node["chart"]?.text != nil,
                hasKustomize: node["kustomize"]?.pairs != nil)
        }
        var sources = (spec?["source"]).map { [source($0, nil)] } ?? []
        for (index, node) in (spec?["sources"]?.items ?? []).enumerated() { sources.append(source(node, index)) }
        add(
            ArgoApplication(
                workload: manifest.id, file: file, annotations: annotations, sources: sources,
                location: location(of: manifest.node)))
    }
}
