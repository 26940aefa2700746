import YAML

/// A file of overrides (`.argocd-source-NAME.yaml`) that holds nothing yet.
enum ArgoOverrides {
    /// - Parameter bytes: comments at most.
    static func made(file: String, after bytes: [UInt8], edits: [ManifestEdit]) -> EditedFile {
        var edited = EditedFile(found: edits.map { _ in nil })
        var wanted: [(number: Int, place: ArgoPlace, image: WrittenReference)] = []
        for (number, edit) in edits.enumerated() {
            guard case .argo(let place, nil) = edit.place else { continue }
            edited.found[number] = 1
            wanted.append((number, place, edit.newImage))
        }
        let contradicted = FileUpdater.contradicted(in: wanted.flatMap { texts($0.place, $0.image) })
        let kept = wanted.filter { number, place, image in
            guard let name = texts(place, image).map(\.name).first(where: contradicted.contains) else { return true }
            let skip = ManifestSkip(
                file: file, object: place.application.description, container: place.image,
                reason: FileUpdater.contradiction(name))
            edited.update.skipped.append(skip)
            edited.contradictions[number] = skip
            edited.refused.insert(number)
            return false
        }
        if kept.isEmpty { return edited }
        let text = content(kept.map { ($0.place, $0.image) }).text
        let lineBreak = bytes.isEmpty || bytes.last == 0x0A ? [] : [UInt8(ascii: "\n")]
        edited.update.bytes = bytes + lineBreak + Array(text.utf8)
        edited.update.splices = [Splice(range: bytes.count..<bytes.count, bytes: lineBreak + Array(text.utf8))]
        edited.update.changes = kept.map { _, place, image in
            ManifestChange(
                file: file, line: 1, column: 1, object: place.application.description, container: place.image, old: "",
                new: image.description, setter: place.setter)
        }
        return edited
    }

    private static func texts(_ place: ArgoPlace, _ image: WrittenReference) -> [(name: String, value: String)] {
        place.parameters(for: image)
            + (place.kustomizeImage(for: image).map { [("images \(ArgoPlace.original($0))", $0)] } ?? [])
    }

    private static func content(_ places: [(place: ArgoPlace, image: WrittenReference)]) -> PlainValue {
        var pairs: [PlainValue.Pair] = []
        var seen: Set<String> = []
        for list in ArgoParameterList.allCases {
            // In the order in which the image updater writes them.
            let parameters = places.filter { $0.place.list == list }.flatMap { $0.place.parameters(for: $0.image) }
                .filter { seen.insert("\(list) \($0.name)").inserted }.sorted {
                    $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
                }
            guard !parameters.isEmpty else { continue }
            let items = parameters.map { list.item($0, in: .overrides) }
            pairs.append(PlainValue.Pair(list.keys[0], .mapping([PlainValue.Pair(list.keys[1], .list(items))])))
        }
        let images = places.compactMap { $0.place.kustomizeImage(for: $0.image) }
            .filter { seen.insert("images \($0)").inserted }
        if !images.isEmpty {
            pairs.append(
                PlainValue.Pair(
                    "kustomize", .mapping([PlainValue.Pair("images", .list(images.map { .text($0) }))])))
        }
        return .mapping(pairs)
    }
}
