import YAML

/// Where Argo CD Image Updater would write an image.
package struct ArgoPlace: Hashable, Sendable {
    package enum Holder: Hashable, Sendable {
        /// The manifest of the application itself: one of its sources.
        case application(WorkloadID, source: ArgoApplication.Source.Position)
        /// A file of parameter overrides, `.argocd-source-<application>.yaml` in the source's path. It is made when it is
        /// not there.
        case overrides
        case kustomization
        case values
    }

    package enum Form: Hashable, Sendable {
        /// Helm parameters, or paths into a values file, for the name and for the tag.
        case helm(name: String?, tag: String?)
        /// One for the whole image.
        case helmSpec(String)
        /// The name under which the manifests use the image.
        case kustomize(original: String)
        /// Variables of a configuration management plugin's environment.
        case plugin(name: String?, tag: String?, spec: String?)
    }

    package var file: String
    package var holder: Holder
    package var form: Form
    package var application: WorkloadID
    /// The alias, or the image's name.
    package var image: String

    package init(file: String, holder: Holder, form: Form, application: WorkloadID, image: String) {
        self.file = file
        self.holder = holder
        self.form = form
        self.application = application
        self.image = image
    }

    /// What asks, in messages about values.
    var setter: String { "\(application) image \(image)" }
}

extension ManifestUpdater {
    /// What a place says now; `nil` where nothing is written yet. A tag without its name has an empty name.
    package static func image(at place: ArgoPlace, in bytes: [UInt8]) -> WrittenReference? {
        guard let documents = try? YAMLStream.parse(bytes, file: place.file) else { return nil }
        var updater = FileUpdater(file: place.file, bytes: bytes, documents: documents, request: UpdateRequest())
        return updater.image(at: place)
    }

    /// The names of a kustomization's `images:`.
    package static func names(ofKustomization bytes: [UInt8], file: String) -> [String] {
        let documents = (try? YAMLStream.parse(bytes, file: file)) ?? []
        let root = documents.lazy.compactMap(\.root).first
        return (root?["images"]?.items ?? []).compactMap { $0["name"]?.text }
    }
}

/// A list of names with values in a source.
enum ArgoParameterList: CaseIterable {
    case helm, plugin

    var keys: [String] {
        switch self {
        case .helm: ["helm", "parameters"]
        case .plugin: ["plugin", "env"]
        }
    }

    /// The image updater writes its own files with `forcestring`; the Application's field is `forceString`.
    func item(_ parameter: (name: String, value: String), in holder: ArgoPlace.Holder) -> PlainValue {
        var pairs = [
            PlainValue.Pair("name", .text(parameter.name)), PlainValue.Pair("value", .text(parameter.value)),
        ]
        if self == .helm {
            pairs.append(PlainValue.Pair(holder == .overrides ? "forcestring" : "forceString", .plain("true")))
        }
        return .mapping(pairs)
    }
}

extension ArgoPlace {
    var list: ArgoParameterList? {
        switch form {
        case .helm, .helmSpec: .helm
        case .plugin: .plugin
        case .kustomize: nil
        }
    }

    /// The name before `=`, or that of the whole text.
    static func original(_ text: String) -> String {
        text.firstIndex(of: "=").map { String(text[..<$0]) } ?? WrittenReference(text).name
    }

    /// The Helm parameters, or paths of values, that say an image. A pinned one has its digest in the tag.
    func parameters(for image: WrittenReference) -> [(name: String, value: String)] {
        let version = (image.tag ?? "") + (image.digest.map { "@\($0)" } ?? "")
        switch form {
        case .helm(let name, let tag):
            return [name.map { ($0, image.name) }, tag.map { ($0, version) }].compactMap { $0 }
        case .helmSpec(let name): return [(name, image.description)]
        case .plugin(let name, let tag, let spec):
            if let spec { return [(spec, image.description)] }
            return [name.map { ($0, image.name) }, tag.map { ($0, version) }].compactMap { $0 }
        case .kustomize: return []
        }
    }

    /// Whether a text is an image's name without its registry, as charts have it that write the registry elsewhere.
    package static func isShort(_ text: String, of name: String) -> Bool {
        guard let slash = name.firstIndex(of: "/"), name[..<slash].contains(".") else { return false }
        return name[name.index(after: slash)...] == text
    }

    /// An image's name without its registry.
    package static func withoutRegistry(_ name: String) -> String {
        guard let slash = name.firstIndex(of: "/") else { return name }
        let host = name[..<slash]
        guard host.contains(".") || host.contains(":") || host == "localhost" else { return name }
        return String(name[name.index(after: slash)...])
    }

    /// As a text of `kustomize.images`: `[ORIGINAL=]NAME:TAG`.
    func kustomizeImage(for image: WrittenReference) -> String? {
        guard case .kustomize(let original) = form else { return nil }
        return (original == image.name ? "" : "\(original)=") + image.description
    }
}
