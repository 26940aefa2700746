import Diagnostics
import YAML

/// Where Argo CD Image Updater would write an image.
package struct ArgoPlace: Hashable, Sendable {
    package enum Holder: Hashable, Sendable {
        /// The manifest of the application itself: `spec.source`, or one of `spec.sources`.
        case application(WorkloadID, source: Int?)
        /// `.argocd-source-<application>.yaml` beside the application's manifests. It is made when it is not there.
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

    var setter: String { "argo \(application) \(image)" }
}

extension ManifestUpdater {
    /// What a place says now; `nil` where nothing is written yet. A tag without its name has an empty name.
    package static func image(at place: ArgoPlace, in bytes: [UInt8]) -> ImageText? {
        guard let documents = try? YAMLStream.parse(bytes, file: place.file) else { return nil }
        let updater = FileUpdater(file: place.file, bytes: bytes, documents: documents, request: UpdateRequest())
        return updater.image(at: place)
    }

    /// Writes images where Argo CD Image Updater would. Pure.
    ///
    /// - Parameter bytes: `nil` when the file is not there.
    package static func update(_ bytes: [UInt8]?, file: String, places: [(ArgoPlace, ImageText)]) -> FileUpdate {
        let original = bytes ?? []
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(original, file: file)
        } catch {
            var result = FileUpdate()
            result.skipped = [ManifestSkip(file: file, line: error.location?.line, reason: error.summary)]
            return result
        }
        if documents.allSatisfy({ $0.root == nil }), places.allSatisfy({ $0.0.holder == .overrides }) {
            return made(file: file, after: original, places: places)
        }
        var updater = FileUpdater(file: file, bytes: original, documents: documents, request: UpdateRequest())
        updater.gather(places)
        return updater.finished()
    }

    /// A file of overrides that holds nothing yet.
    private static func made(
        file: String, after bytes: [UInt8], places: [(ArgoPlace, ImageText)]
    ) -> FileUpdate {
        var update = FileUpdate()
        func texts(_ place: ArgoPlace, _ image: ImageText) -> [(name: String, value: String)] {
            place.parameters(for: image)
                + (place.kustomizeImage(for: image).map { [("images \(FileUpdater.original($0))", $0)] } ?? [])
        }
        let contradicted = FileUpdater.contradicted(in: places.flatMap(texts))
        let kept = places.filter { place, image in
            let name = texts(place, image).map(\.name).first(where: contradicted.contains)
            if let name {
                update.skipped.append(
                    ManifestSkip(
                        file: file, object: place.application.description, container: place.image,
                        reason: FileUpdater.contradiction(name)))
            }
            return name == nil
        }
        if kept.isEmpty { return update }
        var pairs: [PlainValue.Pair] = []
        var seen: Set<String> = []
        let parameters = kept.flatMap { $0.0.parameters(for: $0.1) }.filter { seen.insert($0.name).inserted }
        if !parameters.isEmpty {
            pairs.append(
                PlainValue.Pair(
                    "helm", .mapping([PlainValue.Pair("parameters", .list(parameters.map(PlainValue.parameter)))])))
        }
        let images = kept.compactMap { $0.0.kustomizeImage(for: $0.1) }.filter { seen.insert("images \($0)").inserted }
        if !images.isEmpty {
            pairs.append(
                PlainValue.Pair(
                    "kustomize", .mapping([PlainValue.Pair("images", .list(images.map { .text($0) }))])))
        }
        let text = PlainValue.mapping(pairs).text
        let lineBreak = bytes.isEmpty || bytes.last == 0x0A ? [] : [UInt8(ascii: "\n")]
        update.bytes = bytes + lineBreak + Array(text.utf8)
        update.splices = [Splice(range: bytes.count..<bytes.count, bytes: lineBreak + Array(text.utf8))]
        update.changes = kept.map { place, image in
            ManifestChange(
                file: file, line: 1, column: 1, object: place.application.description, container: place.image, old: "",
                new: image.description, setter: place.setter)
        }
        return update
    }
}

extension PlainValue {
    fileprivate static func parameter(_ parameter: (name: String, value: String)) -> PlainValue {
        .mapping([
            Pair("name", .text(parameter.name)), Pair("value", .text(parameter.value)),
            Pair("forcestring", .plain("true")),
        ])
    }
}

extension ArgoPlace {
    /// The Helm parameters, or paths of values, that say an image. A pinned one has its digest in the tag.
    func parameters(for image: ImageText) -> [(name: String, value: String)] {
        let version = (image.tag ?? "") + (image.digest.map { "@\($0)" } ?? "")
        switch form {
        case .helm(let name, let tag):
            return [name.map { ($0, image.name) }, tag.map { ($0, version) }].compactMap { $0 }
        case .helmSpec(let name): return [(name, image.description)]
        case .kustomize: return []
        }
    }

    /// As a text of `kustomize.images`: `[ORIGINAL=]NAME:TAG`.
    func kustomizeImage(for image: ImageText) -> String? {
        guard case .kustomize(let original) = form else { return nil }
        return (original == image.name ? "" : "\(original)=") + image.description
    }
}

extension FileUpdater {
    /// The mapping that holds `helm:` and `kustomize:`.
    private func holder(of place: ArgoPlace) -> YAMLNode? {
        switch place.holder {
        case .application(let id, let index):
            for document in documents {
                for manifest in document.root.map(Manifest.all) ?? []
                where manifest.kind == "Application" && manifest.id == id {
                    guard let index else { return manifest.node["spec"]?["source"] }
                    guard let sources = manifest.node["spec"]?["sources"]?.items, sources.indices.contains(index) else {
                        return nil
                    }
                    return sources[index]
                }
            }
            return nil
        case .overrides, .kustomization, .values: return documents.lazy.compactMap(\.root).first
        }
    }

    private func value(of name: String, at place: ArgoPlace, in holder: YAMLNode) -> YAMLNode? {
        if place.holder == .values { return ValuePath(name).flatMap { holder.at($0) } }
        let items = holder["helm"]?["parameters"]?.items ?? []
        return items.last { $0["name"]?.text == name }?["value"]
    }

    func image(at place: ArgoPlace) -> ImageText? {
        guard let holder = holder(of: place) else { return nil }
        func text(_ name: String?) -> String? {
            guard let name, let node = value(of: name, at: place, in: holder), !node.isNull, let text = node.text,
                !text.isEmpty
            else { return nil }
            return Scanner.trimmed(text)
        }
        switch place.form {
        case .helmSpec(let name): return text(name).map { ImageText($0) }
        case .helm(let name, let tag):
            let (known, version) = (text(name), text(tag))
            guard known != nil || version != nil else { return nil }
            let parts = ImageText("x:\(version ?? "")")
            return ImageText(name: known ?? "", tag: version == nil ? nil : parts.tag, digest: parts.digest)
        case .kustomize(let original):
            if place.holder == .kustomization {
                guard let entry = holder["images"]?.items?.last(where: { $0["name"]?.text == original }) else {
                    return nil
                }
                return ImageText(
                    name: entry["newName"]?.text ?? original, tag: entry["newTag"]?.text,
                    digest: entry["digest"]?.text)
            }
            for node in (holder["kustomize"]?["images"]?.items ?? []).reversed() {
                guard let text = node.text, Self.original(text) == original else { continue }
                return ImageText(text.firstIndex(of: "=").map { String(text[text.index(after: $0)...]) } ?? text)
            }
            return nil
        }
    }

    /// The name before `=`, or that of the whole text.
    fileprivate static func original(_ text: String) -> String {
        text.firstIndex(of: "=").map { String(text[..<$0]) } ?? ImageText(text).name
    }

    mutating func gather(_ places: [(ArgoPlace, ImageText)]) {
        // What is missing in one list comes by one edit.
        var parameters: [(place: ArgoPlace, name: String, value: String, unit: Int)] = []
        var images: [(place: ArgoPlace, text: String, unit: Int)] = []
        for (place, image) in places {
            let unit = newUnit()
            guard let holder = holder(of: place) else {
                result.skipped.append(
                    ManifestSkip(
                        file: file, object: place.application.description, container: place.image,
                        reason: "the place to write to is not there"))
                continue
            }
            if place.holder == .kustomization {
                gatherKustomization(place, image, in: holder)
                continue
            }
            for (name, value) in place.parameters(for: image) {
                if let node = self.value(of: name, at: place, in: holder) {
                    plan(node, value, place, unit)
                } else if place.holder == .values {
                    refusedUnits.insert(unit)
                    skip(
                        holder, object: place.application.description, container: place.image,
                        "there is no value at \(name): add it to \(file)")
                } else {
                    parameters.append((place, name, value, unit))
                }
            }
            if let text = place.kustomizeImage(for: image) {
                guard case .kustomize(let original) = place.form else { continue }
                let node = holder["kustomize"]?["images"]?.items?.last {
                    $0.text.map { Self.original($0) == original } ?? false
                }
                if let node { plan(node, text, place, unit) } else { images.append((place, text, unit)) }
            }
        }
        var seen: Set<ArgoPlace.Holder> = []
        for first in parameters where seen.insert(first.place.holder).inserted {
            guard let holder = holder(of: first.place) else { continue }
            let group = settled(
                parameters.filter { $0.place.holder == first.place.holder }.map {
                    Addition(place: $0.place, name: $0.name, text: $0.value, unit: $0.unit)
                }, in: holder)
            if group.isEmpty { continue }
            add(
                group.map { PlainValue.parameter(($0.name, $0.text)) }, to: ["helm", "parameters"], of: holder,
                for: group.map { ($0.place, "\($0.name): \($0.text)", $0.unit) })
        }
        seen = []
        for first in images where seen.insert(first.place.holder).inserted {
            guard let holder = holder(of: first.place) else { continue }
            let group = settled(
                images.filter { $0.place.holder == first.place.holder }.map {
                    Addition(place: $0.place, name: Self.original($0.text), text: $0.text, unit: $0.unit)
                }, in: holder)
            if group.isEmpty { continue }
            add(
                group.map { .text($0.text) }, to: ["kustomize", "images"], of: holder,
                for: group.map { ($0.place, $0.text, $0.unit) })
        }
        refuseShared { _ in true }
    }

    private mutating func plan(_ node: YAMLNode, _ text: String, _ place: ArgoPlace, _ unit: Int) {
        planned.append(
            PlannedEdit(
                node: node.resolved, text: text, object: place.application.description, container: place.image,
                setter: place.setter, unit: unit))
    }

    /// An item that is to come into a list.
    private struct Addition {
        var place: ArgoPlace
        var name: String
        var text: String
        var unit: Int
    }

    /// The names for which different values are wanted.
    fileprivate static func contradicted(in planned: [(name: String, value: String)]) -> Set<String> {
        var values: [String: String] = [:]
        var result: Set<String> = []
        for (name, value) in planned where values.updateValue(value, forKey: name) ?? value != value {
            result.insert(name)
        }
        return result
    }

    fileprivate static func contradiction(_ name: String) -> String {
        "images want different values for '\(name)': give each names of its own by helm.image-name and helm.image-tag, or "
            + "kustomize.image-name"
    }

    /// Of the same wanted twice one; of different values for one name none, with a reason.
    private mutating func settled(_ additions: [Addition], in holder: YAMLNode) -> [Addition] {
        let contradicted = Self.contradicted(in: additions.map { ($0.name, $0.text) })
        var result: [Addition] = []
        var kept: Set<String> = []
        for one in additions {
            if contradicted.contains(one.name) {
                refusedUnits.insert(one.unit)
                skip(
                    holder, object: one.place.application.description, container: one.place.image,
                    Self.contradiction(one.name))
            } else if kept.insert(one.name).inserted {
                result.append(one)
            }
        }
        return result
    }

    /// Items for a list below two keys, of which each may be missing.
    private mutating func add(
        _ items: [PlainValue], to keys: [String], of holder: YAMLNode,
        for changes: [(place: ArgoPlace, text: String, unit: Int)]
    ) {
        let edit: StructureEdit
        let inner = PlainValue.list(items)
        let outer = holder[keys[0]]
        if let outer, !outer.isNull {
            if let list = outer[keys[1]], !list.isNull {
                edit = .append(items, to: list)
            } else if let list = outer[keys[1]], let key = outer.pairs?.last(where: { $0.key.text == keys[1] })?.key {
                edit = .fill(list, with: inner, keyOf: key)
            } else {
                edit = .add([PlainValue.Pair(keys[1], inner)], to: outer)
            }
        } else if let outer, let key = holder.pairs?.last(where: { $0.key.text == keys[0] })?.key {
            edit = .fill(outer, with: .mapping([PlainValue.Pair(keys[1], inner)]), keyOf: key)
        } else {
            edit = .add([PlainValue.Pair(keys[0], .mapping([PlainValue.Pair(keys[1], inner)]))], to: holder)
        }
        for (index, change) in changes.enumerated() {
            add(
                index == 0 ? edit : nil, at: holder, object: change.place.application.description,
                container: change.place.image, old: "", new: change.text, setter: change.place.setter,
                unit: change.unit)
        }
    }

    private mutating func gatherKustomization(_ place: ArgoPlace, _ image: ImageText, in root: YAMLNode) {
        guard case .kustomize(let original) = place.form else { return }
        let wanted = UpdateRequest.KustomizeImage(
            name: original, newName: image.name == original ? nil : image.name, newTag: image.tag, digest: image.digest)
        let entries = (root["images"]?.items ?? []).filter { $0["name"]?.text == original }
        let setter = place.setter
        let before = (planned.count, structure.count)
        if entries.isEmpty { addKustomizeImage(wanted, to: root) }
        for entry in entries { set(wanted, in: entry) }
        for index in planned.indices.dropFirst(before.0) {
            planned[index].setter = setter
            planned[index].object = place.application.description
        }
        for index in structure.indices.dropFirst(before.1) {
            structure[index].change.setter = setter
            structure[index].change.object = place.application.description
        }
    }
}
