import YAML

extension FileUpdater {
    /// The entries of `images:` as `kustomize edit set image` leaves them: a tag takes the place of a digest and a digest
    /// that of a tag, unless both are given. A kustomization at the top of the directory gets the entry that none has.
    mutating func gatherKustomizeImages() {
        for document in documents {
            guard let root = document.root else { continue }
            for (number, wanted) in request.kustomizeImages.enumerated() {
                for entry in root["images"]?.items ?? [] where entry["name"]?.text == wanted.name {
                    result.met.insert(UpdateRequest.key(ofKustomizeImage: number))
                    set(wanted, in: entry, for: asker(for: wanted))
                }
                if request.kustomizeAdditions[number] == file, document.index == 0 {
                    result.met.insert(UpdateRequest.key(ofKustomizeImage: number))
                    addKustomizeImage(wanted, to: root, for: asker(for: wanted))
                }
            }
        }
        refuseShared { edit in edit.setter.hasPrefix("kustomize ") }
    }

    private mutating func asker(for wanted: UpdateRequest.KustomizeImage) -> Asker {
        Asker(object: "", container: wanted.name, setter: "kustomize \(wanted.name)", unit: newUnit())
    }

    mutating func set(_ wanted: UpdateRequest.KustomizeImage, in entry: YAMLNode, for asker: Asker) {
        guard settle(wanted, for: asker, settledEntries[entry], at: entry) else { return }
        settledEntries[entry] = (wanted, asker)
        let unit = asker.unit
        var keys: [(String, String)] = []
        if let name = wanted.newName, entry["newName"] != nil || name != wanted.name { keys.append(("newName", name)) }
        if let tag = wanted.newTag { keys.append(("newTag", tag)) }
        if let digest = wanted.digest { keys.append(("digest", digest)) }
        if let kept = wanted.kept, isMissing(kept == .tag ? "newTag" : "digest", in: entry) {
            refusedUnits.insert(unit)
            let (has, other) = kept == .tag ? ("newTag", "@*") : ("digest", ":*")
            skip(
                entry, object: asker.object, container: asker.container,
                "it has no \(has) to keep: write \(wanted.newName ?? "NEWNAME")\(other), or say which")
            return
        }
        var missing: [PlainValue.Pair] = []
        for (key, text) in keys {
            guard let node = entry[key] else {
                missing.append(PlainValue.Pair(key, .text(text)))
                continue
            }
            planned.append(
                PlannedEdit(
                    node: node.resolved, text: text, object: asker.object, container: asker.container,
                    setter: asker.setter, unit: unit))
        }
        var surplus: Set<String> = []
        if wanted.newTag != nil, wanted.digest == nil, entry["digest"] != nil { surplus.insert("digest") }
        if wanted.digest != nil, wanted.newTag == nil, entry["newTag"] != nil { surplus.insert("newTag") }
        // As kustomize does: what is not kept goes.
        if wanted.kept == .tag, entry["digest"] != nil { surplus.insert("digest") }
        if wanted.kept == .digest, entry["newTag"] != nil { surplus.insert("newTag") }
        // A merged or shared entry is written elsewhere: only what stands here can be added to or taken from.
        let own = Set((entry.pairs ?? []).compactMap(\.key.text))
        guard !missing.isEmpty || !surplus.isEmpty else { return }
        guard !entry.isAlias, entry.anchor == nil, surplus.isSubset(of: own) else {
            refusedUnits.insert(unit)
            skip(
                entry, object: asker.object, container: asker.container,
                "its keys are shared, by an anchor: write the entry out")
            return
        }
        for pair in missing {
            guard case .text(let text) = pair.value else { continue }
            add(
                .add([pair], to: entry), at: entry, object: asker.object, container: asker.container, old: "",
                new: text, setter: asker.setter, unit: unit)
        }
        for key in surplus.sorted() {
            add(
                .remove([key], from: entry), at: entry[key] ?? entry, object: asker.object,
                container: asker.container, old: entry[key]?.text ?? "", new: "", setter: asker.setter, unit: unit)
        }
    }

    private func isMissing(_ key: String, in entry: YAMLNode) -> Bool {
        entry[key].map { $0.isNull || $0.text?.isEmpty ?? true } ?? true
    }

    /// Whether an entry is still to be written: the same edit twice is one, two different ones are none.
    private mutating func settle(
        _ wanted: UpdateRequest.KustomizeImage, for asker: Asker,
        _ other: (image: UpdateRequest.KustomizeImage, asker: Asker)?, at node: YAMLNode
    ) -> Bool {
        guard let other else { return true }
        guard other.image != wanted else {
            twins[asker.unit] = other.asker.unit
            return false
        }
        let reason = "two requests want different images for '\(wanted.name)'"
        let first = other.asker
        // Once for those that are called the same.
        let isFirstTold =
            contradictions[first.unit] == nil && (first.object, first.container) != (asker.object, asker.container)
        contradict(
            first.unit, at: node, object: first.object, container: first.container, isTold: isFirstTold, reason)
        contradict(asker.unit, at: node, object: asker.object, container: asker.container, reason)
        return false
    }

    /// A new entry, where no kustomization has one.
    mutating func addKustomizeImage(
        _ wanted: UpdateRequest.KustomizeImage, to root: YAMLNode, for asker: Asker
    ) {
        guard settle(wanted, for: asker, settledAdditions[wanted.name], at: root) else { return }
        settledAdditions[wanted.name] = (wanted, asker)
        var pairs = [PlainValue.Pair("name", .text(wanted.name))]
        if let name = wanted.newName, name != wanted.name { pairs.append(PlainValue.Pair("newName", .text(name))) }
        if let tag = wanted.newTag { pairs.append(PlainValue.Pair("newTag", .text(tag))) }
        if let digest = wanted.digest { pairs.append(PlainValue.Pair("digest", .text(digest))) }
        let entry = PlainValue.mapping(pairs)
        let edit: StructureEdit
        let place: YAMLNode
        if let pair = root.pairs?.last(where: { $0.key.text == "images" }) {
            place = pair.value
            edit =
                pair.value.isNull
                ? .fill(pair.value, with: .list([entry]), keyOf: pair.key) : .append([entry], to: pair.value)
        } else {
            place = root
            edit = .add([PlainValue.Pair("images", .list([entry]))], to: root)
        }
        let image = WrittenReference(name: wanted.newName ?? wanted.name, tag: wanted.newTag, digest: wanted.digest)
        add(
            edit, at: place, object: asker.object, container: asker.container, old: "", new: image.description,
            setter: asker.setter, unit: asker.unit)
    }
}
